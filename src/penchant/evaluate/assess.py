"""Running an evaluation: every entrant through the same plans, figures into one report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.evaluate.entrants import Entrant
from penchant.evaluate.plan import Plan
from penchant.evaluate.replay import Freshness, Walk, prequential, walk
from penchant.evaluate.report import Curve, Row, Table
from penchant.evaluate.score import Scored, compare, score, sliding
from penchant.evaluate.system import System

Progress = Callable[[str, int, int], None]
ARMS = {
    "next": (
        "Next visit",
        "A list is asked for before everything a user does at one moment, and everything of that "
        "moment they did not have is wanted.",
    ),
    "cart": (
        "Cart",
        "A basket is completed item by item: a list is asked for after each item, and the next "
        "one is wanted.",
    ),
}
FRESHNESS: dict[Freshness, str] = {
    "frozen": "frozen at the cut",
    "daily": "told every midnight",
    "session": "told after each session",
    "event": "told after each event",
}


def contest(
    plan: Plan,
    entrants: Iterable[Entrant],
    subject: str,
    *,
    k: int = 10,
    vectors: npt.NDArray[np.floating] | None = None,
    parts: Callable[[], Mapping[str, Walk]] | None = None,
    walks: dict[str, Walk] | None = None,
    progress: Progress | None = None,
) -> Table:
    """Return the table of one plan: the subject, rivals from best to worst, the subject's parts.

    `parts` is asked after all walks for lists that came up beside them: those of the subject's
    single sources. One that never answered is left out. `vectors` float[n, d] by item number add
    diversity within lists. `walks` is filled with every answer, by name.
    """
    scored: dict[str, Scored] = {}
    settings: dict[str, Mapping[str, Any]] = {}
    for entrant in entrants:
        with entrant.start() as system:
            done = walk(system, plan, k, _named(progress, entrant.name))
        if walks is not None:
            walks[entrant.name] = done
        scored[entrant.name] = score(plan, done, k, vectors)
        settings[entrant.name] = entrant.settings
    rivals = set(scored)
    for name, done in (parts() if parts is not None else {}).items():
        if (done.ranked >= 0).any():
            scored[name] = score(plan, done, k, vectors)
    main = f"NDCG@{k}"
    order = sorted(
        scored,
        key=lambda name: (name != subject, name not in rivals, -scored[name].metrics[main].mean),
    )
    name, explanation = ARMS[plan.arm]
    return Table(
        name=name,
        kind="systems",
        explanation=explanation,
        requests=len(plan.requests),
        rows=tuple(
            replace(
                _row(one, scored[one], settings.get(one, {})),
                part=one not in rivals,
                lead=compare(plan, scored[subject], scored[one])
                if subject in scored and one != subject
                else None,
            )
            for one in order
        ),
        curves=_curves(plan, {one: scored[one] for one in order if one in rivals}),
    )


def freshness(
    plan: Plan,
    fresh: Callable[[Freshness], AbstractContextManager[System]],
    *,
    k: int = 10,
    vectors: npt.NDArray[np.floating] | None = None,
    given: Mapping[Freshness, Walk] | None = None,
    progress: Progress | None = None,
) -> Table:
    """Return the table of the four freshness arms, from the freshest to the stalest.

    `fresh(arm)` gives the subject in the state of the cut, with the same weights for every arm;
    arms in `given` were walked already.
    """

    def report(arm: Freshness, done: int, total: int) -> None:
        if progress is not None:
            progress(FRESHNESS[arm], done, total)

    walks = prequential(fresh, plan, k, given, report)
    scored = {FRESHNESS[arm]: score(plan, walks[arm], k, vectors) for arm in reversed(walks)}
    live = FRESHNESS["event"]
    return Table(
        name="Freshness",
        kind="freshness",
        explanation="The same weights four times. Only when the engine hears of what happened "
        "differs; what a user already had is left out in all four.",
        requests=len(plan.requests),
        rows=tuple(
            replace(
                _row(name, one, {}),
                lead=None if name == live else compare(plan, scored[live], one),
            )
            for name, one in scored.items()
        ),
        curves=_curves(plan, scored),
    )


def facts(plan: Plan) -> dict[str, Any]:
    """Return the size of the data behind a plan, for the head of a report."""
    found: dict[str, Any] = {
        "users": len(plan.users),
        "items": len(plan.items),
        "training events": len(plan.split.train),
        "events after the cut": len(plan.split.test),
    }
    if plan.split.cut is not None:
        found["cut"] = str(np.datetime64(int(plan.split.cut), "s")).replace("T", " ") + " UTC"
    return found


def _row(name: str, scored: Scored, settings: Mapping[str, Any]) -> Row:
    return Row(
        system=name,
        metrics=scored.metrics,
        slices=scored.slices,
        coverage=scored.coverage,
        gini=scored.gini,
        milliseconds=scored.milliseconds,
        settings=settings,
    )


def _curves(plan: Plan, scored: Mapping[str, Scored]) -> tuple[Curve, ...]:
    return tuple(Curve(name, *sliding(plan, one.gains)) for name, one in scored.items())


def _named(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(name, done, total)
