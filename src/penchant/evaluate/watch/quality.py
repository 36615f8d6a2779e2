"""How good the answers are: NDCG@10 of what people then wanted, now against the week before.

Two figures. "shown": the latest slate somebody saw in the hour before they wanted something, or
the slate that their event names. "replayed": the engine asked again, as of that moment, for a
sample of such moments; it needs no slates. Both are prequential: an answer is judged by what came
after it (Dawid, 1984; Gama, Sebastião and Rodrigues, 2013).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.counts import TICK, TICKS
from penchant.evaluate.watch.detector import Look
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.recent import Happened, Recent, Slates
from penchant.measure.ranking import Lists, hits, ndcg

Ask = Callable[[int, float, int], tuple[str, Sequence[int]] | None]
"""Snapshot and items of the answer that a person (number) gets at a time; None: cannot be asked."""

K = 10
HORIZON = 3600.0
WINDOWS = (6, 12, 24)  # hours
WEEK = 7 * 24
FEWEST = 60  # answers without which nothing is said
DROP = 0.2  # share of the figure that has to be lost
_FIRST_DAYS = 2
YOUNG = (4, 36)  # hours of a snapshot in which it is looked at by itself
SUSPECT = 1e-4


class Quality:
    """One figure, by the hour: `name` is "shown" or "replayed", the latter asks with `ask`."""

    def __init__(self, name: str, config: WatchConfig, ask: Ask | None = None) -> None:
        self._name, self._config, self._ask = name, config, ask
        # hour -> kind of event -> answers, sum of figures, sum of their squares
        self._hours: dict[int, dict[int, list[float]]] = {}
        self._snapshot, self._before = "", ""
        self._since = 0.0

    def judge(self, look: Look) -> Iterator[Finding]:
        """Take in the last ten minutes; yield a finding where answers became worse."""
        kinds, figures = self._figures(look)
        hour = (look.tick - 1) // TICKS
        for kind, figure in zip(kinds, figures.tolist(), strict=True):
            row = self._hours.setdefault(hour, {}).setdefault(kind, [0.0, 0.0, 0.0])
            for place, value in enumerate((1.0, figure, figure**2)):
                row[place] += value
        hour = look.tick // TICKS
        self._hours = {h: row for h, row in self._hours.items() if h >= hour - WEEK - 24}
        # Asked every ten minutes in three windows: ten times as sure as of one count.
        alarm = _deviations(self._config.surprise / 10.0)
        windows = [(hours, alarm) for hours in WINDOWS]
        young = look.tick // TICKS - int(self._since // 3600)
        if self._before and YOUNG[0] <= young <= YOUNG[1]:
            # A snapshot that has just been published is suspect: one question, asked of it alone.
            windows.insert(0, (young, _deviations(SUSPECT)))
        for hours, limit in windows:
            found = self._compared(look, hour, hours, limit)
            if found is not None:
                yield found
                return

    def close(self, day: int, recent: Recent) -> None:
        """Nothing is folded by the day."""

    def state(self) -> dict[str, Any]:
        """Return the sums of each hour."""
        return {
            "hours": {str(hour): row for hour, row in self._hours.items()},
            "snapshot": self._snapshot,
            "before": self._before,
            "since": self._since,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._hours = {
            int(hour): {int(kind): list(sums) for kind, sums in row.items()}
            for hour, row in state["hours"].items()
        }
        self._snapshot, self._before = str(state["snapshot"]), str(state["before"])
        self._since = float(state["since"])

    def _compared(self, look: Look, hour: int, hours: int, limit: float) -> Finding | None:
        now = [row for h, row in self._hours.items() if hour - hours <= h]
        past = {h: row for h, row in self._hours.items() if hour - hours - WEEK <= h < hour - hours}
        new, old = _sums(now), _sums(past.values())
        # Wishes of one kind are met more often than those of another: the week before counts in
        # the mix of now, so that a kind that stopped is no worse answer.
        kinds = [kind for kind in new if kind in old and old[kind][0] >= FEWEST]
        n = sum(new[kind][0] for kind in kinds)
        if n < FEWEST or min(past) > hour - hours - 24 * _FIRST_DAYS:
            return None
        figure = sum(new[kind][1] for kind in kinds) / n
        usual = {kind: old[kind][1] / old[kind][0] for kind in kinds}
        before = sum(new[kind][0] * usual[kind] for kind in kinds) / n
        if before <= 0:
            return None
        noise = {k: max(0.0, old[k][2] / old[k][0] - usual[k] ** 2) for k in kinds}
        variance = sum(
            noise[k] * (new[k][0] / n) ** 2 * (1 / new[k][0] + 1 / old[k][0]) for k in kinds
        )
        deviation = (variance + self._between(past, hour - hours, hours, usual, noise)) ** 0.5
        held = ("quality", self._name) in look.held
        limit = 2.33 if held else limit
        drop = DROP / 2 if held else DROP
        if figure > (1 - drop) * before or before - figure < limit * deviation:
            return None
        which = f"snapshot {self._snapshot}" if self._snapshot else "what answers"
        return Finding(
            "quality",
            self._name,
            look.now - 3600.0 * hours,
            "critical" if figure < 0.5 * before else "warning",
            figure,
            before,
            f"the answers became worse: NDCG@{K} of {int(n):,} answers {self._name} in {hours} h "
            f"is {figure:.3f}, in the week before {before:.3f}. {which} answers since "
            f"{_when(self._since)}: if that is when it began, activate the one before "
            "(`penchant snapshots`, `penchant activate`); else look whether events still come and "
            "items still have their text, and train again",
        )

    def _between(
        self,
        past: dict[int, dict[int, list[float]]],
        end: int,
        hours: int,
        usual: dict[int, float],
        noise: dict[int, float],
    ) -> float:
        """Return by how much stretches of a week differ beyond the luck of who asked, a variance.

        A stretch is as long as the one that is judged, and its figure is what it has above what
        its own mix of kinds would bring.
        """
        stretches: dict[int, list[float]] = {}
        for hour, row in past.items():
            one = stretches.setdefault((end - 1 - hour) // hours, [0.0, 0.0, 0.0])
            for kind, (n, total, _) in row.items():
                if kind in usual:
                    one[0] += n
                    one[1] += total - n * usual[kind]
                    one[2] += n * noise[kind]
        some = [(s / n, v / n**2) for n, s, v in stretches.values() if n >= FEWEST / 2]
        if len(some) < 4:
            return 0.0
        return max(0.0, float(np.var([x for x, _ in some])) - sum(v for _, v in some) / len(some))

    def _figures(self, look: Look) -> tuple[list[int], npt.NDArray[np.float64]]:
        begin = look.now - TICK
        events = look.recent.between(begin, look.now)
        events = events.where(events.wanted & (events.items >= 0))
        if not len(events):
            return [], np.zeros(0)
        ranked, wanted, kinds = (
            self._asked(events)
            if self._ask is not None
            else self._shown(events, look.recent.slates)
        )
        if not ranked:
            return [], np.zeros(0)
        table, targets = Lists.of(ranked).padded(K), Lists.of(wanted)
        return kinds, ndcg(hits(table, targets), targets.lengths, K)

    def _shown(self, events: Happened, slates: Slates) -> tuple[list[Any], list[Any], list[int]]:
        """Return the slate before each moment at which a person wanted something, and that."""
        ranked: list[Any] = []
        wanted: list[Any] = []
        kinds: list[int] = []
        if not len(slates):
            return ranked, wanted, kinds
        places = np.argsort(slates.keys, kind="stable")
        place_of = np.searchsorted(slates.keys[places], events.slates).clip(max=len(slates) - 1)
        named = np.where(slates.keys[places[place_of]] == events.slates, places[place_of], -1)
        order = np.lexsort((slates.times, slates.users))
        users, times = slates.users[order], slates.times[order]
        answered: dict[tuple[int, int], tuple[int, int, list[int]]] = {}
        columns = (events.users, events.times, events.items, events.kinds, named)
        for user, time, item, kind, slate in zip(*(c.tolist() for c in columns), strict=True):
            if slate < 0:
                first, last = np.searchsorted(users, (user, user + 1))
                near = int(first + np.searchsorted(times[first:last], time, side="right")) - 1
                if near < first or time - times[near] > HORIZON:
                    continue
                slate = int(order[near])
            answered.setdefault((user, slate), (slate, kind, []))[2].append(item)
        for slate, kind, items in answered.values():
            kinds.append(kind)
            ranked.append(slates.items[slates.starts[slate] : slates.starts[slate + 1]][:K])
            wanted.append(sorted(set(items)))
            self._answering(slates.names[slates.snapshots[slate]], float(slates.times[slate]))
        return ranked, wanted, kinds

    def _asked(self, events: Happened) -> tuple[list[Any], list[Any], list[int]]:
        """Return the answers of the engine to a sample of moments, and what was wanted in them."""
        ranked: list[Any] = []
        wanted: list[Any] = []
        kinds: list[int] = []
        moments: dict[tuple[int, float], tuple[int, list[int]]] = {}
        columns = (events.users, events.times, events.items, events.kinds)
        for user, time, item, kind in zip(*(c.tolist() for c in columns), strict=True):
            moments.setdefault((user, time), (kind, []))[1].append(item)
        chosen = sorted(moments, key=lambda one: _hash(f"{one[0]} {one[1]:.6f}"))
        assert self._ask is not None
        for user, time in chosen[: self._config.replay]:
            answer = self._ask(user, time, K)
            if answer is None:
                continue
            snapshot, items = answer
            self._answering(snapshot, time)
            ranked.append(np.asarray(items, dtype=np.int64))
            kind, items_wanted = moments[user, time]
            wanted.append(sorted(set(items_wanted)))
            kinds.append(kind)
        return ranked, wanted, kinds

    def _answering(self, snapshot: str, time: float) -> None:
        if snapshot != self._snapshot and time >= self._since:
            self._before = self._snapshot
            self._snapshot, self._since = snapshot, time


def _sums(rows: Iterable[dict[int, list[float]]]) -> dict[int, list[float]]:
    out: dict[int, list[float]] = {}
    for row in rows:
        for kind, sums in row.items():
            out[kind] = [a + b for a, b in zip(out.get(kind, [0.0] * 3), sums, strict=True)]
    return out


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _deviations(p: float) -> float:
    """Return how many deviations a normal figure lies below its mean with probability `p`."""
    from statistics import NormalDist

    return -NormalDist().inv_cdf(p)


def _when(time: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")
