"""The demo shelf: about 700 real films, described for this project in its own words.

One line of `films.jsonl` is one film. Titles, years, countries and directors are facts; the country
is that of the main production, Germany stands for both German states. Descriptions say what only
this film is about, so that the distance between two texts means something. The Chinese title is the
usual one of the mainland, or a translation; the Chinese sentence was written beside the English
one, not translated from it.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Reals = npt.NDArray[np.float64]

FILMS: Mapping[str, Any] = {
    "item_id": pl.String,
    "title": pl.String,
    "year": pl.Int64,
    "country": pl.String,
    "director": pl.String,
    "genres": pl.List(pl.String),
    "themes": pl.List(pl.String),
    "description": pl.String,
    "title_zh": pl.String,
    "sentence_zh": pl.String,
}
KINDS = ("genre", "theme", "director", "decade", "country")
# A director of one film, or a country of one, is a name that no taste can be about.
_SMALLEST = {"genre": 1, "theme": 1, "director": 2, "decade": 2, "country": 3}


@functools.cache
def films() -> pl.DataFrame:
    """Return the films in order of year: the columns of `FILMS`, one row each."""
    source = importlib.resources.files("penchant.evaluate.simulate") / "films.jsonl"
    return pl.read_ndjson(source.read_bytes(), schema=dict(FILMS))


def items(released: pl.Series) -> pl.DataFrame:
    """Return the films as items of a catalogue; `released` says when each joined the shelf.

    The category is the first genre, the tags are genres and themes, the rest goes to `attributes`,
    the Chinese title and sentence too: search by words reads them, the default encoder does not.
    """
    shelf = films()
    attributes = [
        json.dumps(
            {
                "year": row["year"],
                "decade": decade(row["year"]),
                "country": row["country"],
                "director": row["director"],
                "genres": row["genres"],
                "themes": row["themes"],
                "title_zh": row["title_zh"],
                "sentence_zh": row["sentence_zh"],
            },
            ensure_ascii=False,
        )
        for row in shelf.iter_rows(named=True)
    ]
    return shelf.select(
        "item_id",
        "title",
        "description",
        category=pl.col("genres").list.first(),
        tags=pl.concat_list("genres", "themes"),
        released=released,
        attributes=pl.Series(attributes, dtype=pl.String),
    )


def links() -> pl.DataFrame:
    """Return what is known about the films as a graph: head, relation, tail, weight.

    The heads are item ids; the tails are values like "director:Akira Kurosawa".
    """
    facts = [
        (row["item_id"], f"has_{kind}", f"{kind}:{name}", 1.0)
        for row in films().iter_rows(named=True)
        for kind, name in facets_of(row)
    ]
    return pl.DataFrame(facts, schema=["head", "relation", "tail", "weight"], orient="row")


def decade(year: int) -> str:
    """Return a year's decade as it is spoken of: 1968 -> "1960s"."""
    return f"{year // 10 * 10}s"


def facets_of(film: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return what a taste can be about in one row of `films()`: (kind, name) pairs."""
    genres, themes, year = film["genres"], film["themes"], film["year"]
    assert isinstance(genres, list)
    assert isinstance(themes, list)
    assert isinstance(year, int)
    return [
        *(("genre", name) for name in genres),
        *(("theme", name) for name in themes),
        ("director", str(film["director"])),
        ("decade", decade(year)),
        ("country", str(film["country"])),
    ]


@dataclass(frozen=True)
class Facets:
    """What films can be liked for, as columns: facet j is `names[j]`, a (kind, name) pair.

    `holds` float64[n_films, n_facets] is 1 where a film has the facet; a taste is a weight for each
    column. `column` gives the number of a facet.
    """

    names: tuple[tuple[str, str], ...]
    holds: Reals
    column: dict[tuple[str, str], int]

    def of_kind(self, kind: str) -> npt.NDArray[np.int64]:
        """Return the columns of one kind of facet ("genre", "theme", ...)."""
        return np.array([j for j, (k, _) in enumerate(self.names) if k == kind], dtype=np.int64)


@functools.cache
def facets() -> Facets:
    """Return the facets of the shelf: all genres and themes, and names that several films share."""
    rows = [facets_of(film) for film in films().iter_rows(named=True)]
    counts = Counter(facet for row in rows for facet in row)
    kept = {facet for facet, n in counts.items() if n >= _SMALLEST[facet[0]]}
    names = tuple(sorted(kept, key=lambda facet: (KINDS.index(facet[0]), facet[1])))
    column = {facet: j for j, facet in enumerate(names)}
    holds = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        holds[i, [column[facet] for facet in row if facet in column]] = 1.0
    holds.flags.writeable = False
    return Facets(names, holds, column)
