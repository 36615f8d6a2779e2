"""Learning the response: how likely people want what is shown to them, and what it is worth.

From exposures where the log has any: what was judged, or shown and taken or not. Where it has none,
from the requests of the window: the chance is then that an item is among what is wanted next. What
does not beat the plain rate, or the mean, on the newest part of the window is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from penchant.learn.config import LearnConfig
from penchant.learn.response import trees, worth
from penchant.learn.response.asking import Answered, Told, ask
from penchant.learn.response.exposures import LEAST, Exposures, Valued
from penchant.learn.scorer.choice import LATE
from penchant.learn.scorer.rows import Rows
from penchant.learn.view import View
from penchant.learn.window import Window
from penchant.rank.response import FILE
from penchant.rank.worth import Worth
from penchant.store.artefacts import Artefacts
from penchant.types import Seen

LEARNED, CALIBRATED = 0.6, 0.8  # the ends of the first and of the second stretch
MOMENTS = 4_000  # that are asked about
AMONG = ("_rank", "_gap")  # columns of sources that say how an item stands among others
OTHERS = 0.2  # of the candidates that were not wanted next, what is learned from


@dataclass(frozen=True)
class Learned:
    """What serves, and what was measured of it as plain JSON; nothing where `basis` is empty."""

    basis: str = ""
    names: tuple[str, ...] = ()
    chance: Any = None
    slope: float = 1.0
    start: float = 0.0
    value: Any = None
    worth: Worth | None = None
    measured: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Artefacts) -> None:
        """Write what serves into a snapshot."""
        if not self.basis and self.worth is None:
            return
        plan = {"basis": self.basis, "names": self.names, "slope": self.slope, "start": self.start}
        folder.write_json(FILE, plan)
        for name, grown in (("chance", self.chance), ("value", self.value)):
            if grown is not None:
                grown.save_model(str(folder.path(f"{FILE}.{name}.txt")))
        if self.worth is not None:
            self.worth.save(folder)


def learn(
    view: View,
    window: Window,
    rows: Rows,
    hidden: Collection[str],
    config: LearnConfig,
    seen: Seen = "hide",
) -> Learned:
    """Return what the window teaches; `rows` are its requests, `hidden` columns not to read."""
    hidden = {*hidden, *(name for name in rows.names if name.endswith(AMONG))}
    run = {**trees.PARAMETERS, "seed": config.seed, "num_threads": config.threads}
    valued, seed = view.valued, config.seed
    early = None if valued is None else _worth(valued, view, window.begin, seed)
    found = Learned()
    if view.exposures is not None:
        told = Told(valued)
        answered = ask(
            view.exposures, view, window, told, early, most=MOMENTS, seed=seed, seen=seen
        )
        found = _exposed(answered, view.exposures, hidden, run)
    if not found.basis and view.exposures is None:
        found = _next(rows, hidden, run)
    if valued is None or early is None:
        return found
    # Where trees were better than it, they read it; otherwise it speaks for itself.
    measured = {"value_of": valued.kind, **found.measured}
    return replace(found, worth=_worth(valued, view, np.inf, seed), measured=measured)


def _exposed(
    answered: Answered, exposures: Exposures, hidden: Collection[str], run: dict[str, Any]
) -> Learned:
    place = answered.place
    parts = _stretches(len(place))
    wanted, values = exposures.wanted[place], exposures.values[place]
    if any(min(wanted[part].sum(), (~wanted[part]).sum()) < LEAST / 10 for part in parts):
        return Learned()
    names = tuple(name for name in answered.names if name not in hidden)
    rows = answered.rows[:, [answered.names.index(name) for name in names]]
    grown, slope, start, measured = trees.chance(rows, wanted, names, parts, run)
    value = None
    if exposures.basis == "judged":
        value, more = trees.value(rows, values, names, parts, run)
        measured |= more
    measured = {"basis": exposures.basis, **measured}
    return Learned(exposures.basis, names, grown, slope, start, value, measured=measured)


def _next(rows: Rows, hidden: Collection[str], run: dict[str, Any]) -> Learned:
    """Return the chance of being among what is wanted next, of the candidates of requests."""
    names = tuple(name for name in rows.names if name not in hidden)
    early, late = rows.split(LATE)
    ends = [len(part.items) for part in late.split(0.5)]
    n = len(early.items)
    parts = (slice(0, n), slice(n, n + ends[0]), slice(n + ends[0], n + sum(ends)))
    if any(min(rows.wanted[p].sum(), (~rows.wanted[p]).sum()) < LEAST / 10 for p in parts):
        return Learned()
    # Whole pools are kept where it is calibrated and measured; the rate is theirs.
    kept = np.ones(len(rows.items), dtype=np.bool_)
    thin = np.random.default_rng(run["seed"]).random(n) < OTHERS
    kept[:n] = rows.wanted[:n] | thin
    gone = n - int(kept[:n].sum())
    _, second, third = (slice(p.start - gone, p.stop - gone) for p in parts)
    parts = (slice(0, n - gone), second, third)
    columns = np.array([rows.names.index(name) for name in names])
    table = rows.features[np.ix_(np.flatnonzero(kept), columns)]
    grown, slope, start, measured = trees.chance(table, rows.wanted[kept], names, parts, run)
    return Learned("next", names, grown, slope, start, measured={"basis": "next", **measured})


def _worth(valued: Valued, view: View, begin: float, seed: int) -> Worth | None:
    """Return what events before `begin` say items are worth, None where too few say anything."""
    known = valued.times < begin
    if known.sum() < LEAST:
        return None
    users, items, values = valued.users[known], valued.items[known], valued.values[known]
    return worth.learn(valued.kind, users, items, values, view.n_items, seed)


def _stretches(n: int) -> trees.Parts:
    a, b = round(LEARNED * n), round(CALIBRATED * n)
    return slice(0, a), slice(a, b), slice(b, n)
