"""Following the answers: the weights of a score move with each answer to a slate.

A candidate's score is

    s_j = w_0 z_j + w_1 r_j + w_2 c_j + sum_i d_i h_i v_ji

where z is what the snapshot's scorer says (mean 0, spread 1 over the candidates), r the log of the
item's rate against the mean (`rates`), c what the context of the request adds to it (`contexts`; 0
where there is none), and the sum the terms of the first scorer (`affinity`) with what theta has
moved since the training. It begins at w = (1, 0, 0) and d = 0: what the snapshot says.

Each answer is one step of FTRL-Proximal against -log(exp s_answered / sum over the lines of the
slate exp s_j) (the multinomial logit of a choice; McFadden, 1974), at the features as they were
when the slate was shown. All lines count, also those below: with those above alone, whatever put
the answered line below them would always be found wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.rank.feedback.attribution import Answers
from penchant.rank.feedback.proximal import Proximal
from penchant.types import Floats, Ids, Times

# Columns of an impression: z, r and c as they were shown.
SAID, RATE, CONTEXT = "live:said", "live:rate", "live:context"
BEGUN = (1.0, 0.0, 0.0)
HOUR = 3600.0
KEPT = 1000  # hours whose weights are remembered, for questions about a moment that has passed
MOST = 200  # lines of a slate that are learned from, the first

Lines = tuple[tuple[str, ...], Floats]
Shown = Callable[[Sequence[str]], Mapping[str, Lines]]
Interest = Callable[[int, float], Floats | None]
Rows = Callable[[Ids], Floats]


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights at a moment: of what the scorer says, of the rate, of taste, float64[d], and of
    the context."""

    said: float = 1.0
    rate: float = 0.0
    taste: Floats | None = None
    context: float = 0.0


class Following:
    """The weights, and how they follow. One thread folds; any may read.

    `shown` gives names and features float32[n, f] of slates by id, as they were recorded; those of
    slates it does not know are passed over. `interest` gives h of a person at a time, float32[d],
    and `rows` v of items: without them taste stays what the snapshot says.
    """

    def __init__(
        self,
        rate: float,
        taste: float,
        shown: Shown,
        interest: Interest | None = None,
        rows: Rows | None = None,
        dimension: int = 0,
    ) -> None:
        self._shown, self._interest, self._rows = shown, interest, rows
        self._mix = Proximal(BEGUN, rate) if rate > 0 else None
        self._taste: Proximal | None = None
        if taste > 0 and dimension and interest is not None and rows is not None:
            self._taste = Proximal(np.zeros(dimension), taste)
        self.dimension = 0 if self._taste is None else dimension
        self.steps = 0
        self._until = float("-inf")
        # Replaced as one, so that a reader sees times and weights that belong together.
        self._known: tuple[Times, tuple[Weights, ...]] = (np.zeros(0), ())
        self._begun = Weights(
            taste=None if self._taste is None else np.zeros(dimension, dtype=np.float32)
        )
        self._now = self._begun

    def at(self, now: float) -> Weights:
        """Return the weights at `now`: those of the answers up to an hour before it, or fewer."""
        if now >= self._until:
            return self._now
        times, weights = self._known
        place = bisect_right(times, now)
        return weights[place - 1] if place else self._begun

    def fold(self, answers: Answers, wanted: np.ndarray) -> None:
        """Take a step for each of the answers that were `wanted`, bool[n], in their order."""
        if self._mix is None and self._taste is None:
            return
        chosen = np.flatnonzero(wanted).tolist()
        if not chosen:
            return
        found = self._shown(list({answers.slates[n].id: None for n in chosen}))
        for n in chosen:
            slate = answers.slates[n]
            if slate.id in found:
                self._step(
                    found[slate.id],
                    int(answers.places[n]),
                    np.array(slate.items, dtype=np.int32),
                    slate.user,
                    slate.time,
                    float(answers.times[n]),
                )

    def kept(self) -> dict[str, npt.NDArray[Any]]:
        """Return what `resume` takes up again."""
        times, weights = self._known
        out: dict[str, npt.NDArray[Any]] = {
            "steps": np.array([self.steps]),
            "until": np.array([self._until]),
            "times": times,
            "weights": np.array([[one.said, one.rate, one.context] for one in weights]).reshape(
                -1, 3
            ),
        }
        if self._mix is not None:
            out["mix"] = self._mix.kept()
        if self._taste is not None:
            out["taste"] = self._taste.kept()
            out["tastes"] = np.array([one.taste for one in weights], dtype=np.float32)
        return out

    def resume(self, kept: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from where another was, of the same rates and dimension."""
        self.steps, self._until = int(kept["steps"][0]), float(kept["until"][0])
        if self._mix is not None:
            self._mix.resume(kept["mix"])
        if self._taste is not None:
            self._taste.resume(kept["taste"])
        tastes = kept["tastes"] if self._taste is not None else [None] * len(kept["times"])
        self._known = (
            kept["times"],
            tuple(
                Weights(said, rate, taste, context)
                for (said, rate, context), taste in zip(
                    kept["weights"].tolist(), tastes, strict=True
                )
            ),
        )
        self._now = self._weighed() if self.steps else self._begun

    def _step(
        self, lines: Lines, place: int, items: Ids, user: int, shown: float, answered: float
    ) -> None:
        names, features = lines
        if SAID not in names or place >= MOST or len(items) < 2 or len(features) != len(items):
            return
        items, features = items[:MOST], features[:MOST]
        mixed = np.zeros((len(features), len(BEGUN)))
        for column, name in enumerate((SAID, RATE, CONTEXT)):
            if name in names:
                mixed[:, column] = features[:, names.index(name)]
        weights = np.array(BEGUN) if self._mix is None else self._mix.weights
        scores = mixed @ weights
        products = None
        if self._taste is not None and self._interest is not None and self._rows is not None:
            h = self._interest(user, shown) if user >= 0 else None
            if h is not None:
                products = np.nan_to_num(h * self._rows(items)).astype(np.float64)
                scores = scores + products @ self._taste.weights
        self._remember(answered)
        share = np.exp(scores - scores.max())
        share /= share.sum()
        if self._mix is not None:
            self._mix.follow(share @ mixed - mixed[place])
        if self._taste is not None and products is not None:
            self._taste.follow(share @ products - products[place])
        self.steps += 1
        self._now = self._weighed()

    def _weighed(self) -> Weights:
        return Weights(
            # Against what the scorer says is never for it: then it is silent.
            1.0 if self._mix is None else max(0.0, float(self._mix.weights[0])),
            0.0 if self._mix is None else max(0.0, float(self._mix.weights[1])),
            None if self._taste is None else self._taste.weights.astype(np.float32),
            0.0 if self._mix is None else max(0.0, float(self._mix.weights[2])),
        )

    def _remember(self, answered: float) -> None:
        """Keep the weights as they were before the first answer of an hour."""
        if answered <= self._until:
            return
        if np.floor(answered / HOUR) > np.floor(self._until / HOUR):
            times, weights = self._known
            # They hold from the last answer before on.
            begun = self._until
            self._known = (
                np.append(times, begun)[-KEPT:],
                (*weights, self._now)[-KEPT:],
            )
        self._until = answered
