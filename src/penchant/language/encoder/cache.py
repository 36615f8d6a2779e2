"""Vectors remembered by content: a text is encoded once, whoever asks, in whatever process."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from penchant.language.encoder.encoder import Encoder
from penchant.language.normal import normal_all

Progress = Callable[[int, int], None]

# Longer texts are cut here before they are hashed; the longest encoder reads fewer characters.
_CHARACTERS = 16_384
_STEPS = 32767
_LOOKUP = 900
_GONE = (b"", b"")
_CHUNK = 512

_TABLE = """
CREATE TABLE IF NOT EXISTS vector (
  number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL
)"""
_PASSING = """
CREATE TABLE IF NOT EXISTS passing (
  owner INTEGER PRIMARY KEY, mark BLOB NOT NULL, key BLOB NOT NULL
)"""


class CachedEncoder:
    """An encoder that looks in a SQLite file first; safe for threads and processes.

    Vectors are int16 in the file, in steps of 1/32767: half the bytes of float32 with an error of
    1.5e-5 a component (float16 has 1e-4). What is returned is always rounded that way, so an answer
    does not change when the file is lost. At most `most` vectors are kept, the oldest go first.
    A damaged file is made anew. One that cannot be written (a full disk, a read-only folder) is
    only a slower encoder: `unsaved` counts the vectors that it should have kept. With `read_only`
    the file is never made or written.
    """

    def __init__(
        self,
        encoder: Encoder,
        path: str | Path,
        *,
        most: int = 2_000_000,
        read_only: bool = False,
    ) -> None:
        self.encoder = encoder
        self.path = Path(path)
        self.most = max(1, most)
        self.hits = 0
        self.misses = 0
        self.unsaved = 0
        self._lock = threading.Lock()
        self._read_only = read_only
        self._connection, self._lasts = _connect(self.path, read_only)
        # Who read for a snapshot that nobody answers from any more is closed by nobody else.
        weakref.finalize(self, self._connection.close)

    @property
    def id(self) -> str:
        """The id of the encoder behind it."""
        return self.encoder.id

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self.encoder.dimension

    def reads(self, text: str) -> bool:
        """Return what the encoder behind it says."""
        return self.encoder.reads(text)

    def encode(
        self, texts: Sequence[str], progress: Progress | None = None
    ) -> npt.NDArray[np.float32]:
        """Return float32[n, dimension]; only what is missing is encoded, each distinct text once.

        `progress(done, total)` is called about once a second after the first, counting the texts
        that had to be encoded. What is done is stored as it goes: a killed run resumes.
        """
        cleaned = normal_all(texts, _CHARACTERS)
        keys = [self._key(text) for text in cleaned]
        first = {key: i for i, key in reversed(list(enumerate(keys)))}
        found = self._read(list(first))
        missing = [key for key in first if key not in found]
        self.hits += len(first) - len(missing)
        self.misses += len(missing)
        # Like lengths together, so that a chunk of short texts is not padded to a long one.
        missing.sort(key=lambda key: len(cleaned[first[key]]))
        told = time.monotonic()
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            rows = self.encoder.encode([cleaned[first[key]] for key in chunk])
            fresh = dict(zip(chunk, np.rint(rows * _STEPS).astype(np.int16), strict=True))
            self._write(fresh)
            found.update(fresh)
            if progress is not None and time.monotonic() - told > 1:
                told = time.monotonic()
                progress(start + len(chunk), len(missing))
        out: npt.NDArray[np.float32] = np.zeros((len(keys), self.dimension), np.float32)
        for i, key in enumerate(keys):
            out[i] = found[key]
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        out /= np.where(norms > 0, norms, 1)
        return out

    def hold(self, owners: Sequence[int], marks: Sequence[bytes], texts: Sequence[str]) -> None:
        """Remember of the passing texts of each owner this one alone: the one before is removed.

        A text that holds what people wrote must not outlast their wish to be forgotten. `marks` say
        what a text was made of, for `sweep`; where a mark is empty no passing text is left. To be
        called before the texts are encoded, so that none stays behind unnoticed.
        """
        keys = [self._key(text) for text in normal_all(texts, _CHARACTERS)]
        rows = zip(owners, marks, keys, strict=True)
        self._pass({owner: (mark, key) if mark else _GONE for owner, mark, key in rows})

    def sweep(self, marks: Mapping[int, bytes]) -> int:
        """Return how many passing texts were removed: all whose owner has another mark by now."""
        held = self._passing()
        gone = {owner: _GONE for owner, (mark, _) in held.items() if marks.get(owner) != mark}
        self._pass(gone)
        return len(gone)

    def _passing(self) -> dict[int, tuple[bytes, bytes]]:
        with self._lock, contextlib.suppress(sqlite3.DatabaseError):
            rows = self._connection.execute("SELECT owner, mark, key FROM passing").fetchall()
            return {owner: (mark, key) for owner, mark, key in rows}
        return {}

    def _pass(self, rows: Mapping[int, tuple[bytes, bytes]]) -> None:
        held = self._passing() if rows and not self._read_only else {}
        fresh = {owner: row for owner, row in rows.items() if held.get(owner, _GONE) != row}
        if not fresh or self._read_only:
            return
        old = [(held[owner][1],) for owner, row in fresh.items() if owner in held]
        gone = [(owner,) for owner, row in fresh.items() if row == _GONE]
        kept = [(owner, *row) for owner, row in fresh.items() if row != _GONE]
        with self._lock, contextlib.suppress(sqlite3.DatabaseError), self._connection as file:
            file.execute("BEGIN IMMEDIATE")
            file.executemany("DELETE FROM vector WHERE key = ?", old)
            file.executemany("DELETE FROM passing WHERE owner = ?", gone)
            file.executemany("INSERT OR REPLACE INTO passing VALUES (?, ?, ?)", kept)

    def close(self) -> None:
        """Close the file; the encoder itself stays open."""
        with self._lock:
            self._connection.close()

    def _key(self, text: str) -> bytes:
        content = f"{self.encoder.id}\0{text}".encode()
        return hashlib.blake2b(content, digest_size=16).digest()

    def _read(self, keys: list[bytes]) -> dict[bytes, npt.NDArray[np.int16]]:
        found: dict[bytes, npt.NDArray[np.int16]] = {}
        with self._lock, contextlib.suppress(sqlite3.DatabaseError):
            for part in _parts(keys):
                marks = ",".join("?" * len(part))
                query = f"SELECT key, vector FROM vector WHERE key IN ({marks})"  # noqa: S608
                for key, blob in self._connection.execute(query, part):
                    row = np.frombuffer(blob, np.int16)
                    if len(row) == self.dimension:
                        found[key] = row
        return found

    def _write(self, rows: dict[bytes, npt.NDArray[np.int16]]) -> None:
        lines = [(key, row.tobytes()) for key, row in rows.items()]
        try:
            with self._lock, self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(
                    "INSERT OR REPLACE INTO vector (key, vector) VALUES (?, ?)", lines
                )
                self._connection.execute(
                    "DELETE FROM vector WHERE number <= (SELECT max(number) FROM vector) - ?",
                    (self.most,),
                )
            self.unsaved += 0 if self._lasts else len(lines)
        except sqlite3.DatabaseError:
            self.unsaved += len(lines)


def _parts(keys: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(keys), _LOOKUP):
        yield keys[start : start + _LOOKUP]


def _connect(path: Path, read_only: bool) -> tuple[sqlite3.Connection, bool]:
    """Return a connection, and whether it lasts: in memory where the file cannot be used."""
    if read_only:
        with contextlib.suppress(sqlite3.DatabaseError):
            return _reading(path), False
        return _opened(":memory:"), False
    with contextlib.suppress(sqlite3.OperationalError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _opened(str(path)), True
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            return _opened(str(path)), True
    return _opened(":memory:"), False


def _reading(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(
        uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("SELECT number FROM vector LIMIT 1")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _opened(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # A vector lost in a power cut is encoded again.
        connection.execute("PRAGMA synchronous = OFF")
        # What held the words of somebody is overwritten, not merely unlinked.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(_TABLE)
        connection.execute(_PASSING)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
