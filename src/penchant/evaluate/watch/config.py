"""Section `watch` of penchant.toml: what is said of the log as it grows, and to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from penchant.types import InvalidInput


@dataclass(frozen=True)
class WatchConfig:
    """Section `watch`: what is said of the log as it grows, and to whom.

    `surprise` is the probability below which a figure is reported, `least_change` the factor by
    which it has to differ. `grace` is how many seconds late an event may come and still be in time.
    `replay` is how many requests of each ten minutes are asked again to see how good the answers
    are, 0 for none. `webhook` is the one address that findings are sent to, signed with
    `webhook_key`; `people` says whether they may name people.
    """

    on: bool = True
    surprise: float = 1e-4
    least_change: float = 1.5
    grace: float = 300.0
    replay: int = 8
    webhook: str = ""
    webhook_key: str = field(default="", repr=False)
    people: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.surprise < 0.1:
            raise InvalidInput(f"surprise lies between 0 and 0.1, got {self.surprise}")
        if not self.least_change > 1.0:
            raise InvalidInput(f"least_change is above 1, got {self.least_change}")
        if not 0.0 <= self.grace <= 86_400.0:
            raise InvalidInput(f"grace is 0 to 86400 seconds, got {self.grace}")
        if self.replay < 0:
            raise InvalidInput(f"replay is 0 or more, got {self.replay}")
        if not self.webhook:
            return
        parts = urlsplit(self.webhook)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(f"webhook is an address like https://host/path, got {self.webhook}")
        if len(self.webhook_key) < 16:
            raise InvalidInput(
                "a webhook is signed: give webhook_key 16 characters or more, or keep it out of "
                "the file in PENCHANT__WATCH__WEBHOOK_KEY; `penchant key` makes one"
            )
