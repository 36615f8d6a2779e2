"""The key of an event, 16 bytes: what makes recording the same thing twice record it once.

The key of an event that has no id of its own begins with its time. What is recorded together then
lies together in the index of keys, which otherwise costs as much as all the rest of a large import:
every event would touch another page of it.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

import numpy as np
import polars as pl

from penchant.store.events import event_key

_CONTENT = b"penchant.content"
# Of microseconds this leaves steps of 17 seconds; four bytes, the highest first so that keys are
# in the order of time, count two thousand years of them.
_SHIFT, _BEGIN, _HASH_BYTES = 24, np.dtype(">u4"), 12
_PIECE = 50_000


def id_key(event_id: str) -> bytes:
    """Return the key of an event that the caller gave an id."""
    return event_key(event_id)


def id_keys(event_ids: pl.Series) -> pl.Series:
    """Return the keys of a column of ids, Binary, null where there is none."""
    pieces = [pl.Series("key", [], dtype=pl.Binary)]
    for start in range(0, len(event_ids), _PIECE):
        keys = [
            None if i is None else id_key(i) for i in event_ids[start : start + _PIECE].to_list()
        ]
        pieces.append(pl.Series("key", keys, dtype=pl.Binary))
    return pl.concat(pieces)


def fresh_key(micros: int) -> bytes:
    """Return a key that no other event has, for one at `micros` (microseconds since the epoch)."""
    return np.array(micros >> _SHIFT).astype(_BEGIN).tobytes() + secrets.token_bytes(_HASH_BYTES)


def content_keys(frame: pl.DataFrame, salt: bytes = b"") -> pl.Series:
    """Return keys made of what each row says, Binary: the same row, the same key.

    `salt` makes the keys of one call differ from those of the next. Of rows with `undated` the
    time is left out, because it depends on when the file was read. Into rows with `numbered` goes
    how many equal rows came before, so that each is an event of its own: without times, a
    repetition is all that can be seen of two events.
    """
    # The bits rather than the digits: another version may print a number otherwise. Adding nothing
    # makes a zero of both zeros.
    bits = pl.Series((frame["value"].fill_null(0.0).to_numpy() + 0.0).view(np.int64))
    said = (
        _piece("user_id"),
        _piece("item_id"),
        _piece("event"),
        _piece(pl.when(~pl.col("undated")).then("timestamp").cast(pl.String)),
        _piece(pl.when(pl.col("value").is_not_null()).then(bits).cast(pl.String)),
        _piece("slate_id"),
        _piece("text"),
        _piece("context"),
    )
    known = pl.when(~pl.col("undated")).then("timestamp").fill_null(0)
    content = frame.select("numbered", content=pl.concat_str(said), time=known)
    if content["numbered"].any():
        again = pl.int_range(pl.len()).over("content")
        content = content.with_columns(
            content=pl.when(pl.col("numbered") & (again > 0))
            .then(pl.col("content") + "#" + again.cast(pl.String))
            .otherwise("content")
        )
    empty = blake2b(digest_size=_HASH_BYTES, salt=salt, person=_CONTENT)
    pieces = [pl.Series("key", [], dtype=pl.Binary)]
    # As objects of Python, all texts at once would take more memory than the rest of an import.
    for part in content.iter_slices(_PIECE):
        begins = (part["time"].to_numpy() >> _SHIFT).astype(_BEGIN).tobytes()
        keys = []
        for place, text in enumerate(part["content"].cast(pl.Binary).to_list()):
            digest = empty.copy()  # takes half the time of making one
            digest.update(text)
            begin = place * _BEGIN.itemsize
            keys.append(begins[begin : begin + _BEGIN.itemsize] + digest.digest())
        pieces.append(pl.Series("key", keys, dtype=pl.Binary))
    return pl.concat(pieces)


def _piece(column: str | pl.Expr) -> pl.Expr:
    """Return a cell with its length before it, so that no two rows run into the same text."""
    cell = pl.col(column) if isinstance(column, str) else column
    return (cell.str.len_bytes().cast(pl.String) + ":" + cell).fill_null("-")
