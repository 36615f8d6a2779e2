"""Which ends of links name people: with pseudonyms, these are stored in the place of the names.

A link ties people, items, groups and plain values by name and does not say which is which. An end
is taken for a person where section `privacy` says so of its relation, or where somebody is known by
that name and no item is. A name that nobody is known by stays as it is until somebody is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.ingest.columns import ALIASES, squeeze
from penchant.ingest.privacy import Privacy

ENDS = ("head", "tail")


class Numbered(Protocol):
    """What this file needs of a store's people and items."""

    def numbers(self, ids: Sequence[str], /) -> npt.NDArray[np.int32]:
        """Return the number of each id, -1 for one never heard of."""
        ...


@dataclass(frozen=True, slots=True)
class Ends:
    """The rule of one directory. Without a key, every end stays as it is."""

    privacy: Privacy
    people: Numbered
    items: Numbered

    def named(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the pseudonyms of those ids by which somebody is known and no item is."""
        if self.privacy.key is None:
            return {}
        names = list(dict.fromkeys(ids))
        hidden = [self.privacy.pseudonym(name) for name in names]
        known = (self.people.numbers(hidden) >= 0) & (self.items.numbers(names) < 0)
        return {names[place]: hidden[place] for place in np.flatnonzero(known).tolist()}

    def hidden(self, links: pl.DataFrame) -> pl.DataFrame:
        """Return links with pseudonyms in the place of people; of rows that are refused too."""
        if self.privacy.key is None:
            return links
        names = self.named(pl.concat([links[end] for end in ENDS]).drop_nulls().to_list())
        return links.with_columns(
            pl.when(self._said(end))
            .then(self.privacy.pseudonyms(links[end]))
            .otherwise(links[end].replace(names))
            .alias(end)
            for end in ENDS
        )

    def strangers(self, hidden: pl.DataFrame) -> list[str]:
        """Return the pseudonyms at ends that are people by their relation, and known to nobody."""
        if self.privacy.key is None:
            return []
        parts = [hidden.filter(self._said(end))[end] for end in ENDS]
        names = pl.concat(parts).unique(maintain_order=True).to_list()
        return [names[place] for place in np.flatnonzero(self.people.numbers(names) < 0).tolist()]

    def _said(self, end: str) -> pl.Expr:
        relations = self.privacy.config.relations.items()
        return pl.col("relation").is_in([name for name, ends in relations if ends in (end, "both")])


def whose(links: pl.DataFrame, hidden: pl.DataFrame) -> pl.Series:
    """Return for each of the links whose it is as far as can be told: a person's before others."""
    ends = pl.concat(
        [links.select(pl.col(ENDS).name.prefix("plain_")), hidden.select(ENDS)], how="horizontal"
    )
    people = [pl.when(pl.col(end) != pl.col(f"plain_{end}")).then(end) for end in ENDS]
    return ends.select(pl.coalesce(*people, *ENDS)).to_series()


def without_names(
    rows: pl.Series, links: pl.DataFrame, hidden: pl.DataFrame, sources: Sequence[str | None]
) -> pl.Series:
    """Return rows of JSON objects, one for each of the links, with the ends that are hidden.

    `sources` are the names of the columns of head and tail.
    """
    out = []
    plain, now = (frame.iter_rows(named=True) for frame in (links, hidden))
    for text, was, became in zip(rows, plain, now, strict=True):
        row = json.loads(text)
        for end, source in zip(ENDS, sources, strict=True):
            if was[end] != became[end]:
                names = set(ALIASES["links"][end].split())
                row |= {key: became[end] for key in row if key == source or squeeze(key) in names}
        out.append(json.dumps(row))
    return pl.Series(out, dtype=pl.String)
