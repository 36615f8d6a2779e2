"""Whatever holds rows (a file, a frame of any library, dicts, our own nouns) as one table.

Files are told apart by their extension. Text files are read as text throughout, so that the id
`007` stays `007`; numbers are made of columns later, where a column is known to hold numbers.
"""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from penchant.types import Event, InvalidInput, Item, Link, User

Noun = Event | Item | User | Link
_NOUNS: Mapping[str, type[Noun]] = {"events": Event, "items": Item, "users": User, "links": Link}

# MovieLens calls these files .dat, separates with `::` and writes no header.
_MOVIELENS = {
    "ratings": ["user_id", "item_id", "rating", "timestamp"],
    "movies": ["item_id", "title", "genres"],
    "users": ["user_id", "gender", "age", "occupation", "zip_code"],
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows before anything is believed: a polars frame, or objects (dicts and our own nouns).

    Exactly one of `frame` and `objects` is set. Objects are what a program says one by one: there
    an absent time means now. `name` says in messages where the rows came from.
    """

    name: str
    frame: pl.DataFrame | None = None
    objects: tuple[Mapping[str, Any] | Noun, ...] | None = None

    def __len__(self) -> int:
        if self.frame is not None:
            return self.frame.height
        return len(self.objects or ())


def read_table(source: Any, table: str) -> Table:
    """Return `source` as rows of `table` ("events", "items", "users" or "links").

    Takes a path (csv, tsv, jsonl, ndjson, parquet, arrow, feather, RecBole and MovieLens files, RSS
    and Atom feeds, the text formats also as .gz), a frame (polars, pandas, Arrow and whatever
    narwhals knows), one dict or noun, or an iterable of them. Anything else, and a file that is
    missing, empty or damaged, raises InvalidInput.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return Table(str(path), frame=_read_file(path))
    if isinstance(source, pl.DataFrame):
        return Table("the frame", frame=source)
    if isinstance(source, pl.LazyFrame):
        return Table("the frame", frame=_collected(source))
    if isinstance(source, Mapping | Event | Item | User | Link):
        return _objects([source], table)
    native = nw.from_native(source, pass_through=True)
    if isinstance(native, nw.DataFrame | nw.LazyFrame):
        return Table("the frame", frame=_polars(native))
    if hasattr(source, "__arrow_c_stream__"):
        return Table("the frame", frame=pl.DataFrame(source))
    if isinstance(source, Iterable) and not isinstance(source, bytes | bytearray):
        return _objects(source, table)
    raise InvalidInput(
        f"expected {table} as a path, a table or an iterable of {_NOUNS[table].__name__} or dict, "
        f"got {type(source).__name__}"
    )


def _collected(source: pl.LazyFrame) -> pl.DataFrame:
    """Return a lazy frame's rows."""
    try:
        return source.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidInput(f"expected a lazy frame that can be collected: {error}") from error


def _objects(source: Iterable[Any], table: str) -> Table:
    """Return an iterable of dicts and nouns as a table, refusing the first that is neither."""
    noun = _NOUNS[table]
    rows = tuple(source)
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping | noun):
            raise InvalidInput(
                f"expected {noun.__name__} or dict among the {table}, got "
                f"{type(row).__name__} at position {place}: {str(row)[:80]!r}"
            )
        if isinstance(row, Mapping) and not all(isinstance(key, str) for key in row):
            raise InvalidInput(
                f"expected text as keys of the {table}, got {list(row)[:8]} at position {place}"
            )
    return Table(f"{len(rows)} {table}", objects=rows)


def _polars(native: Any) -> pl.DataFrame:
    """Return a frame of another library as polars."""
    eager = native.collect() if isinstance(native, nw.LazyFrame) else native
    try:
        frame: pl.DataFrame = eager.to_polars()
    except ImportError:
        # Without pyarrow pandas cannot hand over text columns at once; one by one it can.
        frame = pl.DataFrame(
            [pl.Series(c, eager[c].to_list(), strict=False) for c in eager.columns]
        )
    return frame


def _read_file(path: Path) -> pl.DataFrame:
    """Return the rows of a file."""
    try:
        size = -1 if path.is_dir() else path.stat().st_size
    except FileNotFoundError:
        raise InvalidInput(f"expected a file at {path}, found nothing; check the path") from None
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"expected a file at {str(path)!r}, which cannot be read: {error}"
        ) from error
    if size < 0:
        raise InvalidInput(f"expected a file at {path}, found a directory; name the files in it")
    if size == 0:
        raise InvalidInput(f"expected rows in {path}, but the file is empty")
    packed = path.suffix.lower() == ".gz"
    suffix = (path.with_suffix("") if packed else path).suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        raise InvalidInput(
            f"expected a file ending in {', '.join(sorted(_READERS))}, got {path.name!r}; "
            f"convert it, or read it yourself and pass the table"
        )
    try:
        content = io.BytesIO(gzip.decompress(path.read_bytes())) if packed else path
        frame = reader(content, path)
    except InvalidInput:
        raise
    except (pl.exceptions.PolarsError, _Panic, OSError, EOFError, ValueError) as error:
        raise InvalidInput(
            f"expected {path} to hold {suffix[1:]} in UTF-8, but reading it failed: {error}"
        ) from error
    if frame.height == 0:
        raise InvalidInput(f"expected rows in {path}, found only {frame.columns or 'nothing'}")
    return frame


Content = Path | io.BytesIO
# What polars raises where a damaged file breaks its own assumptions; no Exception, but an error.
_Panic = pl.exceptions.PanicException


def _bytes(content: Content) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content.read()


def _separated(separator: str) -> Callable[[Content, Path], pl.DataFrame]:
    """Return a reader of text with a header and the given separator."""

    def read(content: Content, path: Path) -> pl.DataFrame:
        return pl.read_csv(content, separator=separator, infer_schema=False, glob=False)

    return read


def _atomic(content: Content, path: Path) -> pl.DataFrame:
    """Return a RecBole file: tabs, a typed header, and quotes that mean nothing."""
    return pl.read_csv(content, separator="\t", infer_schema=False, quote_char=None, glob=False)


def _movielens(content: Content, path: Path) -> pl.DataFrame:
    """Return a MovieLens .dat file, its columns known by its name."""
    stem = path.name.split(".")[0].lower()
    if stem not in _MOVIELENS:
        raise InvalidInput(
            f"expected ratings.dat, movies.dat or users.dat of MovieLens, got {path.name!r}; "
            f"convert it to csv with a header"
        )
    data = _bytes(content)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    rows = [line.split("::") for line in text.splitlines() if line]
    names = _MOVIELENS[stem]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InvalidInput(
                f"expected {len(names)} fields separated by '::' in {path}, line {number} has "
                f"{len(row)}"
            )
    schema = dict.fromkeys(names, pl.String())
    return pl.DataFrame(rows, schema=schema, orient="row")


def _lines(content: Content, path: Path) -> pl.DataFrame:
    """Return a file with one JSON object a line."""
    data = _bytes(content)
    # Mixed types in one column, or a broken line: then read line by line, which says which.
    with suppress(pl.exceptions.PolarsError):
        return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    rows = [_line(line, n, path) for n, line in enumerate(data.splitlines(), 1) if line.strip()]
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame([_mixed(name, [row.get(name) for row in rows]) for name in names])


def _line(line: bytes, number: int, path: Path) -> dict[str, Any]:
    """Return one line as an object, or say which line is none."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidInput(
            f"expected one JSON object a line in {path}, line {number} is none: {error}"
        ) from error
    if not isinstance(row, dict):
        raise InvalidInput(
            f"expected one JSON object a line in {path}, line {number} holds "
            f"{type(row).__name__}: is the whole file one array? Write an object a line"
        )
    return row


def _mixed(name: str, values: list[Any]) -> pl.Series:
    """Return values of any types as a column: of one type if they are, else of text."""
    try:
        return pl.Series(name, values)
    except (TypeError, pl.exceptions.PolarsError, OverflowError):
        texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
        return pl.Series(name, texts, dtype=pl.String)


def _feed(content: Content, path: Path) -> pl.DataFrame:
    """Return the entries of an RSS or Atom feed as items."""
    from penchant.ingest.feeds import entries  # its parsers would cost every start 10 ms

    found = entries(_bytes(content), str(path))
    columns = {
        "item_id": [entry.id for entry in found],
        "title": [entry.title for entry in found],
        "description": [entry.text for entry in found],
        "released": [entry.published for entry in found],
        "link": [entry.link for entry in found],
    }
    kinds = dict.fromkeys(columns, pl.String()) | {"released": pl.Float64()}
    return pl.DataFrame(columns, schema=kinds)


def _parquet(content: Content, path: Path) -> pl.DataFrame:
    return pl.read_parquet(content, glob=False)


def _arrow(content: Content, path: Path) -> pl.DataFrame:
    if isinstance(content, io.BytesIO):
        return pl.read_ipc(content)
    with content.open("rb") as file:  # given a name, polars would expand its brackets and stars
        return pl.read_ipc(file)


_READERS: Mapping[str, Callable[[Content, Path], pl.DataFrame]] = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".inter": _atomic,
    ".item": _atomic,
    ".user": _atomic,
    ".kg": _atomic,
    ".dat": _movielens,
    ".rss": _feed,
    ".atom": _feed,
    ".xml": _feed,
}
