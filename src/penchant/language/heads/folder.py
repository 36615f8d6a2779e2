"""A head's folder, which is read while others save to it, and survives a save that is killed.

    manifest.json       the only name that is ever replaced: which folders count, and the sha256 of
                        each file in them
    head-<digest>/      head.json, arrays, and encoder.json: what opens the encoder
    encoder-<digest>/   the files of an encoder that lies nowhere else, a tuned one

The two folders are named by what is in them and never change. Nothing is ever pickled.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from penchant.language.heads.linear import HeadDamaged
from penchant.store.artefacts import Artefacts
from penchant.store.durable import checksum, replaced, sync
from penchant.types import Error, InvalidInput

FORMAT = 1
MANIFEST = "manifest.json"
HEAD, ENCODER = "head", "encoder"
DESCRIBED = "encoder.json"
_WHOLE = re.compile(rf"({HEAD}|{ENCODER})-[0-9a-f]{{16}}")
_REST = re.compile(rf"({HEAD}|{ENCODER})\.partial|\.{re.escape(MANIFEST)}\.[0-9a-f]+")
_TRIES = 100
_T = TypeVar("_T")


@dataclass(frozen=True)
class Named:
    """What the manifest with the content `text` names: folders, and `sums` of their files.

    `described` says what opens the encoder; None where the head was saved without one.
    """

    folder: Path
    text: bytes
    head: Path
    encoder: Path
    described: Path | None
    sums: Mapping[Path, str]


def write(
    folder: str | Path,
    content: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    described: Mapping[str, Any] | None = None,
    copy: Callable[[Path], None] | None = None,
) -> None:
    """Write a head to `folder`, in one step in place of the head that it holds.

    `described` says what opens the encoder, `copy` writes its files to the folder that it is given.
    Raises InvalidInput for a file, and for a folder that holds anything else than a head.
    """

    def head(own: Path) -> None:
        files = Artefacts(own)
        files.write_json("head", {"format": FORMAT, **content})
        files.write_arrays(arrays)
        if described is not None:
            files.write_json(Path(DESCRIBED).stem, described)

    target = _writable(located(folder))
    parts = {HEAD: head} if copy is None else {HEAD: head, ENCODER: copy}
    with _alone(target):
        try:
            made = {kind: _made(target, kind, fill) for kind, fill in parts.items()}
            _clean(target, _replace(target, made))
        finally:
            for name in filter(_REST.fullmatch, _names(target)):
                _remove(target / name)


def steadily(folder: str | Path, reading: Callable[[Named], _T]) -> _T:
    """Return what `reading` makes of the head in `folder`, all of one save.

    Where the head was replaced meanwhile, its files may be gone: the one of now is read then.
    Raises InvalidInput for no head at all, HeadDamaged where files are missing or were changed.
    """
    place = located(folder)
    named = _find(place)
    for _ in range(_TRIES):
        try:
            _check(named)
            return reading(named)
        except Exception:
            now = _find(place)
            if now.text == named.text:
                raise
            named = now
    raise HeadDamaged(f"{place} was replaced {_TRIES} times while it was read: read it again later")


def read(named: Named) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return content and arrays that `write` wrote; HeadDamaged where they cannot be read."""
    files = Artefacts(named.head)
    try:
        arrays = {
            path.stem: np.array(files.array(path.stem))
            for path in named.sums
            if path.parent == named.head and path.suffix == ".npy"
        }
        return files.json("head"), arrays
    except (OSError, ValueError) as error:
        raise _unreadable(named.head, error) from error


def located(folder: str | Path) -> Path:
    """Return the whole path of `folder`; InvalidInput for what is none."""
    if not isinstance(folder, str | Path):
        raise InvalidInput(
            f"expected the path of a folder, got {type(folder).__name__} {folder!r}: for example "
            '"heads/intent"'
        )
    try:
        return Path(folder).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidInput(f"expected the path of a folder, got {folder!r} ({error})") from error


def _find(folder: Path) -> Named:
    """Return what the manifest names; InvalidInput where there is no head at all."""
    try:
        text = (folder / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if any(map(_WHOLE.fullmatch, _names(folder))):
            raise HeadDamaged(
                f"{folder} holds files of a head, but {MANIFEST} is missing: copy the folder "
                "again, or learn the head again"
            ) from error
        raise InvalidInput(
            f"expected the folder of a head (with {MANIFEST}), got {folder}, which has none: "
            "learn_head(...) makes one and save(folder) writes it"
        ) from error
    try:
        manifest = json.loads(text)
        form = manifest["format"]
        if form == FORMAT:
            return _named(folder, text, manifest["folders"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(folder / MANIFEST, error) from error
    raise HeadDamaged(
        f"{folder} has format {form}, this version reads {FORMAT}: learn the head again"
    )


def _named(folder: Path, text: bytes, folders: Mapping[str, Mapping[str, str]]) -> Named:
    kinds = {match[1]: name for name in folders if (match := _WHOLE.fullmatch(name))}
    head = folder / kinds[HEAD]
    sums = {
        folder / kinds[kind] / Path(name).name: str(of)
        for kind in kinds
        for name, of in folders[kinds[kind]].items()
    }
    described = head / DESCRIBED
    encoder = folder / kinds.get(ENCODER, ENCODER)
    return Named(folder, text, head, encoder, described if described in sums else None, sums)


def _check(named: Named) -> None:
    for path, expected in named.sums.items():
        try:
            problem = "" if checksum(path) == expected else "is not the file that was saved"
        except FileNotFoundError:
            problem = "is missing"
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
        if problem:
            raise HeadDamaged(
                f"{path} {problem}: copy the folder again, all of {named.folder}, or learn the "
                "head again"
            )


def _unreadable(path: Path, error: Exception) -> HeadDamaged:
    return HeadDamaged(
        f"{path} cannot be read ({type(error).__name__}: {error}): copy the folder of the head "
        "again, or learn the head again"
    )


def _writable(folder: Path) -> Path:
    """Return `folder`, made if there is none; InvalidInput where something else would be lost."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidInput(
            f"expected a folder to save the head to, got {folder}, which is a file or lies below "
            "one: name another, or move the file away"
        ) from error
    names = _names(folder)
    if names and not _holds_head(folder, names):
        raise InvalidInput(
            f"expected a folder that is new, empty or holds a head, got {folder} with "
            f"{sorted(names)[:5]}: name another, for example {folder / 'head'}"
        )
    return folder


def _holds_head(folder: Path, names: list[str]) -> bool:
    with suppress(Error):
        return bool(_find(folder).sums)
    # What a save that was killed left, or a head that is damaged: to be saved again.
    own = [name for name in names if _WHOLE.fullmatch(name) or _REST.fullmatch(name)]
    return bool(own) and not {*names} - {*own, MANIFEST}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one save at a time write to `folder`: what another is about to name looks like rest."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # there are network drives that lock no folders
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _made(folder: Path, kind: str, fill: Callable[[Path], None]) -> dict[str, str]:
    """Return the sums of the files that `fill` wrote to the partial folder of this kind."""
    partial = folder / f"{kind}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    fill(partial)
    sums = _sums(partial, synced=True)
    sync(partial)
    return sums


def _replace(folder: Path, made: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Give the partial folders their names, make them the head, and return the names."""
    names = {}
    for kind, sums in made.items():
        digest = hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()
        names[kind] = f"{kind}-{digest[:16]}"
    manifest = {
        "format": FORMAT,
        # By this a reader notices that a head was replaced by another and by itself again.
        "saved": secrets.token_hex(8),
        "folders": {names[kind]: sums for kind, sums in made.items()},
    }
    for kind, name in names.items():
        place = folder / name
        # One that is whole stays: who opened the head copies a tuned encoder from there.
        if not (place.is_dir() and _sums(place) == made[kind]):
            _remove(place)
            (folder / f"{kind}.partial").rename(place)
    sync(folder)
    with replaced(folder / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1).encode())
    return set(names.values())


def _clean(folder: Path, kept: set[str]) -> None:
    """Remove what is not kept: of the head before, or left by a save that was killed."""
    for name in _names(folder):
        if _WHOLE.fullmatch(name) and name not in kept:
            _remove(folder / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _sums(folder: Path, *, synced: bool = False) -> dict[str, str]:
    return {path.name: checksum(path, synced=synced) for path in sorted(folder.iterdir())}
