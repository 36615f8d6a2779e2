"""The ONNX form of a sentence encoder, in a cache that all shelves of the user share.

It is written once by `python -m penchant.learn.encoder.export`, the only step that needs torch.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from penchant.language.encoder.weights import (
    DEFAULT,
    FORMAT,
    PINNED,
    WeightsMissing,
    address,
    is_folder,
    resolve,
    sha256,
    weight_files,
)
from penchant.store.durable import replaced
from penchant.types import Error

META = "meta.json"
_NEEDED_TO_EXPORT = ("torch", "transformers", "onnx", "onnxscript")


class ExportFailed(Error):
    """The ONNX form of a model is missing and could not be made."""


def cache_home() -> Path:
    """Return the folder shared by all shelves of this user: $PENCHANT_CACHE, else the system's."""
    if chosen := os.environ.get("PENCHANT_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "penchant"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penchant"


def ensure_onnx(model: str | Path = DEFAULT, cache_directory: str | Path | None = None) -> Path:
    """Return the folder with model.onnx, model.int8.onnx, tokenizer.json and meta.json of `model`.

    Exports on first use, about half a minute, under a file lock: a second process waits and finds
    it done. A folder that is already an export is returned as it is. A package or a hub id is
    resolved once: later the cache answers alone, without the weights, and a hub branch that moved
    is not followed. Raises WeightsMissing or ExportFailed.
    """
    shelf, name = _shelf(cache_directory), str(model)
    folder, source = _place(shelf, name, online=True)
    if source is None:
        return folder
    names = _names(shelf, name)
    if not is_export(folder):
        if name in PINNED and (came := sha256(weight_files(source))) != PINNED[name]:
            raise WeightsMissing(
                f"{source / 'model.safetensors'} should have sha256 {PINNED[name]}, has {came}: "
                "it is damaged or was changed; reinstall the package, or name its folder as the "
                "model to use it as it is"
            )
        try:
            shelf.mkdir(parents=True, exist_ok=True)
            with _locked(folder.with_suffix(".lock")):
                if not is_export(folder):
                    _export(source, folder, source.name if names is None else name)
        except OSError as error:
            raise ExportFailed(
                f"cannot write the encoder cache {shelf}: {error.strerror}; set $PENCHANT_CACHE "
                "or cache_directory in [encoder] to a folder that can be written"
            ) from error
    if names is not None:
        # A cache that is read-only by now still works: it is asked the long way.
        with contextlib.suppress(OSError):
            names.parent.mkdir(exist_ok=True)
            with replaced(names) as file:
                file.write(folder.name.encode())
    return folder


def standing(model: str | Path = DEFAULT, cache_directory: str | Path | None = None) -> Path | None:
    """Return the export of `model` on this machine, None where the first use would make it.

    Makes and downloads nothing. Raises WeightsMissing where the weights are not here either.
    """
    folder, _ = _place(_shelf(cache_directory), str(model), online=False)
    return folder if is_export(folder) else None


def is_export(folder: Path) -> bool:
    """Return whether `folder` holds a finished export: meta.json is the last file to be written."""
    return (folder / META).is_file()


def _shelf(cache_directory: str | Path | None) -> Path:
    return (Path(cache_directory) if cache_directory is not None else cache_home()) / "encoders"


def _place(shelf: Path, name: str, *, online: bool) -> tuple[Path, Path | None]:
    """Return where the export of a model lies or would lie, and the weights that it is made of.

    None for the weights where nobody has to look at them: what there is is an export already.
    """
    names = _names(shelf, name)
    if names is not None and (known := _read_name(names)) and is_export(shelf / known):
        return shelf / known, None
    source = resolve(name, online=online)
    if is_export(source):
        return source, None
    return shelf / address(source, PINNED.get(name)), source


def _names(shelf: Path, name: str) -> Path | None:
    """Return the file that remembers what a name was resolved to; a folder may change, so None."""
    return None if is_folder(name) else shelf / "names" / _filename(name)


def _filename(name: str) -> str:
    named = f"{FORMAT} {name}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(named, digest_size=16).hexdigest()


def _read_name(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _export(source: Path, folder: Path, name: str) -> None:
    missing = [m for m in _NEEDED_TO_EXPORT if importlib.util.find_spec(m) is None]
    if missing:
        raise ExportFailed(
            f"the ONNX form of {source} is not in {folder.parent} yet, and making it needs "
            f"{', '.join(missing)}: `pip install 'penchant[train]'` here, or copy that folder, "
            "names included, from a machine where the encoder was opened once"
        )
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    environment = dict(os.environ)
    # The child must find this very package, also where it is run from a checkout.
    package = str(Path(__file__).parents[3])
    environment["PYTHONPATH"] = os.pathsep.join(
        p for p in (package, environment.get("PYTHONPATH")) if p
    )
    command = [sys.executable, "-m", "penchant.learn.encoder.export"]
    command += [str(source), str(partial), "--name", name]
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode or not is_export(partial):
        shutil.rmtree(partial, ignore_errors=True)
        lines = done.stderr.strip().splitlines()
        raise ExportFailed(
            f"exporting {source} to ONNX ended with status {done.returncode}: "
            f"{lines[-1] if lines else 'no message'}; run `{' '.join(['python', *command[1:]])}` "
            "to see it all"
        )
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
