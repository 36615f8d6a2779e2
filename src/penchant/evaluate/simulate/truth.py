"""What the simulated viewers really want: the answer that a recommender should find.

The utility of a film is `keen * taste . facets + latent . latent + quality + sway * context`: the
first term can be read from text, the second only from what others watch. A film that is examined is
chosen with probability `sigmoid(STEEP * utility - COY)`, and the film at rank r of a list is
examined with probability `r ** -BLIND` (the position-based model: Craswell et al., An experimental
comparison of click position-bias models, WSDM 2008).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from penchant.evaluate.simulate.context import effects, numbers
from penchant.evaluate.simulate.shelf import KINDS, Facets, Reals
from penchant.evaluate.simulate.viewers import LATENT, Viewers
from penchant.types import InvalidInput

STEEP, COY = 1.4, 2.4
BLIND = 0.8

_TASTE, _HIDDEN, _QUALITY, _MOMENT = 1.2, 0.7, 0.5, 2.0


@dataclass(frozen=True)
class Truth:
    """The tastes behind a simulation, by position of viewer and film, or by id.

    `latent` float64[n_items, LATENT] and `quality` float64[n_items] belong to the films, `released`
    float64[n_items] is when each joined the shelf (seconds), `start` and `end` bound the period.
    """

    item_ids: tuple[str, ...]
    facets: Facets
    viewers: Viewers
    latent: Reals
    quality: Reals
    released: Reals
    start: float
    end: float

    @cached_property
    def item_number(self) -> dict[str, int]:
        """Return the position of each item id."""
        return {item_id: i for i, item_id in enumerate(self.item_ids)}

    @cached_property
    def user_number(self) -> dict[str, int]:
        """Return the position of each user id."""
        return {user_id: u for u, user_id in enumerate(self.viewers.ids)}

    @cached_property
    def readable(self) -> Reals:
        """Return float64[n_users, 2, n_items]: the part of utility that text tells of.

        It is centred, and as widely spread after a viewer's turn as before it.
        """
        raw = self.viewers.tastes @ self.facets.holds.T
        raw = raw - raw.mean(axis=2, keepdims=True)
        spread = np.maximum(raw.std(axis=2, keepdims=True), 1e-9)
        return np.asarray(_TASTE * self.viewers.keen[:, None, None] * raw / spread)

    @cached_property
    def hidden(self) -> Reals:
        """Return float64[n_users, n_items]: the part of utility that no text tells of."""
        return np.asarray(_HIDDEN * self.viewers.latent @ self.latent.T / np.sqrt(LATENT))

    @cached_property
    def swayed(self) -> Reals:
        """Return float64[n_values, n_items]: what each value of a context adds for a sway of 1."""
        genres = self.facets.of_kind("genre")
        names = tuple(self.facets.names[j][1] for j in genres)
        return _MOMENT * effects(names, self.facets.holds[:, genres])

    @cached_property
    def turned_at(self) -> Reals:
        """Return float64[n_users]: the second at which each viewer turns, inf for never."""
        return np.asarray(self.start + self.viewers.turned * (self.end - self.start))

    def matrix(self, time: float, context: Mapping[str, str] | None = None) -> Reals:
        """Return float64[n_users, n_items]: every viewer's utility of every film at a time."""
        turned = (self.turned_at <= time).astype(np.int64)
        readable = self.readable[np.arange(len(turned)), turned]
        moment = self.swayed[numbers(context or {})].sum(axis=0)
        return np.asarray(
            readable + self.hidden + self.quality + np.outer(self.viewers.sway, moment)
        )

    def utilities(self, user: int, time: float, context: Mapping[str, str] | None = None) -> Reals:
        """Return float64[n_items]: one row of `matrix`, without computing the others."""
        readable = self.readable[user, int(self.turned_at[user] <= time)]
        moment = self.swayed[numbers(context or {})].sum(axis=0)
        return np.asarray(
            readable + self.hidden[user] + self.quality + self.viewers.sway[user] * moment
        )

    def utility(
        self, user_id: str, item_id: str, time: float, context: Mapping[str, str] | None = None
    ) -> float:
        """Return how much a viewer wants a film at a time (seconds) and in a context."""
        item = _position(self.item_number, item_id, "item")
        return float(
            self.utilities(_position(self.user_number, user_id, "viewer"), time, context)[item]
        )

    def best(self, user_id: str, time: float, k: int = 10) -> list[str]:
        """Return the k films on the shelf that a viewer wants most at a time, best first."""
        wanted = self.utilities(_position(self.user_number, user_id, "viewer"), time)
        wanted = np.where(self.released <= time, wanted, -np.inf)
        return [self.item_ids[i] for i in np.argsort(-wanted, kind="stable")[:k]]

    def taste(self, user_id: str, time: float) -> dict[str, dict[str, float]]:
        """Return a viewer's weights at a time: kind of facet -> name -> weight, heaviest first."""
        user = _position(self.user_number, user_id, "viewer")
        weights = self.viewers.tastes[user, int(self.turned_at[user] <= time)]
        out: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
        for j in np.argsort(-weights, kind="stable"):
            if weights[j]:
                kind, name = self.facets.names[j]
                out[kind][name] = round(float(weights[j]), 3)
        return out

    def turn(self, user_id: str) -> tuple[str, str, float] | None:
        """Return the genres a viewer turns from and to, and when (seconds); None for never."""
        user = _position(self.user_number, user_id, "viewer")
        genres = self.viewers.turns[user]
        return None if genres is None else (*genres, float(self.turned_at[user]))


def attraction(utility: Reals) -> Reals:
    """Return the probability that a film of this utility is chosen once it is examined."""
    return np.asarray(1.0 / (1.0 + np.exp(COY - STEEP * utility)))


def examination(position: npt.NDArray[np.integer]) -> Reals:
    """Return the probability that the film at this position (1 is the first) is examined."""
    return np.asarray(np.asarray(position, dtype=np.float64) ** -BLIND)


def draw_truth(
    item_ids: tuple[str, ...],
    facets: Facets,
    viewers: Viewers,
    released: Reals,
    period: tuple[float, float],
    rng: np.random.Generator,
) -> Truth:
    """Return the truth with the traits of the films that no text tells of drawn at random."""
    return Truth(
        item_ids=item_ids,
        facets=facets,
        viewers=viewers,
        latent=rng.normal(size=(len(item_ids), LATENT)),
        quality=_QUALITY * rng.normal(size=len(item_ids)),
        released=released,
        start=period[0],
        end=period[1],
    )


def _position(numbered: Mapping[str, int], name: str, what: str) -> int:
    if name not in numbered:
        some = list(numbered)[:3]
        raise InvalidInput(
            f"expected a simulated {what}, got {name!r}; there are {some} and others"
        )
    return numbered[name]
