"""Simulated viewers: what each one likes, when that changes, and how they watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from penchant.evaluate.simulate.context import DIMENSIONS
from penchant.evaluate.simulate.portraits import PORTRAITS, Portrait, Taste
from penchant.evaluate.simulate.shelf import Facets, Reals

LATENT = 4
"""How many traits a film and a viewer have that no text tells of."""

Drift = Literal["any", "latent"]
"""To which tastes viewers turn: to any, or to one that was in them all along, if faintly."""

_TURNING = 0.25
# How much less than later somebody acts on what they will turn to, and how near it is to the rest.
_FAINT, _NEAR = 0.35, 4.0
_LATE = 0.3
_AGES = ("18-34", "35-54", "55+")
# A portrait has to be recognised in ten lines of a terminal.
_PORTRAYED, _LOOKING = 1.7, 0.3
_GONE = ("Czechoslovakia", "Soviet Union")
_USUAL: dict[str, tuple[float, ...]] = {
    "device": (0.5, 0.2, 0.1, 0.2),
    "daypart": (0.08, 0.2, 0.5, 0.22),
    "weekday": (0.1, 0.1, 0.12, 0.13, 0.18, 0.2, 0.17),
    "company": (0.5, 0.25, 0.15, 0.1),
}


@dataclass(frozen=True)
class Viewers:
    """Simulated viewers as columns: position u of each array is viewer `ids[u]`.

    `tastes` float64[n, 2, n_facets] are the weights before and after the turn, the same ones where
    nobody turns; `turned` float64[n] is when, as a share of the period, inf for never, and
    `turns` names the genres turned from and to. `keen` float64[n] is how much taste decides beside
    all else, `latent` float64[n, LATENT] what no text tells of, `sway` float64[n] how much the
    context moves them. They come from `joined` on (a share of the period), make `visits` a year,
    of which the share `browses` looks at a list that is shown, and `habits` maps a dimension to
    float64[n, n_values], how probable each value is.
    """

    ids: tuple[str, ...]
    attributes: tuple[dict[str, Any], ...]
    tastes: Reals
    turned: Reals
    turns: tuple[tuple[str, str] | None, ...]
    keen: Reals
    latent: Reals
    joined: Reals
    visits: Reals
    browses: Reals
    sway: Reals
    habits: dict[str, Reals]

    def __len__(self) -> int:
        return len(self.ids)


def draw_viewers(n: int, shelf: Facets, rng: np.random.Generator, drift: Drift = "any") -> Viewers:
    """Return n viewers: the named ones first, the others drawn around films of the shelf."""
    near = _affinity(shelf) if drift == "latent" else None
    named = PORTRAITS[:n]
    tastes = np.zeros((n, 2, len(shelf.names)))
    turned = np.full(n, np.inf)
    turns: list[tuple[str, str] | None] = [None] * n
    joined = np.where(rng.random(n) < _LATE, rng.uniform(0.0, 0.9, n), 0.0)
    for u in range(n):
        if u < len(named):
            tastes[u], turned[u], turns[u] = _as_portrayed(named[u], shelf)
        else:
            tastes[u], turned[u], turns[u] = _drawn(shelf, rng, near)
            if np.isfinite(turned[u]):
                joined[u] = 0.0
    joined[: len(named)] = [portrait.joined for portrait in named]
    visits = rng.lognormal(3.3, 0.6, n)
    visits[: len(named)] = [portrait.visits for portrait in named]
    keen = rng.lognormal(0.0, 0.2, n)
    keen[: len(named)] = _PORTRAYED
    browses = rng.beta(6.8, 3.2, n)
    browses[: len(named)] = _LOOKING
    return Viewers(
        ids=(*(p.user_id for p in named), *(f"viewer-{u:03d}" for u in range(len(named), n))),
        attributes=_attributes(tastes, named, shelf, rng),
        tastes=tastes,
        turned=turned,
        turns=tuple(turns),
        keen=keen,
        latent=rng.normal(size=(n, LATENT)),
        joined=joined,
        visits=visits,
        browses=browses,
        sway=rng.uniform(0.5, 1.5, n),
        habits={name: _habit(name, n, named, rng) for name in DIMENSIONS},
    )


def _as_portrayed(portrait: Portrait, shelf: Facets) -> tuple[Reals, float, tuple[str, str] | None]:
    before = _weights(portrait.likes, shelf)
    if portrait.turn is None:
        return np.stack([before, before]), np.inf, None
    genres = [_favourite(taste) for taste in (portrait.likes, portrait.turn)]
    after = _weights(portrait.turn, shelf)
    return np.stack([before, after]), portrait.turned, (genres[0], genres[1])


def _weights(taste: Taste, shelf: Facets) -> Reals:
    out = np.zeros(len(shelf.names))
    for facet, weight in taste.items():
        out[shelf.column[facet]] = weight
    return out


def _favourite(taste: Taste) -> str:
    genres = {name: weight for (kind, name), weight in taste.items() if kind == "genre"}
    return max(genres, key=lambda name: genres[name])


def _affinity(shelf: Facets) -> Reals:
    """Return float64[n_genres, n_genres]: how alike genres are by the themes of their films."""
    films = shelf.holds[:, shelf.of_kind("genre")]
    themes = films.T @ shelf.holds[:, shelf.of_kind("theme")]
    themes /= np.maximum(films.sum(axis=0)[:, None], 1.0)
    themes /= np.maximum(np.linalg.norm(themes, axis=1, keepdims=True), 1e-9)
    return np.asarray(themes @ themes.T)


def _drawn(
    shelf: Facets, rng: np.random.Generator, near: Reals | None = None
) -> tuple[Reals, float, tuple[str, str] | None]:
    """Return the weights before and after, the time of the turn, and what it is from and to.

    With `near` (how alike genres are) whoever turns does so to a genre like the one they love, and
    was faintly inclined to it before.
    """
    genres = shelf.of_kind("genre")
    # By the root of their number of films: drama is everywhere, space opera is somebody's all.
    spread = np.sqrt(shelf.holds[:, genres].sum(axis=0))
    first, second, other, disliked = rng.choice(
        genres, size=4, replace=False, p=spread / spread.sum()
    )
    lasting = np.zeros(len(shelf.names))
    lasting[second] = 1.0
    lasting[disliked] = -1.2
    lasting += _period(shelf, rng)
    before = lasting + _devotion(int(first), shelf, rng)
    if rng.random() >= _TURNING:
        return np.stack([before, before]), np.inf, None
    if near is not None:
        likely = spread * np.exp(_NEAR * near[np.flatnonzero(genres == first)[0]])
        likely[np.isin(genres, (first, second, disliked))] = 0.0
        other = rng.choice(genres, p=likely / likely.sum())
    devotion = _devotion(int(other), shelf, rng)
    if near is not None:
        before = before + _FAINT * devotion
    after = lasting + devotion
    names = (shelf.names[first][1], shelf.names[other][1])
    return np.stack([before, after]), float(rng.uniform(0.35, 0.85)), names


def _devotion(genre: int, shelf: Facets, rng: np.random.Generator) -> Reals:
    """Return the weights of somebody devoted to a genre, with the themes of some films of it."""
    out = np.zeros(len(shelf.names))
    out[genre] = 1.8
    films = np.flatnonzero(shelf.holds[:, genre])
    anchors = rng.choice(films, size=min(3, len(films)), replace=False)
    for kind, weight in (("theme", 0.6), ("director", 0.9), ("country", 0.4)):
        columns = shelf.of_kind(kind)
        held = columns[shelf.holds[anchors][:, columns].any(axis=0)]
        out[held[rng.random(len(held)) < 0.7]] = weight
    return out


def _period(shelf: Facets, rng: np.random.Generator) -> Reals:
    """Return weights that favour films of one time over all others."""
    out = np.zeros(len(shelf.names))
    columns = shelf.of_kind("decade")
    years = np.array([int(shelf.names[j][1][:4]) for j in columns])
    counts = shelf.holds[:, columns].sum(axis=0)
    centre = rng.choice(years, p=counts / counts.sum())
    out[columns] = rng.uniform(0.3, 1.0) * np.exp(-(((years - centre) / 15.0) ** 2))
    return out


def _habit(name: str, n: int, named: Sequence[Portrait], rng: np.random.Generator) -> Reals:
    """Return float64[n, n_values]: how usual each value of a dimension is for each viewer."""
    values = DIMENSIONS[name]
    # Weekdays are much the same for everybody; how one watches is one's own.
    firmness = 40.0 if name == "weekday" else 3.0
    out = rng.dirichlet(firmness * np.array(_USUAL[name]), size=n)
    for u, portrait in enumerate(named):
        if name in portrait.habits:
            out[u] = 0.3 / (len(values) - 1)
            out[u, values.index(portrait.habits[name])] = 0.7
    return out


def _attributes(
    tastes: Reals, named: Sequence[Portrait], shelf: Facets, rng: np.random.Generator
) -> tuple[dict[str, Any], ...]:
    """Return what a catalogue of people would know; it goes with taste, but loosely."""
    decades, countries = shelf.of_kind("decade"), shelf.of_kind("country")
    years = np.array([int(shelf.names[j][1][:4]) for j in decades])
    countries = countries[[shelf.names[j][1] not in _GONE for j in countries]]
    films = shelf.holds[:, countries].sum(axis=0)
    rows: list[dict[str, Any]] = []
    for u, taste in enumerate(tastes[:, 0]):
        love = np.maximum(taste[decades], 0.0) + 1e-9
        centre = float(years @ love / love.sum()) + rng.normal(0.0, 15.0)
        age = _AGES[0] if centre > 1990 else _AGES[1] if centre > 1968 else _AGES[2]
        wish = films / films.sum() + np.maximum(taste[countries], 0.0)
        country = shelf.names[int(rng.choice(countries, p=wish / wish.sum()))][1]
        row: dict[str, Any] = {"simulated": True, "age": age, "country": country}
        rows.append(row | ({"name": named[u].name} if u < len(named) else {}))
    return tuple(rows)


def phase(viewers: Viewers, share: float) -> npt.NDArray[np.int64]:
    """Return int64[n]: 0 for viewers who have not turned by this share of the period, else 1."""
    return (viewers.turned <= share).astype(np.int64)
