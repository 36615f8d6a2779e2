"""Who takes part in an evaluation: the baselines, tuned, and whatever else can be started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from penchant.evaluate.baselines.baseline import Baseline
from penchant.evaluate.baselines.decayed import Decayed
from penchant.evaluate.baselines.ease import Ease
from penchant.evaluate.baselines.ials import IALS
from penchant.evaluate.baselines.item_knn import ItemKNN
from penchant.evaluate.baselines.popular import Popular
from penchant.evaluate.informed import Informed
from penchant.evaluate.plan import Plan
from penchant.evaluate.system import System
from penchant.evaluate.tuning import GRIDS, Settings, tune

EASE_LIMIT = 15_000  # items; above it the closed form takes more memory than a small machine has


@dataclass(frozen=True, slots=True)
class Entrant:
    """A system by name; `start` gives it in the state of the cut, told nothing since.

    What it opens is closed after the walk.
    """

    name: str
    start: Callable[[], AbstractContextManager[System]]
    settings: Mapping[str, Any] = field(default_factory=dict)


def baselines(
    plan: Plan,
    *,
    met: pl.DataFrame | None = None,
    tuned: bool = True,
    budget: float = 120.0,
    k: int = 10,
) -> Iterator[Entrant]:
    """Yield the baselines of a plan: popular, 7-day decayed, ItemKNN, iALS, EASE where it fits.

    Those with settings are tuned within the plan's training time, `budget` seconds each. What
    users `met` besides (user_id, item_id, timestamp in seconds) is left out of their answers.
    """
    makes: list[Callable[..., Baseline]] = [Popular, Decayed, ItemKNN, IALS]
    if plan.train["item_id"].n_unique() <= EASE_LIMIT:
        makes.append(Ease)
    for make in makes:
        settings: Mapping[str, Any] = {}
        if tuned and make in GRIDS:
            settings = tune(
                make, GRIDS[make], plan.train, arm=plan.arm, k=k, budget=budget, seed=plan.seed
            ).settings
        name = make(**settings).name

        def start(
            make: Callable[..., Baseline] = make, chosen: Settings = settings
        ) -> AbstractContextManager[System]:
            system = make(**chosen).fit(plan.train)
            return nullcontext(system if met is None else Informed(system, met))

        yield Entrant(name, start, settings)
