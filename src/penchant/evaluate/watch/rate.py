"""How many events come, and of which kinds: more or fewer than this hour of the week brings.

A count is compared with what was expected of its window (`season.py`) by the tail of a negative
binomial law whose spread is that of past windows of the same length around what had been expected
of them: the scheme of Farrington et al. (1996) as improved by Noufaily et al. (2013), with the
spread taken from a high quantile instead of a fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.counts import TICKS, Counts
from penchant.evaluate.watch.detector import Look
from penchant.evaluate.watch.finding import Finding, Severity
from penchant.evaluate.watch.recent import Recent
from penchant.measure.surprise import above, below, spread_of

WINDOWS = (1, 6, 24)  # hours
_LEAST_SPREAD = 0.01  # a tenth more or less is nobody's fault
_UNKNOWN_SPREAD = 0.25
_ENOUGH = 30  # past windows that say how much such windows vary
_AGAIN = 0.01  # probability with which a finding is held
LONGEST = 14 * 24 * TICKS  # ticks of silence after which a kind is taken to be retired


class Rate:
    """The rate of all events, the mix of kinds, and kinds that fall silent."""

    def __init__(self, counts: Counts, config: WatchConfig) -> None:
        self._counts, self._config = counts, config
        self._alarm = float(np.log10(config.surprise))
        self._spreads: dict[tuple[Any, ...], float] = {}
        self._hour = -1
        self._silent = 0  # the last tick of a silence: what is missing there has been said

    def judge(self, look: Look) -> Iterator[Finding]:
        """Yield what came too much, too little, or not at all."""
        if look.tick // TICKS != self._hour:
            self._hour = look.tick // TICKS
            self._spreads.clear()
        if not self._counts.names:
            return
        silent = list(self._silence(look))
        if silent:
            self._silent = look.tick
        yield from silent
        still = {one.subject for one in silent}
        if "events" in still:
            return
        told: dict[tuple[str, str], Finding] = {}
        for hours in WINDOWS:
            for found in self._window(look, hours, still):
                told.setdefault(found.key, found)
        yield from told.values()

    def close(self, day: int, recent: Recent) -> None:
        """Nothing is folded by the day: the counts are the state."""

    def state(self) -> dict[str, Any]:
        """Return when there was silence last; the rest is the counts."""
        return {"silent": self._silent}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._silent = int(state["silent"])

    def _window(self, look: Look, hours: int, still: set[str]) -> Iterator[Finding]:
        counts = self._counts
        came = counts.seen(look.tick, hours * TICKS).astype(np.float64)
        due = counts.due(look.tick, hours * TICKS)
        # A kind that is new has no past to be measured by, and is no part of what all do.
        known = np.isfinite(due) & ~counts.young(look.tick)
        if not known.any():
            return
        came, due = np.where(known, came, 0.0), np.where(known, due, 0.0)
        all_came, all_due = float(came.sum()), float(due.sum())
        single = int(known.sum()) == 1
        left = known.copy()
        for row, name in enumerate(counts.names):
            subject = f"kind:{name}"
            if single or not known[row] or subject in still:
                continue
            # What the other kinds did explains what this one does: one more reader, more of all.
            others = (all_came - came[row] + 20.0) / (all_due - due[row] + 20.0)
            key = ("mix", subject)
            if not self._odd(look, key, row, hours, came[row], due[row]):
                continue
            if not self._odd(look, key, row, hours, came[row], due[row] * others):
                continue
            left[row] = False
            yield self._told(look, "mix", subject, f"{name} events", hours, came[row], due[row])
        came_left, due_left = float(came[left].sum()), float(due[left].sum())
        key = ("rate", "events")
        if self._odd(look, key, None, hours, came_left, due_left, tuple(left.tolist())):
            yield self._told(look, "rate", "events", "events", hours, came_left, due_left)

    def _odd(
        self,
        look: Look,
        key: tuple[str, str],
        row: int | None,
        hours: int,
        came: float,
        due: float,
        rows: tuple[bool, ...] = (),
    ) -> bool:
        held = key in look.held
        limit = np.log10(_AGAIN) if held else self._alarm
        change = self._config.least_change
        change = 1.0 + (change - 1.0) / 2.0 if held else change
        if came < due and look.tick - hours * TICKS < self._silent:
            return False
        if (due <= 0 and came <= 0) or due / change < came < due * change:
            return False
        tail = above if came > due else below
        # Without spread first: what is no surprise then never is one, and costs nothing.
        due = max(due, 0.5)
        if tail(came, due) > limit:
            return False
        return tail(came, due, self.spread(row, hours, due, rows)) <= limit

    def spread(self, row: int | None, hours: int, due: float, rows: tuple[bool, ...] = ()) -> float:
        """Return how much past windows of so many hours varied, of a kind (None: of `rows`)."""
        size = round(float(np.log2(max(due, 0.1))))
        key = (row, hours, size, rows)
        if key not in self._spreads:
            self._spreads[key] = self._measured(row, hours, due, rows)
        return self._spreads[key]

    def _measured(self, row: int | None, hours: int, due: float, rows: tuple[bool, ...]) -> float:
        came, forecast = self._counts.hours(self._hour, 8 * 168)
        if row is None:
            keep = np.array(rows, dtype=np.bool_)
            had, want = came[keep].sum(axis=0), np.nansum(forecast[keep], axis=0)
            want[np.isnan(forecast[keep]).all(axis=0)] = np.nan
        else:
            had, want = came[row], forecast[row]
        known = np.isfinite(want)
        had, want = had[known].astype(np.float64), want[known]
        if len(want) <= hours:
            return _UNKNOWN_SPREAD
        step = max(1, hours // 4)
        had, want = (_sums(x, hours)[::step] for x in (had, want))
        for factor in (3.0, 10.0):
            near = (want > due / factor) & (want < due * factor)
            if near.sum() >= _ENOUGH:
                return max(_LEAST_SPREAD, spread_of(had[near], want[near]))
        return _UNKNOWN_SPREAD

    def _silence(self, look: Look) -> Iterator[Finding]:
        counts = self._counts
        end = look.tick - counts.origin
        begin = max(0, end - LONGEST)
        rows = [(name, counts.table[row, begin:end]) for row, name in enumerate(counts.names)]
        rows.insert(0, ("", counts.table[:, begin:end].sum(axis=0)))
        for name, table in rows:
            active = np.flatnonzero(table)
            gap = len(table) - int(active[-1]) - 1 if len(active) else len(table)
            if not 2 <= gap < LONGEST:
                continue
            row = None if not name else counts.names.index(name)
            due = self._missed(row, look.tick, gap)
            subject = f"kind:{name}" if name else "events"
            # Once found it lasts until something comes.
            if ("silence", subject) not in look.held:
                if row is not None:  # what all of them do is said of all of them
                    due *= self._others(row, look.tick, gap)
                if -due / np.log(10.0) > self._alarm:
                    continue
                hours = max((w for w in WINDOWS if w <= gap / TICKS), default=WINDOWS[0])
                rows_of = tuple([True] * len(counts.names)) if row is None else ()
                if below(0, due, self.spread(row, hours, due, rows_of)) > self._alarm:
                    continue
            since = (look.tick - gap) * 600.0
            what = f"{name} events" if name else "events of any kind"
            yield Finding(
                "silence",
                subject,
                since,
                "critical",
                0.0,
                due,
                f"no {what} for {_span(gap / TICKS)}, where about {due:,.0f} were expected. Look "
                "whether the source still sends them, and with a key that may write (`penchant "
                "doctor --live`); rows kept aside are in `penchant doctor`",
            )
            if not name:
                return

    def _others(self, row: int, tick: int, gap: int) -> float:
        """Return how much of what was expected of the other kinds came in a gap, at most 1."""
        end = tick - self._counts.origin
        came = self._counts.table[:, end - gap : end].sum(axis=1).astype(np.float64)
        due = sum(self._missed(other, tick, gap) for other in range(len(came)) if other != row)
        return min(1.0, (float(came.sum() - came[row]) + 0.5) / (due + 0.5))

    def _missed(self, row: int | None, tick: int, gap: int) -> float:
        """Return what was expected in a gap, from what was known when it began."""
        counts = self._counts
        start = tick - gap
        hour = start // TICKS
        week = counts.hours(hour + 1, 168)[1]
        week = week.sum(axis=0) if row is None else week[row]
        if len(week) < 168 or not np.isfinite(week[-1]):
            return 0.0
        first = float(week[-1]) * (TICKS - start % TICKS) / TICKS
        whole = (gap - (TICKS - start % TICKS)) / TICKS
        if whole <= 0:
            return float(week[-1]) * gap / TICKS
        rounds = np.tile(np.nan_to_num(week), int(whole) // 168 + 2)
        full = int(whole)
        return first + float(rounds[:full].sum()) + float(rounds[full]) * (whole - full)

    def _told(
        self, look: Look, kind: Any, subject: str, what: str, hours: int, came: float, due: float
    ) -> Finding:
        more = came > due
        change = (came + 1.0) / (due + 1.0)
        severity: Severity = "critical" if change < 0.2 else "warning"
        todo = (
            "Look for a client that sends twice, a robot, or a campaign; persons and items that "
            "stand out are findings of their own"
            if more
            else "Look whether a client, a page or a release has stopped sending them"
        )
        return Finding(
            kind,
            subject,
            look.now - 3600.0 * hours,
            severity,
            came,
            round(due, 2),
            f"{came:,.0f} {what} in {_span(hours)}, where about {due:,.0f} were expected"
            f" ({max(change, 1 / change):.1f} times {'as many' if more else 'fewer'}). {todo}",
        )


def _sums(values: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    total = np.concatenate(([0.0], np.cumsum(values)))
    return np.asarray(total[n:] - total[:-n])


def _span(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.0f} minutes"
    if hours < 48:
        return "1 hour" if round(hours) == 1 else f"{hours:.0f} hours"
    return f"{hours / 24:.0f} days"
