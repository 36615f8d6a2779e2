"""What was learned, in folders: checksummed, switched atomically, never pickled.

A snapshot's id ends in the checksum of its manifest, and the manifest holds the checksum of every
file: a file that was changed, by accident or not, no longer fits the id.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.store.durable import checksum, replaced, sync
from penchant.store.faults import StoreError, fault
from penchant.store.lock import FileLock

MANIFEST = "manifest.json"
CURRENT = "current"
_BUILDING = ".building-"
_DIGEST = 12


class SnapshotDamaged(StoreError):
    """A snapshot that is incomplete or was changed after it was published."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published folder, whose checksums were right when it was opened."""

    id: str
    folder: Path
    manifest: Mapping[str, Any] = field(repr=False)

    def path(self, name: str) -> Path:
        """Return the path of a file of the snapshot."""
        if name not in self.manifest["files"]:
            raise StoreError(
                f"snapshot {self.id} has no file {name!r}; it has {sorted(self.manifest['files'])}"
            )
        return self.folder / name

    def has(self, name: str) -> bool:
        """Return whether the snapshot has a file of this name."""
        return name in self.manifest["files"]

    def array(self, name: str) -> npt.NDArray[Any]:
        """Return an array, mapped into memory; `name` with or without ".npy"."""
        path = self.path(name if name.endswith(".npy") else f"{name}.npy")
        try:
            loaded: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise SnapshotDamaged(f"{path} is not an array of numbers: {error}") from error
        return loaded

    def json(self, name: str) -> Any:
        """Return what a JSON file holds; `name` with or without ".json"."""
        path = self.path(name if name.endswith(".json") else f"{name}.json")
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise SnapshotDamaged(f"{path} is not JSON: {error}") from error


class Snapshots:
    """The snapshots of a store, oldest first, and which of them is current."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self.directory = directory
        self.warnings: list[str] = []
        self._read_only = read_only
        self._guard = threading.Lock()
        # Those whose checksums were right, and what their files looked like then.
        self._sound: dict[str, tuple[Snapshot, _Looks]] = {}
        if not read_only:
            directory.mkdir(exist_ok=True)

    def begin(self) -> Path:
        """Return a fresh, empty folder to write the files of a snapshot into."""
        self._writable()
        number = 0
        while True:
            folder = self.directory / f"{_BUILDING}{os.getpid()}-{number}"
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
            except OSError as error:
                raise fault(error, str(self.directory)) from error

    def publish(self, folder: Path, summary: Mapping[str, Any]) -> str:
        """Return the id under which the files of `folder` are now the current snapshot.

        `summary` (JSON-able: metrics, settings, `created` in seconds) goes into the manifest,
        with the checksums and the id of the snapshot that was current before (`parent`). The
        folder is moved; a crash leaves either the old snapshot current or the new one, whole.
        """
        self._writable()
        if folder.parent != self.directory or not folder.is_dir():
            raise StoreError(f"expected a folder that begin() returned, got {folder}")
        names = sorted(
            str(p.relative_to(folder))
            for p in folder.rglob("*")
            if p.is_file() and p.name != MANIFEST
        )
        try:
            with self._locked():
                content = {
                    "created": folder.stat().st_mtime,
                    **summary,
                    "parent": self._named(),
                    "files": {name: checksum(folder / name, synced=True) for name in names},
                }
                text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode()
                with replaced(folder / MANIFEST) as file:
                    file.write(text)
                # The folder itself was synced with its manifest.
                for inner in (p for p in folder.rglob("*") if p.is_dir()):
                    sync(inner)
                last = max((int(name.split("-")[0]) for name in self._names()), default=0)
                identity = f"{last + 1:06d}-{hashlib.sha256(text).hexdigest()[:_DIGEST]}"
                folder.rename(self.directory / identity)
                sync(self.directory)
                self._point(identity)
        except (OSError, TypeError) as error:
            raise fault(error, str(self.directory)) from error
        return identity

    def current(self) -> Snapshot | None:
        """Return the current snapshot, None before any was published.

        If it is damaged, the newest sound one older than it is returned, and `warnings` says so.
        """
        named = self._named()
        names = self._names()
        if named is None:
            if names:
                self._warn(unnamed(self.directory))
            return None
        candidates = [named, *(n for n in reversed(names) if n < named), *reversed(names)]
        for name in dict.fromkeys(candidates):
            try:
                found = self.open(name)
            except SnapshotDamaged as error:
                self._warn(str(error))
                continue
            if name != named:
                self._warn(f"snapshot {named} cannot be used; {name} answers in its place")
            return found
        self._warn(f"no snapshot in {self.directory} is sound; answering as before any training")
        return None

    def open(self, identity: str) -> Snapshot:
        """Return the snapshot of this id after checking every file; raises `SnapshotDamaged`."""
        with self._guard:
            found = self._sound.get(identity)
        if found is not None and found[1] == _looks(found[0].folder, found[0].manifest["files"]):
            return found[0]
        folder = self.directory / identity
        try:
            text = (folder / MANIFEST).read_bytes()
            manifest = json.loads(text)
            files = dict(manifest["files"])
            # Before they are read: what is changed meanwhile looks otherwise afterwards.
            looks = _looks(folder, files)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SnapshotDamaged(
                f"snapshot {identity} has no readable manifest ({error}); train again, "
                "or activate another snapshot"
            ) from error
        if hashlib.sha256(text).hexdigest()[:_DIGEST] != identity.rpartition("-")[2]:
            raise SnapshotDamaged(
                f"the manifest of snapshot {identity} was changed; activate another snapshot"
            )
        for name, expected in files.items():
            path = folder / name
            if not path.is_file() or checksum(path) != expected:
                raise SnapshotDamaged(
                    f"file {name!r} of snapshot {identity} is missing or was changed; "
                    "activate another snapshot, or train again"
                )
        snapshot = Snapshot(identity, folder, MappingProxyType(manifest))
        with self._guard:
            self._sound[identity] = snapshot, looks
        return snapshot

    def spoilt(self, identity: str) -> str | None:
        """Return what is to be said of a snapshot that was opened here and has changed since.

        By size, time and place of its files, in microseconds; `open` compares checksums.
        """
        with self._guard:
            found = self._sound.get(identity)
        if found is None or found[1] == _looks(found[0].folder, found[0].manifest["files"]):
            return None
        return (
            f"files of snapshot {identity}, which answers, are missing or were changed since it "
            "was loaded; activate another snapshot, or train again"
        )

    def activate(self, identity: str) -> None:
        """Make this snapshot current (roll-back, or forward again), after checking it."""
        self._writable()
        if identity not in self._names():
            raise StoreError(f"there is no snapshot {identity!r}; there are {self._names()}")
        self.open(identity)
        with self._locked():
            self._point(identity)

    def prune(self, keep: int) -> list[str]:
        """Return the ids of the snapshots removed: all but the newest `keep` and the current one.

        Folders that a dead process began are removed too.
        """
        self._writable()
        with self._locked():
            names, current = self._names(), self._named()
            gone = [n for n in names[: max(0, len(names) - max(0, keep))] if n != current]
            for name in gone:
                # Renamed first, so that nobody finds half a snapshot under its id.
                hidden = self.directory / f"{_BUILDING}0-{name}"
                (self.directory / name).rename(hidden)
                shutil.rmtree(hidden, ignore_errors=True)
            for folder in self.directory.glob(f"{_BUILDING}*"):
                process = folder.name.removeprefix(_BUILDING).split("-")[0]
                if process.isdigit() and not _alive(int(process)):
                    shutil.rmtree(folder, ignore_errors=True)
        with self._guard:
            for name in gone:
                self._sound.pop(name, None)
        return gone

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with closing(FileLock(self.directory / "snapshots.lock")) as lock, lock.held():
            yield

    def _names(self) -> list[str]:
        try:
            return sorted(
                entry.name
                for entry in os.scandir(self.directory)
                if entry.is_dir() and entry.name[0] != "." and entry.name.split("-")[0].isdigit()
            )
        except FileNotFoundError:
            return []

    def _named(self) -> str | None:
        try:
            return (self.directory / CURRENT).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def _point(self, identity: str) -> None:
        with replaced(self.directory / CURRENT) as file:
            file.write(f"{identity}\n".encode())

    def _writable(self) -> None:
        if self._read_only:
            raise StoreError(f"{self.directory} was opened to read; open the store to write")

    def _warn(self, text: str) -> None:
        with self._guard:
            if text not in self.warnings:
                self.warnings.append(text)

    @property
    def named(self) -> str | None:
        """Return the id of the snapshot that was made current last, sound or not."""
        return self._named()

    def list(self) -> list[str]:
        """Return the ids of all snapshots, oldest first."""
        return self._names()


_Looks = tuple[tuple[int, ...] | None, ...]


def _looks(folder: Path, files: Iterable[str]) -> _Looks:
    found: list[tuple[int, ...] | None] = []
    for name in (MANIFEST, *files):
        try:
            status = (folder / name).stat()
            found.append((status.st_size, status.st_mtime_ns, status.st_ino))
        except (OSError, ValueError):
            found.append(None)
    return tuple(found)


def unnamed(directory: Path) -> str:
    """Return what is to be said where there are snapshots, and no pointer to one of them."""
    return f"{directory / CURRENT} names none of the snapshots there; activate one, or train again"


def _alive(process: int) -> bool:
    if process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
