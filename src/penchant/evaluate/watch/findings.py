"""The findings of a recommender: each once while it lasts, its end, and the last ones, on disk."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from penchant.evaluate.watch.finding import SEVERITIES, Finding, finding
from penchant.evaluate.watch.packing import read, write

FILE = Path("watch") / "findings.json"
KEPT = 500  # findings that are over
LINGER = 3600.0  # seconds for which nothing must be seen before a finding is over


class Findings:
    """What was found, newest last. `seen` holds when each finding that lasts was seen last."""

    def __init__(self, rows: Iterable[Finding] = (), seen: Iterable[float] = ()) -> None:
        self.rows = list(rows)
        self.looked = 0.0  # when somebody looked last, in seconds
        self._seen = dict(zip((one.key for one in self.open), seen, strict=False))

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that last, oldest first."""
        return tuple(one for one in self.rows if one.over is None)

    def meet(self, found: Iterable[Finding], at: float) -> tuple[Finding, ...]:
        """Return what is new or has just ended, after taking in what was seen at `at` (seconds).

        What was found before keeps its beginning; its figures and its sentence follow. It becomes
        more severe, never less.
        """
        changed: list[Finding] = []
        self.looked = at
        lasting = {one.key: place for place, one in enumerate(self.rows) if one.over is None}
        for one in found:
            self._seen[one.key] = at
            place = lasting.get(one.key)
            if place is None:
                lasting[one.key] = len(self.rows)
                self.rows.append(one)
                changed.append(one)
                continue
            old = self.rows[place]
            worst = max(old.severity, one.severity, key=SEVERITIES.index)
            self.rows[place] = replace(one, since=old.since, severity=worst)
            if worst != old.severity:
                changed.append(self.rows[place])
        for key, place in lasting.items():
            last = self._seen.setdefault(key, at)
            if at - last >= LINGER:
                self.rows[place] = self.rows[place].ended(last)
                changed.append(self.rows[place])
                del self._seen[key]
        over = [place for place, one in enumerate(self.rows) if one.over is not None]
        for place in reversed(over[: max(0, len(over) - KEPT)]):
            del self.rows[place]
        return tuple(changed)

    def drop(self, people: Collection[int]) -> bool:
        """Return whether findings about any of these people were there; nothing of them stays."""
        kept = [one for one in self.rows if one.person not in people]
        gone = len(kept) != len(self.rows)
        self.rows = kept
        self._seen = {one.key: self._seen[one.key] for one in self.open if one.key in self._seen}
        return gone

    def save(self, directory: Path) -> None:
        """Write them into a recommender's directory."""
        content = {
            "findings": [one.plain() for one in self.rows],
            "seen": [self._seen[one.key] for one in self.open],
            "looked": self.looked,
        }
        write(directory / FILE, content)

    @classmethod
    def load(cls, directory: Path) -> Findings:
        """Return what was found in a directory so far; nothing where no watch was kept."""
        content = read(directory / FILE)
        try:
            rows = [finding(row) for row in content["findings"]]
            found = cls(rows, [float(x) for x in content["seen"]])
            found.looked = float(content["looked"])
            return found
        except (TypeError, KeyError, ValueError):
            return cls()
