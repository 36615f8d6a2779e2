"""Section `service` of penchant.toml: the processes of `penchant serve`, and what they tidy up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from penchant.types import InvalidInput

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "text"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_LEAST = 1.0  # seconds between two trainings


@dataclass(frozen=True)
class ServiceConfig:
    """Section `service`: the processes of `penchant serve`, and what they tidy up.

    `learn_every` is the time from one training to the next ("6h", "30m", "1d"), "" for none but
    those asked for; nothing is learned again while nothing new was recorded. `stop_seconds` is how
    long a stop may take to finish what was accepted. `keep_impressions_days` says for how long what
    was shown is kept, 0 for ever. Logs are one line a request: JSON, text, or "auto", which is text
    in a terminal. No id of a person is in them.
    """

    workers: int = 4
    learn_every: str = ""
    stop_seconds: float = 30.0
    keep_impressions_days: float = 90.0
    log_level: Level = "info"
    log_format: Format = "auto"

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InvalidInput(f"workers is 1 or more, got {self.workers}")
        if not self.stop_seconds > 0:
            raise InvalidInput(f"stop_seconds is above 0, got {self.stop_seconds}")
        if not self.keep_impressions_days >= 0:
            raise InvalidInput(
                f"keep_impressions_days is 0 or more, got {self.keep_impressions_days}"
            )
        duration(self.learn_every)


def duration(text: str) -> float:
    """Return the seconds that "90s", "30m", "6h", "1d" or "1w" say; 0.0 for "", which is never."""
    if not text.strip():
        return 0.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip().lower())
    if found is None:
        raise InvalidInput(f'expected a time like "30m", "6h" or "1d", got {text!r}')
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds < _LEAST:
        raise InvalidInput(f"expected {_LEAST:g} s or more, got {text!r}")
    return seconds
