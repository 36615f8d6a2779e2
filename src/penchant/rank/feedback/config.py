"""Settings of what is learned between two trainings from slates and their answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FeedbackConfig(BaseModel):
    """Section `feedback`: how events are joined to the slates they answer.

    An event answers a slate of the last `window` seconds; it waits at most `patience` seconds, in
    the time of the log, for a slate that is still on its way to disk. At most `slates` slates are
    remembered, half a kilobyte each, in every process that answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: float = Field(default=86_400.0, gt=0)
    patience: float = Field(default=10.0, ge=0)
    slates: int = Field(default=100_000, ge=1)
