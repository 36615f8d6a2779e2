"""The key of an event, 16 bytes: what makes recording the same thing twice record it once."""

from __future__ import annotations

from hashlib import blake2b

import polars as pl

from penchant.store.events import event_key

_CONTENT = b"penchant.content"


def id_key(event_id: str) -> bytes:
    """Return the key of an event that the caller gave an id."""
    return event_key(event_id)


def id_keys(event_ids: pl.Series) -> pl.Series:
    """Return the keys of a column of ids, Binary, null where there is none."""
    keys = [None if i is None else id_key(i) for i in event_ids.to_list()]
    return pl.Series("key", keys, dtype=pl.Binary)


def content_keys(frame: pl.DataFrame, salt: bytes = b"") -> pl.Series:
    """Return keys made of what each row says, Binary: the same row, the same key.

    `salt` makes the keys of one call differ from those of the next. Of rows with `undated` the
    time is left out, because it depends on when the file was read. Into rows with `numbered` goes
    how many equal rows came before, so that each is an event of its own: without times, a
    repetition is all that can be seen of two events.
    """
    said = (
        _piece("user_id"),
        _piece("item_id"),
        _piece("event"),
        _piece(pl.when(~pl.col("undated")).then("timestamp").cast(pl.String)),
        # The bits rather than the digits: another version may print a number otherwise.
        _piece(pl.col("value").reinterpret(signed=True).cast(pl.String)),
        _piece("slate_id"),
        _piece("text"),
        _piece("context"),
    )
    content = frame.select("numbered", content=pl.concat_str(said))
    if content["numbered"].any():
        again = pl.int_range(pl.len()).over("content")
        content = content.with_columns(
            content=pl.when(pl.col("numbered") & (again > 0))
            .then(pl.col("content") + "#" + again.cast(pl.String))
            .otherwise("content")
        )
    keys = [
        blake2b(text.encode(), digest_size=16, salt=salt, person=_CONTENT).digest()
        for text in content["content"].to_list()
    ]
    return pl.Series("key", keys, dtype=pl.Binary)


def _piece(column: str | pl.Expr) -> pl.Expr:
    """Return a cell with its length before it, so that no two rows run into the same text."""
    cell = pl.col(column) if isinstance(column, str) else column
    return (cell.str.len_bytes().cast(pl.String) + ":" + cell).fill_null("-")
