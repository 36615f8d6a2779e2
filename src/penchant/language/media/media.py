"""What an item is beside its text: a row for the pictures, sounds and numbers that it names."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from penchant.language.encoder.cache import CachedEncoder
from penchant.language.media.config import MediaConfig
from penchant.language.media.model import MediaModelDamaged
from penchant.language.media.picture import Pictures, Unreadable
from penchant.language.media.sound import Sounds
from penchant.language.projection import Layout
from penchant.language.template import attributes_of
from penchant.types import Floats

MOST_FILES = 8  # of one item: what lies behind them is not looked at
_LARGEST = 1e30


class Reads(Protocol):
    """Reads one kind of file. `id` is a content address, as that of an encoder."""

    id: str
    dimension: int

    def __call__(self, path: Path) -> Floats:
        """Return a unit vector float32[dimension], zeros where it says nothing."""
        ...


class Media:
    """Rows float32[n, m] of items: a part for each kind, NaN where an item has none.

    Models are opened at once: what is wrong with them is raised here. Vectors are remembered in the
    file `cache`, by content. What cannot be read is missing; `warn` is told once a call and kind.
    """

    def __init__(
        self,
        config: MediaConfig,
        directory: Path,
        cache: Path | None,
        *,
        read_only: bool = False,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._kinds = dict(config.named())
        self._length = config.vector_length
        root = Path(config.root).expanduser() if config.root else directory
        self._root = (directory / root).resolve()
        self._bytes = int(config.megabytes * 1e6)
        self._warn = warn
        self._files: dict[str, _Files] = {}
        self._open: dict[str, Callable[[], Reads]] = {
            "picture": lambda: Pictures(_beside(directory, config.picture_model)),
            "sound": lambda: Sounds(_beside(directory, config.sound_model)),
        }
        self._cache, self._read_only = cache, read_only
        self._guard = threading.Lock()
        self.layout: Layout = tuple(self._part(kind) for kind in self._kinds)
        """The name and length of each part: its kind, and the model that reads it."""

    def __call__(self, rows: pl.DataFrame) -> Floats:
        """Return the row of each item of a frame with the columns of ITEMS."""
        told: list[Mapping[str, Any]] = [{}] * len(rows)
        if "attributes" in rows.columns:
            told = [attributes_of({"attributes": one}) for one in rows["attributes"].to_list()]
        parts: list[Floats] = [np.zeros((len(rows), 0), dtype=np.float32)]
        for kind, attribute in self._kinds.items():
            said = [one.get(attribute) for one in told]
            problems: Counter[str] = Counter()
            if kind == "vector":
                parts.append(self._numbers(said, problems))
            else:
                parts.append(self._read(kind, said, problems))
            if problems and self._warn is not None:
                (reason, _), *_ = problems.most_common(1)
                n = problems.total()
                who = "an item goes without its" if n == 1 else f"{n} items go without their"
                self._warn(f"{who} {kind}: {reason}")
        return np.concatenate(parts, axis=1)

    def close(self) -> None:
        """Close the file that vectors are remembered in."""
        for one in self._files.values():
            one.close()

    def _part(self, kind: str) -> tuple[str, int]:
        if kind == "vector":
            return f"vector {self._length}", self._length
        files = self._of(kind)
        return f"{kind} {files.id}", files.dimension

    def _numbers(self, said: Sequence[Any], problems: Counter[str]) -> Floats:
        out: Floats = np.full((len(said), self._length), np.nan, dtype=np.float32)
        for place, value in enumerate(said):
            if value is None:
                continue
            numbers = isinstance(value, list) and all(type(one) in (int, float) for one in value)
            if not numbers:
                problems[f"{str(value)[:60]!r} is no list of numbers"] += 1
            elif len(value) != self._length:
                problems[f"{len(value)} numbers, expected {self._length}"] += 1
            elif not (max(map(abs, value)) < _LARGEST):
                problems["numbers that are not finite, or too large"] += 1
            elif not (norm := float(np.linalg.norm(np.array(value, dtype=np.float64)))):
                problems["numbers that are all zero"] += 1
            else:
                out[place] = np.array(value, dtype=np.float64) / norm
        return out

    def _read(self, kind: str, said: Sequence[Any], problems: Counter[str]) -> Floats:
        named = [[value] if isinstance(value, str) else value for value in said]
        if not any(named):
            return np.full((len(said), self._of(kind).dimension), np.nan, dtype=np.float32)
        files = self._of(kind)
        marks: list[list[str]] = []
        for value in named:
            marks.append([])
            if value is not None and not isinstance(value, list):
                problems[f"{str(value)[:60]!r} is no name of a file, and no list of names"] += 1
                continue
            for name in (value or [])[:MOST_FILES]:
                try:
                    marks[-1].append(files.known(self._path(name), self._bytes))
                except Unreadable as error:
                    problems[f"{str(name)[:80]}: {error}"] += 1
        flat = sorted({mark for row in marks for mark in row})
        rows, unread = files.rows(flat)
        problems.update(unread)
        place = {mark: number for number, mark in enumerate(flat)}
        out: Floats = np.full((len(said), files.dimension), np.nan, dtype=np.float32)
        for number, row in enumerate(marks):
            found = [rows[place[mark]] for mark in row if rows[place[mark]].any()]
            if found:
                mean = np.mean(found, axis=0)
                norm = float(np.linalg.norm(mean))
                if norm > 0:
                    out[number] = mean / norm
        return out

    def _path(self, name: Any) -> Path:
        """Return where a named file lies; never outside the root, whoever wrote the catalogue."""
        if not isinstance(name, str) or "\0" in name:
            raise Unreadable("no name of a file")
        try:
            path = (self._root / name).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise Unreadable(str(error)) from error
        if not path.is_relative_to(self._root):
            raise Unreadable("it lies outside the folder that [media] root names")
        return path

    def _of(self, kind: str) -> _Files:
        with self._guard:
            if kind not in self._files:
                files = _Files(self._open[kind]())
                if self._cache is not None:
                    files.remember(self._cache, self._read_only)
                self._files[kind] = files
            return self._files[kind]


class _Files:
    """An encoder of files, each named by the digest of its content, so that a cache fits it."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self.id, self.dimension = reads.id, reads.dimension
        self._cached: CachedEncoder | None = None
        self._lock = threading.Lock()
        self._looks: dict[Path, tuple[int, int, str]] = {}
        self._paths: dict[str, Path] = {}
        self._unread: dict[str, str] = {}

    def remember(self, cache: Path, read_only: bool) -> None:
        """Keep what was read in the file `cache`."""
        self._cached = CachedEncoder(self, cache, read_only=read_only)

    def known(self, path: Path, most: int) -> str:
        """Return the mark of a file's content; raises `Unreadable`."""
        try:
            status = path.stat()
            seen = self._looks.get(path)
            if seen is not None and seen[:2] == (status.st_size, status.st_mtime_ns):
                return seen[2]
            if not path.is_file():
                raise Unreadable("no file")
            if status.st_size > most:
                raise Unreadable(f"{status.st_size / 1e6:.0f} MB, more than [media] megabytes")
            with path.open("rb") as file:
                mark = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error
        self._looks[path] = (status.st_size, status.st_mtime_ns, mark)
        self._paths[mark] = path
        return mark

    def rows(self, marks: Sequence[str]) -> tuple[Floats, list[str]]:
        """Return float32[n, d], rows of zeros for what could not be read, and why it could not."""
        with self._lock:
            self._unread.clear()
            rows = self.encode(marks) if self._cached is None else self._cached.encode(marks)
            silent = [mark for mark, row in zip(marks, rows, strict=True) if not row.any()]
            self.encode([mark for mark in silent if mark not in self._unread])  # to know why
            names = ((self._paths[mark].name, self._unread.get(mark)) for mark in silent)
            return rows, [f"{name}: {why or 'it says nothing'}" for name, why in names]

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return float32[n, dimension] of files by their marks."""
        out: Floats = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for place, mark in enumerate(texts):
            try:
                out[place] = self._reads(self._paths[mark])
            except (Unreadable, MediaModelDamaged) as error:
                self._unread[mark] = str(error)
        return out

    def reads(self, text: str) -> bool:
        """Return whether a mark is that of a file that is known."""
        return text in self._paths

    def close(self) -> None:
        """Close the file that vectors are remembered in."""
        if self._cached is not None:
            self._cached.close()


def _beside(directory: Path, folder: str) -> Path:
    return directory / Path(folder).expanduser()
