"""Which parts of a tuning pay: each is tried beside what was kept so far, and stays if it helps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

from penchant.learn.tuning.behaviour import Behaviour
from penchant.learn.tuning.config import Objectives, TuningConfig
from penchant.learn.tuning.fit import TuningStopped, Validate, tune
from penchant.types import Tell


@dataclass(frozen=True)
class Tried:
    """One short tuning: what was added, its best value on the validation, and whether it stayed."""

    what: str
    value: float
    kept: bool


def paying(
    source: str | Path,
    behaviour: Behaviour,
    config: TuningConfig,
    *,
    validate: Validate,
    seconds: float,
    tell: Tell | None = None,
) -> tuple[TuningConfig, list[Tried]]:
    """Return `config` with only what pays on the validation, and what was tried.

    The objective with the largest weight is tuned alone for `seconds`; then each further one of
    `config`, hard negatives, and the pre-training are added in turn, with the same seed and time
    (a pre-training has its own beside). What is no better than without it is left out. The models
    of the trials are thrown away.
    """
    tried: list[Tried] = []
    kept = replace(
        config,
        objectives=_alone(config.objectives),
        hard_negatives=0,
        pretraining="none",
        most_seconds=seconds,
    )
    candidates = [(_first(config.objectives), kept), *_more(config)]
    best = float("-inf")
    with tempfile.TemporaryDirectory() as place:
        for number, (what, given) in enumerate(candidates):
            if tell is not None:
                tell(f"trying {what}", number / len(candidates))
            trial = kept if number == 0 else _with(kept, what, given)
            target = Path(place) / str(number)
            try:
                value = tune(source, behaviour, trial, target, validate=validate).best
            except TuningStopped as stopped:
                value = stopped.tuned.best
            pays = number == 0 or value > best
            tried.append(Tried(what, value, pays))
            if pays:
                best, kept = value, trial
    return replace(kept, most_seconds=config.most_seconds), tried


def _first(objectives: Objectives) -> str:
    return max((f.name for f in fields(Objectives)), key=lambda name: getattr(objectives, name))


def _alone(objectives: Objectives) -> Objectives:
    name = _first(objectives)
    nothing = {f.name: 0.0 for f in fields(Objectives)}
    return Objectives(**nothing | {name: getattr(objectives, name)})


def _more(config: TuningConfig) -> Iterator[tuple[str, TuningConfig]]:
    first = _first(config.objectives)
    for field in fields(Objectives):
        if field.name != first and getattr(config.objectives, field.name):
            yield field.name, config
    if config.hard_negatives:
        yield "hard_negatives", config
    if config.pretraining != "none":
        yield "pretraining", config


def _with(kept: TuningConfig, what: str, config: TuningConfig) -> TuningConfig:
    if what in ("hard_negatives", "pretraining"):
        return replace(kept, **{what: getattr(config, what)})
    weight = getattr(config.objectives, what)
    return replace(kept, objectives=replace(kept.objectives, **{what: weight}))
