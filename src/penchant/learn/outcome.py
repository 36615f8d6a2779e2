"""What came of a training: the numbers of its report, and the manifest of the snapshot."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from penchant.learn.release.gate import Verdict
from penchant.learn.scorer.choice import Choice


@dataclass(frozen=True)
class Outcome:
    """What a training made, for the report: the manifest of the snapshot is its JSON."""

    events: int
    items: int
    users: int
    requests: int
    choice: Choice
    ablation: dict[str, float]
    left_out: tuple[str, ...]
    seconds: dict[str, float]
    search: dict[str, Any] | None = None
    gate: Verdict | None = None
    categories: dict[str, Any] | None = None
    encoder: dict[str, Any] | None = None
    interests: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    response: dict[str, Any] | None = None

    def summary(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)
