"""What simulated viewers type: searches and short reviews, in the vocabulary of their tastes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Facet = tuple[str, str]

_GENRES: dict[str, tuple[str, str]] = {
    "action": ("an action film", "action films"),
    "adventure": ("an adventure", "adventures"),
    "animation": ("an animated film", "animated films"),
    "biography": ("a biography", "films about real lives"),
    "comedy": ("a comedy", "comedies"),
    "crime": ("a crime film", "crime films"),
    "documentary": ("a documentary", "documentaries"),
    "drama": ("a drama", "dramas"),
    "family": ("a family film", "films for the family"),
    "fantasy": ("a fantasy film", "fantasy films"),
    "film noir": ("a film noir", "films noirs"),
    "history": ("a historical film", "historical films"),
    "horror": ("a horror film", "horror films"),
    "martial arts": ("a martial arts film", "martial arts films"),
    "musical": ("a musical", "musicals"),
    "mystery": ("a mystery", "mysteries"),
    "romance": ("a romance", "romances"),
    "science fiction": ("a science fiction film", "science fiction"),
    "space opera": ("a space opera", "space opera"),
    "thriller": ("a thriller", "thrillers"),
    "war": ("a war film", "war films"),
    "western": ("a western", "westerns"),
}
_SEARCHES: dict[str, tuple[str, ...]] = {
    "genre": ("{many}", "best {many}", "{many} to watch tonight", "something like {one}"),
    "theme": ("{many}", "films about {many}", "story of {many}", "something with {many}"),
    "director": ("{many}", "films by {many}", "directed by {many}"),
    "decade": ("films of {many}", "classics of {many}"),
    "country": ("films from {many}", "cinema of {many}"),
}
_ADDED = {
    "genre": "{}, {}",
    "theme": "{} about {}",
    "director": "{} by {}",
    "decade": "{} of {}",
    "country": "{} from {}",
}
_PRAISE = (
    "Everything I want from {}, and it never lets go.",
    "I came for {} and stayed until the last credit.",
    "More of this please: {} done with care.",
    "If you care for {}, do not miss it.",
    "Wonderful, above all for {}.",
)
_FAIR = (
    "Worth an evening if you care for {}.",
    "I have seen better {}, and worse.",
    "It has {}, and not much else.",
)
_BLAME = (
    "I have no patience for {}.",
    "Too much {} for me.",
    "Gave up: {} is not my thing.",
    "Others may like {}; I looked at the clock.",
)
_UNEXPLAINED = (
    "Not my usual kind of film, yet I cannot stop thinking about it.",
    "I could not say why, but I loved every minute.",
    "It surprised me; nothing in the blurb had prepared me.",
)
_DULL = (
    "On paper this was made for me, but it left me cold.",
    "All the right ingredients and still no spark.",
)


def search(facets: Sequence[Facet], rng: np.random.Generator) -> str:
    """Return what somebody types who is after films with one or two facets."""
    if len(facets) > 1 and facets[0][0] == "genre":
        return _ADDED[facets[1][0]].format(_many(facets[0]), _many(facets[1]))
    kind, name = facets[0]
    forms = _SEARCHES[kind]
    one = _GENRES[name][0] if kind == "genre" else name
    return forms[int(rng.integers(len(forms)))].format(one=one, many=_many(facets[0]))


def review(facets: Sequence[Facet], stars: int, rng: np.random.Generator) -> str:
    """Return a sentence about a film: `facets` are those of it that move the writer most.

    Without any, the writer likes or dislikes the film for no reason that text could tell.
    """
    if not facets:
        forms = _UNEXPLAINED if stars >= 3 else _DULL
        return forms[int(rng.integers(len(forms)))]
    choice = _PRAISE if stars > 3 else _FAIR if stars == 3 else _BLAME
    said = [f"films from {_many(f)}" if f[0] == "country" else _many(f) for f in facets[:2]]
    return choice[int(rng.integers(len(choice)))].format(" and ".join(said))


def _many(facet: Facet) -> str:
    kind, name = facet
    if kind == "genre":
        return _GENRES[name][1]
    named = name in ("United States", "United Kingdom", "Soviet Union") or kind == "decade"
    return f"the {name}" if named else name
