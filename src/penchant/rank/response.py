"""What a person will do with what is shown: the chance that they want it, and what it is worth.

Trees read the columns of the pool, and what the person's ratings say where there are any; the
chance is their logit z after calibration, sigma(slope z + start) (Platt, 1999), fitted on later
answers than they learned from. It changes no order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penchant.interests.state import State
from penchant.language.categories import Derived
from penchant.rank.scorers.ranker import FeatureMismatch
from penchant.rank.scorers.trees import Trees
from penchant.rank.worth import COLUMNS, Worth
from penchant.store.artefacts import Artefacts
from penchant.types import Candidates, Floats

FILE = "response"


@dataclass(frozen=True)
class Response:
    """`basis` says what the chance is of: that the item is wanted when it is "shown", "judged", or
    that it is among what is wanted "next". `names` are the columns that the trees read, and
    `value` what they add to `worth`."""

    basis: str
    names: tuple[str, ...]
    chance: Trees | None
    slope: float
    start: float
    value: Trees | None
    worth: Worth | None
    categories: Derived

    def __call__(self, shown: Candidates, state: State) -> tuple[Floats | None, Floats | None]:
        """Return the chance float32[n] of each candidate and its value float32[n], None for none.

        Raises FeatureMismatch where the candidates lack a column.
        """
        if not len(shown):
            return None, None
        rows = columns(self.names, shown, state, self.worth, self.categories)
        chance = value = None
        if self.chance is not None:
            logit = np.float64(self.slope) * self.chance.score(rows) + self.start
            chance = (1.0 / (1.0 + np.exp(-logit))).astype(np.float32)
        if self.worth is not None:
            value = self.worth.columns(state, shown.items, self.categories)[:, 0]
            if self.value is not None:
                value = value + self.value.score(rows)
        return chance, value

    @classmethod
    def load(cls, folder: Artefacts, categories: Derived) -> Response | None:
        """Return what a snapshot holds, None where it has none."""
        if not folder.has(f"{FILE}.json"):
            return None
        plan = folder.json(FILE)

        def trees(name: str) -> Trees | None:
            return Trees.read(folder.path(name)) if folder.has(name) else None

        return cls(
            plan["basis"],
            tuple(plan["names"]),
            trees(f"{FILE}.chance.txt"),
            float(plan["slope"]),
            float(plan["start"]),
            trees(f"{FILE}.value.txt"),
            Worth.load(folder),
            categories,
        )


def columns(
    names: Sequence[str], shown: Candidates, state: State, worth: Worth | None, kinds: Derived
) -> Floats:
    """Return float32[n, len(names)]: columns of candidates, and of what they are worth."""
    features, at = shown.features, {name: i for i, name in enumerate(shown.names)}
    if worth is not None:
        features = np.concatenate((features, worth.columns(state, shown.items, kinds)), axis=1)
        at |= {name: shown.features.shape[1] + i for i, name in enumerate(COLUMNS)}
    missing = [name for name in names if name not in at]
    if missing:
        raise FeatureMismatch(
            f"the snapshot's response expects columns {missing}, which this version does not "
            "compute; train again, or use the version that trained it"
        )
    chosen: Floats = features[:, [at[name] for name in names]]
    return chosen
