"""Which encoder a snapshot is learned with: the configured one, one tuned on this log, or that of
the snapshot that serves.

An encoder learns from what lies before the window that the ranker learns from, and from nothing
later. The window of every later training begins later still, so an encoder that is kept has never
seen what anything is measured by. It goes into the folder of the snapshot: what answers there was
learned in its space and in no other.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from penchant.language.encoder.exported import META, is_export
from penchant.language.encoder.open import OWN, EncoderConfig
from penchant.language.whitening import Whitening
from penchant.learn.config import TRIED, LearnConfig
from penchant.learn.tracking import Tracker
from penchant.learn.view import View
from penchant.store.open import Store
from penchant.types import Error, Floats, Ids, Tell

WORKSPACE = "tuning"  # in the directory: what a killed tuning goes on from
NEWEST = 0.1  # the share of what is learned from that says when to stop
LEAST = 100  # questions below which nothing can be told


@dataclass(frozen=True)
class Encoding:
    """Whether the snapshot in the making has an encoder of its own, and what is to be said of it.

    `report` is plain JSON, None where the configured encoder was taken without a question.
    """

    own: bool
    report: dict[str, Any] | None = None


def same_encoder(one: Path, other: Path) -> bool:
    """Return whether two folders of snapshots have the same encoder of their own, or none."""
    return _meta(one) == _meta(other)


def settle(
    store: Store,
    view: View,
    config: LearnConfig,
    target: Path,
    space: str,
    tell: Tell,
    tracker: Tracker,
) -> Encoding:
    """Put the encoder that is to be learned with into the folder `target`, if it is no plain one.

    `space` names the vectors of items by the settings (`text_space`).
    """
    if view.texts is None or not len(view):
        return Encoding(False)
    encoder = store.settings.section("encoder", EncoderConfig)
    if config.encoder is None or encoder.endpoint:
        kept = config.keep_encoder and _kept(store, target, space)
        return Encoding(kept, {"kept": "of the snapshot before"} if kept else None)
    report = _tuned(store.directory / WORKSPACE, view, config, encoder, target, tell, tracker)
    return Encoding(is_export(target / OWN), report)


def _kept(store: Store, target: Path, space: str) -> bool:
    """Copy the encoder of the snapshot that serves, unless the settings ask for another by now."""
    serving = store.snapshots.current()
    if serving is None or not is_export(serving.folder / OWN):
        return False
    texts: Mapping[str, Any] = serving.manifest.get("texts", {})
    if texts.get("space") != space:
        return False
    shutil.copytree(serving.folder / OWN, target / OWN)
    return True


def _tuned(
    workspace: Path,
    view: View,
    config: LearnConfig,
    encoder: EncoderConfig,
    target: Path,
    tell: Tell,
    tracker: Tracker,
) -> dict[str, Any]:
    # Here, so that a training which tunes nothing needs no torch.
    from penchant.learn.encoder.export import export
    from penchant.learn.tuning.fit import TuningStopped, tune
    from penchant.learn.tuning.selection import paying

    assert config.encoder is not None
    assert view.texts is not None
    wanted = view.wanted()
    begin = wanted.newest(config.window)
    past = wanted.before(begin)
    learned = past.before(past.newest(NEWEST))
    texts = view.texts()
    users, items = _next(past, learned)
    if len(users) < LEAST:
        return {"kept": "original", "reason": f"{len(users)} of {LEAST} questions to judge by"}
    behaviour = _behaviour(texts, learned)
    validate = _Whitened(behaviour, users, items, config.whitened)
    own: dict[str, Any] = {
        "seed": config.seed,
        "threads": config.threads,
        "max_tokens": min(config.encoder.max_tokens, encoder.max_tokens),
    }
    tuning = replace(config.encoder, **own)
    folder = workspace / "tuned"
    tried: list[Any] = []
    shutil.rmtree(folder, ignore_errors=True)
    workspace.mkdir(exist_ok=True)
    try:
        if config.encoder_trials:
            asked = replace(TRIED, **own, most_seconds=tuning.most_seconds)
            tuning, tried = paying(
                encoder.model,
                behaviour,
                asked,
                validate=validate,
                seconds=config.encoder_trials,
                tell=tell,
                workspace=workspace,
            )
        done = tune(
            encoder.model,
            behaviour,
            tuning,
            folder,
            validate=validate,
            tell=tell,
            tracker=tracker,
            workspace=workspace / "steps",
        )
    except TuningStopped as stopped:  # the best until then was kept
        done = stopped.tuned
    except Error as error:  # an export without the weights, texts without words
        tell(f"the encoder is not tuned: {error}", 1.0)
        return {"kept": "original", "reason": str(error)}
    try:
        if done.kept != "original":
            tell("exporting the tuned encoder", 0.0)
            name = f"{Path(encoder.model).name}, tuned"
            export(folder, target / OWN, name, only=encoder.precision)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    tell(f"encoder: {done.kept} kept, {done.before:.4f} before, {done.best:.4f} after", 1.0)
    return {
        "kept": done.kept,
        "before": done.before,
        "best": done.best,
        "steps": done.steps,
        "best_step": done.best_step,
        "seconds": round(done.seconds, 1),
        "questions": len(users),
        "reason": done.problem,
        "tried": [asdict(one) for one in tried],
    }


class _Whitened:
    """NDCG@10 of the next item by text alone, in the space that a snapshot compares texts in."""

    def __init__(self, behaviour: Any, users: Ids, items: Ids, dimension: int) -> None:
        from penchant.learn.tuning.validation import NextByText

        self._question = NextByText(behaviour, users, items)
        self._dimension = dimension

    def __call__(self, vectors: Floats) -> float:
        if np.isfinite(vectors[:, 0]).sum() < 2:
            return 0.0
        return self._question(Whitening.fit(vectors, self._dimension)(vectors))


def _behaviour(texts: list[str], view: View) -> Any:
    from penchant.learn.tuning.behaviour import Behaviour

    ordered, _ = view.by_user()
    kinds = view.columns.category[: len(texts)]
    return Behaviour(texts, ordered.users, ordered.items, ordered.times, categories=kinds)


def _next(past: View, learned: View, most: int = 5000) -> tuple[Ids, Ids]:
    """Return who wanted what first after `learned` ended, int32[n] each, of people known there."""
    moment = learned.times.max(initial=-np.inf)
    later = past.where((past.times > moment) & np.isin(past.users, learned.users))
    later, starts = later.by_user()
    first = starts[:-1][:most]
    return later.users[first], later.items[first]


def _meta(snapshot: Path) -> bytes:
    with suppress(OSError):
        return (snapshot / OWN / META).read_bytes()
    return b""
