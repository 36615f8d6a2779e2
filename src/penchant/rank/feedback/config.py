"""Settings of what is learned between two trainings from slates and their answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FeedbackConfig(BaseModel):
    """Section `feedback`: how events are joined to the slates they answer, and what is counted.

    An event answers a slate of the last `window` seconds; it waits at most `patience` seconds, in
    the time of the log, for a slate that is still on its way to disk. At most `slates` slates are
    remembered, half a kilobyte each, in every process that answers. In `half_life` seconds an
    exposure and its answer come to count half. How much more an item is answered in a context is
    counted for at most `contexts` values of contexts, the most shown; 0 for none. `rate` is how
    fast the weights of a score follow the answers, 0 for not at all, `taste` the same of what texts
    a person likes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: float = Field(default=86_400.0, gt=0)
    patience: float = Field(default=10.0, ge=0)
    slates: int = Field(default=100_000, ge=1)
    half_life: float = Field(default=172_800.0, ge=3_600.0)
    contexts: int = Field(default=48, ge=0, le=1000)
    rate: float = Field(default=0.3, ge=0)
    taste: float = Field(default=0.0, ge=0)
