"""A year of simulated visits: lists shown and clicked, searches, films watched and judged.

A visit is one of three: a list of films is shown (drawn from a logged policy that mixes popularity
with chance), the viewer searches in words, or the viewer comes for a film heard of elsewhere. The
policy knows nothing about the viewer; searches and word of mouth follow their utility.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from penchant.evaluate.simulate.context import DIMENSIONS, HOURS
from penchant.evaluate.simulate.shelf import Reals
from penchant.evaluate.simulate.truth import Truth, attraction, examination
from penchant.evaluate.simulate.words import Facet, review, search

DAY = 86_400.0
SLATE = 10
EXPLORE = 0.3
"""The share of the policy's choices that fall on any film alike."""

_ASKS = 0.56
_FADING = 0.5 ** (1 / 30)
_LAUNCH = 0.95
_EAGER = 1.6


@dataclass
class Rows:
    """What happened, as growing columns: `events` and `impressions` become frames at the end."""

    events: list[tuple[Any, ...]] = field(default_factory=list)
    impressions: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class Visit:
    """One visit: who (position), when (seconds), in what context, to browse, search or come."""

    user: int
    time: float
    context: Mapping[str, str]
    kind: Literal["browse", "search", "come"]


def plan_visits(truth: Truth, n: int, rng: np.random.Generator) -> list[Visit]:
    """Return n visits in order of time: lively viewers come often, all come when it suits them."""
    viewers = truth.viewers
    days = (truth.end - truth.start) / DAY
    active = viewers.visits * (1.0 - viewers.joined) * days / 365.0
    named = np.array(["name" in row for row in viewers.attributes])
    # The named viewers make the visits they are drawn with, whatever the size of the world.
    fixed = np.repeat(np.flatnonzero(named), np.ceil(active[named]).astype(np.int64))[:n]
    others = np.where(named, 0.0, active)
    if not others.any():
        others = active
    user = np.concatenate(
        [fixed, rng.choice(len(viewers), size=n - len(fixed), p=others / others.sum())]
    )
    day = viewers.joined[user] * days + rng.random(n) * (1.0 - viewers.joined[user]) * (days - 1.0)
    values = {name: _habitual(viewers.habits[name], user, rng) for name in DIMENSIONS}
    # The weekday decides on which day near the drawn one the visit falls.
    midnight = np.floor(truth.start / DAY) + np.floor(day)
    shift = (values["weekday"] - _weekday(midnight)) % 7
    latest = np.floor(truth.end / DAY) - 2.0
    earliest = np.ceil(truth.start / DAY + viewers.joined[user] * days)
    midnight += shift
    midnight = np.where(midnight > latest, midnight - 7, midnight)
    midnight = np.clip(midnight, np.minimum(earliest, latest), latest)
    parts = DIMENSIONS["daypart"]
    hour = np.array([rng.choice(HOURS[parts[v]]) for v in values["daypart"]])
    time = midnight * DAY + hour * 3600.0 + np.round(rng.random(n) * 3600.0, 3)
    values["weekday"] = _weekday(np.floor(time / DAY))
    browses = rng.random(n) < viewers.browses[user]
    asks = rng.random(n) < _ASKS
    return [
        Visit(
            int(user[i]),
            float(time[i]),
            {name: DIMENSIONS[name][int(values[name][i])] for name in DIMENSIONS},
            "browse" if browses[i] else "search" if asks[i] else "come",
        )
        for i in np.argsort(time, kind="stable")
    ]


def walk(truth: Truth, visits: list[Visit], rng: np.random.Generator) -> Rows:
    """Return everything that happens in the visits, one after the other."""
    rows = Rows()
    shelf = Shelf(truth, rng)
    busy = np.zeros(len(truth.viewers))
    for number, visit in enumerate(visits):
        if visit.time < busy[visit.user]:
            continue  # still watching
        shelf.advance(visit.time)
        wanted = truth.utilities(visit.user, visit.time, visit.context)
        free = shelf.free(visit.user, visit.time)
        if len(free) < SLATE:
            continue
        told = json.dumps(visit.context)
        actor = Actor(truth, visit, wanted, told, rows, rng)
        if visit.kind == "browse":
            chosen = actor.browse(f"slate-{number:06d}", free, shelf.weights(free))
        else:
            chosen = actor.seek(free, asks=visit.kind == "search")
        shelf.take(visit.user, chosen)
        busy[visit.user] = actor.until
    return rows


class Shelf:
    """What can be shown, and how popular it is, while time goes on."""

    def __init__(self, truth: Truth, rng: np.random.Generator) -> None:
        self._released = truth.released
        self._taken = np.zeros((len(truth.viewers), len(truth.item_ids)), dtype=np.bool_)
        self._popular = np.exp(2.4 * truth.quality + 0.5 * rng.normal(size=len(truth.item_ids)))
        self._base = 0.2 * self._popular
        self._day = int(truth.start // DAY)

    def advance(self, time: float) -> None:
        """Let popularity fade day by day, and give new films the attention of their launch."""
        for day in range(self._day + 1, int(time // DAY) + 1):
            self._popular = np.maximum(self._popular * _FADING, self._base)
            new = (self._released > (day - 1) * DAY) & (self._released <= day * DAY)
            self._popular[new] += np.quantile(self._popular, _LAUNCH)
            self._day = day

    def free(self, user: int, time: float) -> npt.NDArray[np.int64]:
        """Return the films on the shelf at a time that a viewer has not chosen yet."""
        return np.flatnonzero((self._released <= time) & ~self._taken[user])

    def weights(self, free: npt.NDArray[np.int64]) -> Reals:
        """Return the probabilities of the policy's first choice: popularity mixed with chance."""
        # Sharper than popularity itself: what is popular is shown first, and becomes more so.
        popular = self._popular[free] ** 1.5
        return np.asarray((1.0 - EXPLORE) * popular / popular.sum() + EXPLORE / len(free))

    def take(self, user: int, chosen: list[int]) -> None:
        """Note that a viewer has chosen films: they are not shown again, and gain popularity."""
        self._taken[user, chosen] = True
        self._popular[chosen] += 1.0


class Actor:
    """One viewer during one visit; what they do is appended to the rows."""

    def __init__(
        self,
        truth: Truth,
        visit: Visit,
        wanted: Reals,
        told: str,
        rows: Rows,
        rng: np.random.Generator,
    ) -> None:
        self._truth, self._visit, self._wanted = truth, visit, wanted
        self._told, self._rows, self._rng = told, rows, rng
        self._user_id = truth.viewers.ids[visit.user]
        self._time = visit.time

    @property
    def until(self) -> float:
        """Return when the viewer is done with what they have done so far, in seconds."""
        return self._time

    def browse(self, slate_id: str, free: npt.NDArray[np.int64], weights: Reals) -> list[int]:
        """Return what the viewer chooses from a list drawn one film after another, unreplaced.

        The logged propensity of a film is its probability given the films above it.
        """
        rng = self._rng
        # Gumbel noise on log weights draws without replacement (Kool et al., ICML 2019).
        noisy = np.log(weights) + rng.gumbel(size=len(free))
        top = np.argpartition(-noisy, SLATE - 1)[:SLATE]
        top = top[np.argsort(-noisy[top])]
        above = np.concatenate([[0.0], np.cumsum(weights[top])[:-1]])
        propensity = weights[top] / (weights.sum() - above)
        shown, wanted = free[top], self._wanted[free[top]]
        position = np.arange(1, SLATE + 1)
        examined = rng.random(SLATE) < examination(position)
        liked = rng.random(SLATE) < attraction(wanted)
        clicked = examined & liked
        told = (slate_id, self._user_id, self._visit.time, self._told, len(free))
        self._rows.impressions.extend(
            (*told, self._truth.item_ids[i], r, p, c)
            for i, r, p, c in zip(
                shown.tolist(),
                position.tolist(),
                propensity.tolist(),
                clicked.tolist(),
                strict=True,
            )
        )
        passed = examined & ~liked & (wanted < -0.5) & (rng.random(SLATE) < 0.15)
        for i in np.flatnonzero(clicked | passed):
            self._time = max(self._time, self._visit.time + 12.0 * float(position[i]))
            if clicked[i]:
                self._choose(int(shown[i]), slate_id)
            else:
                self._tell(int(shown[i]), "skip", slate_id=slate_id)
        return [int(i) for i in shown[clicked]]

    def seek(self, free: npt.NDArray[np.int64], *, asks: bool) -> list[int]:
        """Return the film that the viewer comes for, found by searching if the viewer `asks`."""
        wish = _EAGER * self._wanted[free]
        likely = np.exp(wish - wish.max())
        item = int(free[self._rng.choice(len(free), p=likely / likely.sum())])
        if asks:
            liked = self._moving(item, best=True) or self._facets(item)
            self._tell(
                None, "search", text=search(liked[: 1 + int(self._rng.random() < 0.4)], self._rng)
            )
            self._time += 20.0
        self._choose(item, None)
        return [item]

    def _choose(self, item: int, slate_id: str | None) -> None:
        """Click, watch for as long as it pleases, and perhaps judge."""
        rng = self._rng
        self._tell(item, "click", slate_id=slate_id)
        felt = float(self._wanted[item]) + 0.5 * rng.normal()
        if rng.random() > 0.85:
            return
        share = 1.0 / (1.0 + np.exp(-1.3 * felt - 0.8 - 0.6 * rng.normal()))
        share = 1.0 if share > 0.93 else round(float(max(share, 0.02)), 3)
        self._time += 30.0 + 6000.0 * share
        self._tell(item, "watch", value=share, slate_id=slate_id)
        stars = int(np.clip(round(3.0 + 0.7 * felt + 0.5 * rng.normal()), 1, 5))
        self._time += 60.0
        judgement = rng.random()
        if judgement < 0.12:
            moved = self._moving(item, best=stars >= 3)
            text = review(moved, stars, rng)
            self._tell(item, "review", value=float(stars), text=text, slate_id=slate_id)
        elif judgement < 0.42:
            self._tell(item, "rating", value=float(stars), slate_id=slate_id)
        elif felt > 1.2 and judgement < 0.7:
            self._tell(item, "like", slate_id=slate_id)
        elif felt < 0.2 and judgement < 0.85:
            self._tell(item, "dislike", slate_id=slate_id)

    def _tell(
        self,
        item: int | None,
        event: str,
        value: float | None = None,
        text: str | None = None,
        slate_id: str | None = None,
    ) -> None:
        item_id = None if item is None else self._truth.item_ids[item]
        self._rows.events.append(
            (self._user_id, item_id, event, self._time, value, slate_id, text, self._told)
        )
        self._time += 1.0

    def _facets(self, item: int) -> list[Facet]:
        held = np.flatnonzero(self._truth.facets.holds[item])
        return [self._truth.facets.names[j] for j in held]

    def _moving(self, item: int, *, best: bool) -> list[Facet]:
        """Return what about a film moves the viewer most, for (`best`) or against it."""
        after = int(self._truth.turned_at[self._visit.user] <= self._visit.time)
        weights = self._truth.viewers.tastes[self._visit.user, after]
        pull = (weights if best else -weights) * self._truth.facets.holds[item]
        order = np.argsort(-pull, kind="stable")[:3]
        return [self._truth.facets.names[j] for j in order if pull[j] > 0.2]


def _habitual(
    habits: Reals, user: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return one value of a dimension for each visit, drawn from its viewer's habits."""
    edges = np.cumsum(habits, axis=1)[user]
    drawn = (rng.random(len(user))[:, None] > edges).sum(axis=1)
    return np.asarray(np.minimum(drawn, habits.shape[1] - 1), dtype=np.int64)


def _weekday(day: Reals) -> npt.NDArray[np.int64]:
    """Return 0 for Monday to 6 for Sunday of days since the epoch, which was a Thursday."""
    return np.asarray((np.floor(day).astype(np.int64) + 3) % 7)
