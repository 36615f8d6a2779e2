"""The words of an item: texts within their limits, tags out of lists or text, one category path."""

from __future__ import annotations

import json

import polars as pl

_SEPARATORS = ("|", ";", ",")


def one_text(column: pl.Series) -> pl.Series:
    """Return a column as text, null where empty; a list (paragraphs) is joined by line breaks."""
    if isinstance(column.dtype, pl.List | pl.Array):
        column = _listed(column).list.join("\n", ignore_nulls=True)
    text = column.cast(pl.String)
    return pl.select(pl.when(text.str.strip_chars() != "").then(text)).to_series()


def cut(column: pl.Series, limit: int) -> tuple[pl.Series, int]:
    """Return texts of at most `limit` bytes of UTF-8, never cut inside a character, and how many
    were cut.
    """
    long = (column.str.len_bytes() > limit).fill_null(False)
    if not long.any():
        return column, 0
    places = long.arg_true()
    short = [
        text.encode()[:limit].decode(errors="ignore") for text in column.filter(long).to_list()
    ]
    return column.scatter(places, pl.Series(short, dtype=pl.String)), len(places)


def split_tags(column: pl.Series, spaced: bool = False) -> tuple[pl.Series, str | None]:
    """Return a column of tags as List(String), trimmed, without repetitions, and the separator.

    Lists stay. Text is split at the first of `|`, `;` and `,` that occurs anywhere in the column,
    so that "a|b, c" in a column with bars is the two tags "a" and "b, c"; a text that is a JSON
    list is read as one. With `spaced` (RecBole's sequences) it is split at spaces.
    """
    separator = None
    if isinstance(column.dtype, pl.List | pl.Array):
        lists = _listed(column)
    else:
        text = column.cast(pl.String)
        listed = text.str.contains(r"^\s*\[.*\]\s*$").fill_null(False)
        plain = text.filter(~listed)
        if spaced:
            separator = " "
        else:
            separator = next(
                (s for s in _SEPARATORS if plain.str.contains(s, literal=True).any()), None
            )
        lists = text.str.split(separator) if separator else text.reshape((-1, 1)).arr.to_list()
        if listed.any():
            read = [
                _json_list(t) if is_list else tags
                for t, is_list, tags in zip(text, listed, lists, strict=True)
            ]
            lists = pl.Series(read, dtype=pl.List(pl.String))
    trimmed = lists.fill_null([]).list.eval(
        pl.element().str.strip_chars().filter(pl.element().str.strip_chars() != "")
    )
    return trimmed.list.unique(maintain_order=True), separator


def one_category(column: pl.Series) -> pl.Series:
    """Return the category of each item as text: a path is its levels joined by " > ".

    A list of levels is one path; a list of paths (whose elements contain ">", or are lists) counts
    with its first. Text is taken as it is.
    """
    kind = column.dtype
    if not isinstance(kind, pl.List | pl.Array):
        return one_text(column)
    if isinstance(kind.inner, pl.List | pl.Array):
        return _joined(_listed(column.list.first()))
    levels = _listed(column)
    first = levels.list.first()
    paths = first.str.contains(">", literal=True).fill_null(False)
    return pl.select(pl.when(paths).then(first).otherwise(_joined(levels))).to_series()


def _joined(levels: pl.Series) -> pl.Series:
    path = levels.list.join(" > ", ignore_nulls=True)
    return pl.select(pl.when(path != "").then(path)).to_series()


def _listed(column: pl.Series) -> pl.Series:
    """Return a column of lists as List(String)."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    return column.cast(pl.List(pl.String))


def _json_list(text: str) -> list[str]:
    """Return the elements of a JSON list in text, or the text itself where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    return [e if isinstance(e, str) else json.dumps(e) for e in found if e is not None]
