"""Which libraries a training needs: asked for at once, so that none is missed an hour later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

from penchant.learn.config import LearnConfig
from penchant.types import Error


class MissingLibrary(Error):
    """A training needs a library of the extra `train` that is not installed."""


def need(config: LearnConfig, n_items: int = 0, more: Iterable[str] = ()) -> None:
    """Raise MissingLibrary where what `config` needs, or one of `more`, cannot be imported."""
    config = afforded(config)
    missing = [name for name in (*needed(config, n_items), *more) if not _found(name)]
    if missing:
        raise MissingLibrary(
            f"learning with effort {config.effort} needs {', '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed: "
            '`pip install "penchant[train]"`; until then popularity, co-visitation and text '
            "answer, and snapshots that were made elsewhere"
        )
    _loads("lightgbm")  # the one that lacks something on a bare system


def afforded(config: LearnConfig) -> LearnConfig:
    """Return `config` without what effort fast only takes along where torch is there."""
    if config.effort != "fast" or not config.sources.networks or _found("torch"):
        return config
    return replace(config, sources=replace(config.sources, tuned=None, contextual=None))


def needed(config: LearnConfig, n_items: int) -> Iterator[str]:
    """Yield the libraries that a training imports beyond those that answering does."""
    yield from ("lightgbm", "onnx", "onnxmltools", "scipy", "threadpoolctl")
    sources = config.sources
    if sources.networks or config.encoder is not None:
        yield "torch"
    if config.encoder is not None:
        yield from ("transformers", "peft")
    exported = (sources.sequence, sources.sequence_text, sources.contextual)
    if config.encoder is not None or any(one is not None for one in exported):
        yield "onnxscript"
    if n_items > config.sources.dense_below:
        yield "implicit"
    if config.search_seconds > 0:
        yield "optuna"


def _found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:
        return False


def _loads(name: str) -> None:
    """Raise MissingLibrary where a library is there and lacks something of the system."""
    try:
        import_module(name)
    except (ImportError, OSError) as error:
        raise MissingLibrary(
            f"{name} is installed and cannot be loaded: {error}; on Debian and Ubuntu "
            "`apt-get install libgomp1` provides what it most often misses"
        ) from error
