"""What people want and ask for: whether it is still about the same things.

A day is a sample of vectors (of the items wanted, of the words asked with), at most one of each
person. Its distance from the three weeks before is the energy distance (Székely and Rizzo, 2013);
how far days lie from each other when nothing is the matter is measured on those weeks themselves,
each of their days against the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.counts import TICKS
from penchant.evaluate.watch.detector import Look
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.recent import Happened, Recent
from penchant.measure.surprise import apart
from penchant.types import Floats

Vectors = Callable[[Sequence[int]], Floats]
"""Vectors float32[n, d] of things by number; rows of NaN for what has none."""

SAMPLE = 100
FEWEST = 40
DAYS = 21
KNOWN = 7
APART = 8.0  # deviations of a day's distance that are no accident
FARTHER = 1.8  # and how much farther than the farthest day before


class Topics:
    """One stream of topics: `name` says of what, `vectors` turns the numbers kept into vectors."""

    def __init__(self, name: str, vectors: Vectors, config: WatchConfig) -> None:
        self._name, self._vectors, self._config = name, vectors, config
        self._days: list[list[int]] = []
        self._known: Before | None = None

    def judge(self, look: Look) -> Iterator[Finding]:
        """Yield a finding where the last 24 hours are about something else."""
        if look.tick % TICKS:
            return
        now = self._sample(look.recent.between(look.now - 86400.0, look.now))
        if len(now) < FEWEST or sum(len(day) >= FEWEST for day in self._days) < KNOWN:
            return
        if self._known is None:
            self._known = self._measure()
        rows, before = _finite(self._vectors(now)), self._known
        if len(rows) < FEWEST or len(before.days) < KNOWN:
            return
        distance = before.distance(rows)
        middle, noise, farthest = before.middle, before.noise, before.farthest
        held = ("topics", self._name) in look.held
        apart, farther = (APART / 2, 1.0) if held else (APART, FARTHER)
        if distance < middle + apart * noise or distance < farther * farthest:
            return
        yield Finding(
            "topics",
            self._name,
            look.now - 86400.0,
            "notice",
            distance,
            farthest,
            f"what people {'ask for' if self._name == 'searches' else 'want'} changed: the last "
            f"24 h are {distance:.3f} from the three weeks before, and no day of them was more "
            f"than {farthest:.3f} from the others. Look at the newest "
            f"{'searches' if self._name == 'searches' else 'events'}; if the change stays, train "
            "again",
        )

    def close(self, day: int, recent: Recent) -> None:
        """Keep a sample of a day that is over."""
        events = recent.between(day * 86400.0, (day + 1) * 86400.0)
        self._days = [*self._days, self._sample(events)][-DAYS:]
        self._known = None

    def state(self) -> dict[str, Any]:
        """Return the numbers of what was sampled: of items, or of events in the log."""
        return {"days": self._days}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._days = [[int(x) for x in day] for day in state["days"]]
        self._known = None

    def _sample(self, events: Happened) -> list[int]:
        """Return what is kept of events: items by number, words by the offset of their event.

        Words stay in the log alone, so that a person who is forgotten takes them along.
        """
        words = self._name == "searches"
        some = events.texts if words else events.wanted & (events.items >= 0)
        found: dict[int, tuple[bytes, int]] = {}
        columns = (events.offsets[some], events.users[some], events.items[some])
        for offset, user, item in zip(*(c.tolist() for c in columns), strict=True):
            key = hashlib.blake2b(offset.to_bytes(8), digest_size=8).digest()
            if user not in found or key < found[user][0]:
                found[user] = key, offset if words else item
        return [kept for _, kept in sorted(found.values())[:SAMPLE]]

    def _measure(self) -> Before:
        days = [_finite(self._vectors(day)) for day in self._days if len(day) >= FEWEST]
        return Before([day for day in days if len(day) >= FEWEST])


class Before:
    """The days before: their vectors, and how far one of them lies from the others.

    The energy distance of a sample from several days together, from the mean distances of pairs of
    days, each counted alike.
    """

    def __init__(self, days: Sequence[Floats]) -> None:
        self.days = days
        n = len(days)
        pairs = np.zeros((n, n))
        for i, a in enumerate(days):
            for j, b in enumerate(days[: i + 1]):
                pairs[i, j] = pairs[j, i] = apart(a, b)
        self._inside = float(pairs.mean()) if n else 0.0
        distances = np.zeros(n)
        for i in range(n):
            others = np.delete(np.arange(n), i)
            inside = pairs[np.ix_(others, others)].mean() if n > 1 else 0.0
            distances[i] = 2 * pairs[i, others].sum() / max(1, n - 1) - pairs[i, i] - inside
        self.middle = float(np.median(distances)) if n else 0.0
        noise = 1.4826 * float(np.median(np.abs(distances - self.middle))) if n else 0.0
        self.noise = max(noise, 1e-6)
        # The farthest may be a day on which something was the matter.
        self.farthest = max(float(np.quantile(distances, 0.95)) if n else 0.0, 1e-6)

    def distance(self, rows: Floats) -> float:
        """Return how far a sample lies from these days."""
        cross = float(np.mean([apart(rows, day) for day in self.days]))
        return 2 * cross - apart(rows, rows) - self._inside


def _finite(rows: Floats) -> Floats:
    return rows[np.isfinite(rows).all(axis=1)] if len(rows) else rows
