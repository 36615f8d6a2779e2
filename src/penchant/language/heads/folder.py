"""A head's folder: head.json, arrays, and a manifest with the checksum of each. Never pickled."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.language.heads.linear import HeadDamaged
from penchant.store.artefacts import Artefacts
from penchant.types import InvalidInput

FORMAT = 1
MANIFEST = "manifest.json"


def write(folder: Path, content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write head.json and the arrays; the folder appears whole or not at all."""
    with whole(folder) as partial:
        files = Artefacts(partial)
        files.write_json("head", {"format": FORMAT, **content})
        files.write_arrays(arrays)
        sums = {path.name: _sha256(path) for path in sorted(partial.iterdir())}
        files.write_json("manifest", {"format": FORMAT, "files": sums})


def read(folder: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return what `write` wrote. InvalidInput for no head at all, HeadDamaged for a changed one."""
    if not (folder / MANIFEST).is_file():
        raise InvalidInput(
            f"expected the folder of a head (with {MANIFEST}), got {folder}: save() writes one"
        )
    files = Artefacts(folder)
    try:
        manifest = files.json("manifest")
        if manifest["format"] != FORMAT:
            raise HeadDamaged(
                f"{folder} has format {manifest['format']}, this version reads {FORMAT}: learn the "
                "head again"
            )
        for name, expected in manifest["files"].items():
            path = folder / Path(name).name
            if not path.is_file() or _sha256(path) != expected:
                raise HeadDamaged(
                    f"{path} is {'not the file that was saved' if path.exists() else 'missing'}: "
                    "copy the folder again, or learn the head again"
                )
        arrays = {
            Path(name).stem: np.array(files.array(Path(name).stem))
            for name in manifest["files"]
            if name.endswith(".npy")
        }
        return files.json("head"), arrays
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HeadDamaged(
            f"{folder} cannot be read ({type(error).__name__}: {error}): copy it again, or learn "
            "the head again"
        ) from error


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Yield a folder that takes the place of `folder` when the block ends well, at once."""
    folder = Path(folder)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in (partial, old):
        shutil.rmtree(left, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
