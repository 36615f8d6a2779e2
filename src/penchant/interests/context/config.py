"""Section `context`: whether circumstances count, and how the clock is read."""

from __future__ import annotations

from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ContextConfig(BaseModel):
    """What of the context of events and requests is learned.

    With `learn` off no circumstance counts, whatever is told. `ignore` names keys that are left
    out, and of the fields of the clock ("hour", "daypart", "weekday", "weekend", "season"); of the
    others the `most` telling ones are kept. `timezone` is where people are whose context does not
    say `timezone` itself, `hemisphere` decides which months are summer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    learn: bool = True
    ignore: tuple[str, ...] = ()
    most: int = Field(default=12, ge=1, le=32)
    timezone: str = "UTC"
    hemisphere: Literal["north", "south"] = "north"

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        if zone(name) is None:
            raise ValueError(f"expected a time zone such as 'Europe/Madrid', got {name!r:.80}")
        return name


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _opened(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def zone(name: object) -> ZoneInfo | None:
    """Return a time zone by its name, None where there is no such zone."""
    # Only names on the list reach the file system.
    return _opened(name) if isinstance(name, str) and name in _names() else None
