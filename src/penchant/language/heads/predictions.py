"""What heads answer, as columns: position i of each is text i."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np

from penchant.types import Floats, Mask

Kind = Literal["class", "labels", "value", "relevance"]
UNKNOWN = "unknown"
RELEVANT, IRRELEVANT = "relevant", "irrelevant"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a head says of one text.

    `known` is whether the text is like those it learned from and the head sure enough; where it is
    not, `label` is "unknown". `probability` is that of the likeliest label, known or not. `labels`
    are all that apply, likeliest first. Of a value, `value` lies between `low` and `high` with the
    probability that it was learned for, and there is no label.
    """

    label: str
    known: bool
    probability: float = float("nan")
    labels: tuple[str, ...] = ()
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """The answers to n texts.

    `values` float32[n, m] are the probabilities of the m `names`; of a value they are the estimate
    and its bounds. `familiar` float32[n] is how sure it is that the text is one of those it knows,
    `known` bool[n] whether that is enough. `cuts` float32[m] are the probabilities from which a
    label applies, where several may.
    """

    kind: Kind
    names: tuple[str, ...]
    values: Floats
    familiar: Floats
    known: Mask
    cuts: Floats | None = None

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | Sequence[Prediction]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row, known = self.values[index], bool(self.known[index])
        if self.kind == "value":
            value, low, high = (float(x) for x in row)
            return Prediction("" if known else UNKNOWN, known, value=value, low=low, high=high)
        if self.kind == "relevance":
            yes = float(row[0])
            label = RELEVANT if yes >= 0.5 else IRRELEVANT
            return Prediction(label if known else UNKNOWN, known, yes, (label,) if known else ())
        order = np.argsort(-row, kind="stable")
        if self.kind == "class":
            labels = (self.names[order[0]],) if known else ()
        else:
            cuts = np.full(len(row), 0.5, np.float32) if self.cuts is None else self.cuts
            labels = tuple(self.names[i] for i in order if known and row[i] >= cuts[i])
        return Prediction(labels[0] if labels else UNKNOWN, known, float(row[order[0]]), labels)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def labels(self) -> list[str]:
        """The label of each text, "unknown" where the head is not sure."""
        return [one.label for one in self]
