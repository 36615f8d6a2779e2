"""What each person of an experiment was shown and did: sums by person, as a fold over both logs.

A person belongs to the variant they were first shown something under, whatever happens later
(intention to treat), and what they do counts from then on. Slates come before the events that
answer them; an event of somebody nobody has been shown anything yet waits a minute for the slate,
which may still be on its way to disk.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.experiment.effect import Figures, Reals
from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.kinds import Kinds, plain
from penchant.interests.history import NOT_HAD
from penchant.measure.diversity import HEAD, popularity_class
from penchant.rank.answer.experiments import Metric
from penchant.rank.answer.variants import Experiment, variants_of
from penchant.rank.feedback.attribution import Answers
from penchant.store.impressions import Shown
from penchant.store.log import Events

DAY = 86_400.0
AWAY, BACK = DAY, 7 * DAY  # seconds after the first slate between which doing anything is a return
PATIENCE = 60.0  # seconds in the time of the log that an event waits for somebody's first slate
ANSWERED = 200_000  # answered slates in memory, before those too old to be answered are dropped
_NOBODY = -1


class Ledger:
    """The sums of one experiment. `since` is from when it counts, after a stop was lifted."""

    def __init__(
        self, experiment: Experiment, kinds: Kinds, cleaning: CleaningConfig, since: float
    ) -> None:
        config = experiment.config
        self.experiment = experiment
        self.names = tuple(config.shares())
        self.metrics = config.counted
        self._kinds, self._cleaning = kinds, cleaning
        self._since = max(config.begins, since)
        self._start, self._end = config.begins, config.ends
        self._from = self._start - config.before * DAY
        self._arms: dict[str, int] = {}
        m = len(self.metrics)
        self._row = np.zeros(0, dtype=np.int32)
        self._active = np.zeros(0)
        self._before = np.zeros((m, 0))
        self._n = 0
        self._arm = np.zeros(0, dtype=np.int16)
        self._first, self._crossed = np.zeros(0), np.zeros(0, dtype=np.bool_)
        self._returned = np.zeros(0, dtype=np.bool_)
        self._tops, self._bottoms = np.zeros((m, 0)), np.zeros((m, 0))
        self._answered: dict[str, set[tuple[int, int]]] = {name: set() for name in self.metrics}
        self._counts = np.zeros(0, dtype=np.int64)
        self._head: npt.NDArray[np.bool_] | None = None
        self._waiting: list[Events] = []
        self._log_time = -math.inf

    def __len__(self) -> int:
        """Return how many people take part."""
        return self._n

    def fold(self, shown: Shown, events: Events, answers: Answers, oldest: int = 0) -> None:
        """Take in the next parts of both logs; `oldest` is the oldest slate still answered."""
        if len(shown):
            self._show(shown)
        if len(answers):
            self._answer(answers, oldest)
        if len(events) or self._waiting:
            self._do(events)

    def people(self) -> dict[str, int]:
        """Return how many people were shown something, by variant, the control first."""
        counts = np.bincount(self._arm[: self._n], minlength=len(self.names))
        return dict(zip(self.names, counts.tolist(), strict=True))

    def crossed(self) -> int:
        """Return how many people were shown slates of more than one variant."""
        return int(self._crossed[: self._n].sum())

    def figures(self, metric: str, variant: str, now: float) -> Figures:
        """Return what the people of a variant did by `now`, as a metric counts it."""
        m, config = list(self.metrics).index(metric), self.metrics[metric]
        rows = np.flatnonzero(self._arm[: self._n] == self.names.index(variant))
        users = np.flatnonzero(self._row >= 0)
        users = users[np.argsort(self._row[users])][rows]
        tops, bottoms = self._tops[m, rows], self._bottoms[m, rows]
        before = np.log1p(self._active[users])
        if config.counts == "return":
            # Whoever came less than a week ago may still return.
            known = self._first[rows] + BACK <= now
            tops, bottoms = (self._returned[rows] & known).astype(float), known.astype(float)
        elif config.of == "people":
            bottoms, before = np.ones(len(rows)), self._before[m, users]
            if config.counts == "any":
                tops, before = np.minimum(tops, 1.0), np.minimum(before, 1.0)
        return Figures(tops, bottoms, before)

    def _show(self, shown: Shown) -> None:
        arms = np.array([self._armed(mark) for mark in shown.variants], dtype=np.int16)
        take = np.flatnonzero((arms >= 0) & (shown.users >= 0) & (shown.times >= self._since))
        if not len(take):
            return
        users, times, arms = shown.users[take], shown.times[take], arms[take]
        self._know(int(users.max()) + 1)
        new, at = np.unique(users, return_index=True)
        at = at[self._row[new] < 0]
        self._enter(users[at], arms[at], times[at])
        rows = self._row[users]
        np.minimum.at(self._first, rows, times)
        np.logical_or.at(self._crossed, rows, self._arm[rows] != arms)
        self._come_back(rows, times)
        sizes = np.diff(shown.starts)[take].astype(np.float64)
        for m, metric in enumerate(self.metrics.values()):
            if metric.of == "slates":
                np.add.at(self._bottoms[m], rows, 1.0)
            elif metric.of == "items":
                np.add.at(self._bottoms[m], rows, sizes)

    def _answer(self, answers: Answers, oldest: int) -> None:
        slates = answers.slates
        arms = np.array([self._armed(slate.variant) for slate in slates], dtype=np.int16)
        # The person it was shown to: who answers for somebody else was not assigned.
        users = np.array([slate.user for slate in slates], dtype=np.int64)
        times = np.array([slate.time for slate in slates])
        take = np.flatnonzero((arms >= 0) & (users >= 0) & (times >= self._since))
        take = take[users[take] < len(self._row)]
        take = take[self._row[users[take]] >= 0]
        wanted = answers.strengths >= np.float32(self._kinds.config.wanted_from)
        names = [plain(kind) for kind in answers.kind_names]
        for m, (name, metric) in enumerate(self.metrics.items()):
            if metric.of not in ("slates", "items"):
                continue
            here = take[_of_kinds(metric, names, answers.kinds, wanted)[take]]
            if metric.counts == "any":
                places = answers.places[here] if metric.of == "items" else np.zeros(len(here), int)
                keys = list(zip(answers.numbers[here].tolist(), places.tolist(), strict=True))
                here = here[self._first_answers(name, keys, oldest)]
                amounts = np.ones(len(here))
            else:
                amounts = self._amounts(metric, names, answers.kinds, answers.values)[here]
            np.add.at(self._tops[m], self._row[users[here]], amounts)

    def _first_answers(
        self, name: str, keys: list[tuple[int, int]], oldest: int
    ) -> npt.NDArray[np.bool_]:
        known, fresh = self._answered[name], np.zeros(len(keys), dtype=np.bool_)
        for at, key in enumerate(keys):
            if key not in known:
                known.add(key)
                fresh[at] = True
        if len(known) > ANSWERED:
            self._answered[name] = {key for key in known if key[0] >= oldest}
        return fresh

    def _do(self, events: Events) -> None:
        if len(events):
            self._log_time = max(self._log_time, float(events.times.max()))
            self._know(int(events.users.max(initial=-1)) + 1)
            self._learn_before(events)
        waiting, self._waiting = self._waiting, []
        for part in (*waiting, *((events,) if len(events) else ())):
            rows = self._row[part.users]
            self._count(part, rows)
            later = (rows < 0) & (part.times >= self._log_time - PATIENCE)
            if later.any():
                self._waiting.append(_kept(part, later))

    def _learn_before(self, events: Events) -> None:
        """Take what people did before, and what was popular."""
        wanted = self._wanted(events)
        if self._head is None:
            first = float(self._first[: self._n].min(initial=math.inf))
            until = self._start if math.isfinite(self._start) else first
            early = wanted & (events.items >= 0) & (events.times < until)
            found = np.bincount(events.items[early])
            self._counts = _longer(self._counts, len(found))
            self._counts[: len(found)] += found
        within = (events.times >= self._from) & (events.times < self._start)
        if not math.isfinite(self._start) or not within.any():
            return
        np.add.at(self._active, events.users[within & wanted], 1.0)
        for m, mine, amounts in self._personal(events, wanted):
            chosen = mine & within
            np.add.at(self._before[m], events.users[chosen], amounts[chosen])

    def _count(self, events: Events, rows: npt.NDArray[np.int32]) -> None:
        at = np.flatnonzero((rows >= 0) & (events.times < self._end))
        at = at[events.times[at] >= self._first[rows[at]]]
        if not len(at):
            return
        if self._head is None:
            self._head = popularity_class(self._counts) == HEAD
        rows, wanted = rows[at], self._wanted(events)
        seen = {code for code, kind in enumerate(events.kind_names) if plain(kind) == NOT_HAD[0]}
        did = ~np.isin(events.kinds[at], list(seen))
        self._come_back(rows[did], events.times[at][did])
        for m, mine, amounts in self._personal(events, wanted):
            np.add.at(self._tops[m], rows, np.where(mine, amounts, 0.0)[at])
        taken = at[wanted[at] & (events.items[at] >= 0)]
        items, owners = events.items[taken], self._row[events.users[taken]]
        head = np.zeros(len(items), dtype=np.bool_)
        known = items < len(self._head)
        head[known] = self._head[items[known]]
        for m, metric in enumerate(self.metrics.values()):
            if metric.of == "taken":
                np.add.at(self._bottoms[m], owners, 1.0)
                np.add.at(self._tops[m], owners[~head], 1.0)

    def _personal(
        self, events: Events, wanted: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[int, npt.NDArray[np.bool_], Reals]]:
        """Yield each metric of people: its place, the events it counts, and how much each is."""
        names = [plain(kind) for kind in events.kind_names]
        for m, metric in enumerate(self.metrics.values()):
            if metric.of == "people" and metric.counts != "return":
                mine = _of_kinds(metric, names, events.kinds, wanted)
                yield m, mine, self._amounts(metric, names, events.kinds, events.values)

    def _amounts(
        self,
        metric: Metric,
        names: list[str],
        kinds: npt.NDArray[np.int16],
        values: npt.NDArray[np.float32],
    ) -> Reals:
        if metric.counts != "value":
            return np.ones(len(values))
        amounts = np.nan_to_num(values.astype(np.float64))
        if self._cleaning.on("value_normalised"):
            # Seconds and counts are stored as a share, by logarithm.
            for code, name in enumerate(names):
                unit = self._kinds.unit(name)
                if unit in ("seconds", "count"):
                    full = self._cleaning.seconds_full
                    if unit == "count":
                        full = self._cleaning.count_full
                    own = kinds == code
                    amounts[own] = np.expm1(amounts[own] * math.log1p(full))
        return amounts

    def _wanted(self, events: Events) -> npt.NDArray[np.bool_]:
        return self._kinds.wanted(events.kind_names, events.kinds, events.values)

    def _armed(self, mark: str) -> int:
        """Return the place of the variant that an impression was shown under, -1 for none."""
        arm = self._arms.get(mark)
        if arm is None:
            variant = variants_of(mark).get(self.experiment.name)
            arm = self.names.index(variant) if variant in self.names else _NOBODY
            self._arms[mark] = arm
        return arm

    def _come_back(self, rows: npt.NDArray[np.int32], times: Reals) -> None:
        after = times - self._first[rows]
        self._returned[rows[(after >= AWAY) & (after < BACK)]] = True

    def _know(self, users: int) -> None:
        """Have a place for as many people as have a number."""
        self._row = _longer(self._row, users, _NOBODY)
        self._active = _longer(self._active, users)
        self._before = _longer(self._before, users)

    def _enter(
        self, users: npt.NDArray[np.int32], arms: npt.NDArray[np.int16], times: Reals
    ) -> None:
        rows = np.arange(self._n, self._n + len(users))
        self._n += len(users)
        for name in ("_arm", "_first", "_crossed", "_returned", "_tops", "_bottoms"):
            setattr(self, name, _longer(getattr(self, name), self._n))
        self._row[users], self._arm[rows], self._first[rows] = rows, arms, times


def _of_kinds(
    metric: Metric,
    names: list[str],
    kinds: npt.NDArray[np.int16],
    wanted: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Return which events a metric counts, bool[n]."""
    if not metric.kinds:
        return wanted
    codes = [code for code, name in enumerate(names) if name in metric.kinds]
    return np.isin(kinds, codes)


def _kept(events: Events, which: npt.NDArray[np.bool_]) -> Events:
    """Return some of the events, without what no figure is made of."""
    columns = ("offsets", "users", "items", "times", "kinds", "values", "shared")
    return replace(
        events,
        texts=(),
        contexts=(),
        slates=(),
        **{name: getattr(events, name)[which] for name in columns},
    )


def _longer(column: Any, n: int, blank: int = 0) -> Any:
    """Return the column with room for at least `n` in its last dimension, doubling as it grows."""
    have = column.shape[-1]
    if have >= n:
        return column
    grown = np.full((*column.shape[:-1], max(n, 2 * have, 256)), blank, dtype=column.dtype)
    grown[..., :have] = column
    return grown
