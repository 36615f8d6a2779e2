"""What the API works with beside the engine, as it sees them: who trains, and who counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from penchant.types import Slate


class Trainer(Protocol):
    """Who trains in the background."""

    def request(self) -> Mapping[str, Any]:
        """Return the state after a training was asked for; asking twice is one training."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Return state, step, share, started, ended, report, error and next."""
        ...


class Telemetry(Protocol):
    """Who counts and measures."""

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        ...

    def answer(self, slate: Slate) -> None:
        """Count one slate: time by stage, hits by source."""
        ...

    def recorded(self, counts: Mapping[str, int]) -> None:
        """Count what was believed and what was kept aside."""
        ...

    def render(self) -> bytes:
        """Return everything counted, in the text format of Prometheus."""
        ...
