"""The scores that the live snapshot shows: whether they are still those of its first days.

The first score of a slate, one slate of each person, against a sample of the same snapshot's days
before (two-sample Kolmogorov-Smirnov). Samples are the slates with the smallest hashes: the same
ones in whatever order and after whatever restart they are met (Cohen and Kaplan, 2007).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.counts import TICKS
from penchant.evaluate.watch.detector import Look
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.recent import Recent, Slates
from penchant.measure.surprise import kolmogorov

WINDOWS = (6, 24)  # hours
SAMPLE = 300  # slates of a day that are kept
DAYS = 7
FEWEST = 60
DISTANCE = 0.2  # the largest gap of the two distributions that is still no shift
Scores = npt.NDArray[np.float64]


class ScoreDrift:
    """The scores of one snapshot now against those of its days before."""

    def __init__(self, config: WatchConfig) -> None:
        self._config = config
        self._days: list[dict[str, Any]] = []  # snapshot and its sample, day by day

    def judge(self, look: Look) -> Iterator[Finding]:
        """Yield a finding where the same snapshot gives other scores than before."""
        if look.tick % TICKS or not len(look.recent.slates):
            return
        slates = look.recent.slates
        snapshot = slates.names[slates.snapshots[int(np.argmax(slates.times))]]
        subject = f"snapshot:{snapshot}"
        held = ("scores", subject) in look.held
        limit = -2.0 if held else float(np.log10(self._config.surprise))
        for hours in WINDOWS:
            begin = look.now - 3600.0 * hours
            now = sample(slates, snapshot, begin, look.now)
            days = [row["scores"] for row in self._days if row["snapshot"] == snapshot]
            before = np.array([score for day in days for score in day])
            if not len(before):  # its first day
                before = sample(slates, snapshot, 0.0, begin)
            if len(now) < FEWEST or len(before) < 2 * FEWEST:
                continue
            distance, p = kolmogorov(now, before)
            if distance < (DISTANCE / 2 if held else DISTANCE) or p > limit:
                continue
            yield Finding(
                "scores",
                subject,
                begin,
                "warning",
                float(np.median(now)),
                float(np.median(before)),
                f"snapshot {snapshot} gives its first place other scores than before: "
                f"{np.median(now):.3g} in the middle for {hours} h, was {np.median(before):.3g} "
                f"(distributions {distance:.2f} apart). Look whether other people ask, items have "
                "lost their text or stock, or the context changed its form; train again if the "
                "world changed",
            )
            return

    def close(self, day: int, recent: Recent) -> None:
        """Keep a sample of the day for each snapshot that answered on it."""
        slates = recent.slates
        begin, end = day * 86400.0, (day + 1) * 86400.0
        inside = (slates.times >= begin) & (slates.times < end)
        answered = np.unique(slates.snapshots[inside]).tolist()
        for snapshot in sorted(slates.names[code] for code in answered):
            kept = sample(slates, snapshot, begin, end)
            row = {"snapshot": snapshot, "day": day, "scores": [float(f"{x:.5g}") for x in kept]}
            self._days.append(row)
        self._days = [row for row in self._days if row["day"] > day - DAYS]

    def state(self) -> dict[str, Any]:
        """Return the samples: numbers, of nobody."""
        return {"days": self._days}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._days = list(state["days"])


def sample(slates: Slates, snapshot: str, begin: float, end: float) -> Scores:
    """Return the first scores of at most `SAMPLE` slates of a snapshot, one of each person."""
    inside = (slates.times >= begin) & (slates.times < end) & (np.diff(slates.starts) > 0)
    found: dict[int, tuple[int, float]] = {}
    for i in np.flatnonzero(inside & slates.of_snapshot(snapshot)).tolist():
        key = int(slates.keys[i])
        # Somebody nobody stored may be anybody.
        user = int(slates.users[i]) if slates.users[i] >= 0 else -2 - i
        if user not in found or key < found[user][0]:
            found[user] = key, float(slates.scores[i])
    chosen = sorted(found.values())[:SAMPLE]
    return np.array([score for _, score in chosen if np.isfinite(score)], dtype=np.float64)
