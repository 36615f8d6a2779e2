"""Which parts of a tuning pay: each is tried beside what was kept so far, and stays if it helps."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from penchant.learn.tuning.behaviour import Behaviour
from penchant.learn.tuning.config import Objectives, TuningConfig
from penchant.learn.tuning.fit import TuningStopped, Validate, tune
from penchant.store.durable import replaced
from penchant.types import Error, Tell


@dataclass(frozen=True)
class Tried:
    """One short tuning: what was added, its best value on the validation, and whether it stayed.

    Where the model cannot do it, `value` is None and `problem` says why.
    """

    what: str
    value: float | None
    kept: bool
    problem: str = ""


def paying(
    source: str | Path,
    behaviour: Behaviour,
    config: TuningConfig,
    *,
    validate: Validate,
    seconds: float,
    tell: Tell | None = None,
    workspace: Path | None = None,
) -> tuple[TuningConfig, list[Tried]]:
    """Return `config` with only what pays on the validation, and what was tried.

    The objective with the largest weight is tuned alone for `seconds`; then each further one of
    `config`, hard negatives, and the pre-training are added in turn, with the same seed and time
    (a pre-training has its own beside). What is no better than without it is left out, as is what
    the model cannot do. The models of the trials are thrown away. What came out lies in
    `workspace`: the same call after a kill goes on behind it.

    Raises what `tune` raises for the first of them.
    """
    memory = None if workspace is None else workspace / "trials.json"
    mark = _mark(source, behaviour, config, seconds)
    done = _remembered(memory, mark)
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
            trial = kept if number == 0 else _with(kept, what, given)
            if number < len(done):
                one = done[number]
            else:
                if tell is not None:
                    tell(f"trying {what}", number / len(candidates))
                target = Path(place) / str(number)
                one = _tried(what, source, behaviour, trial, target, validate, best, number == 0)
            tried.append(one)
            if memory is not None:
                content = {"mark": mark, "tried": [asdict(one) for one in tried]}
                with replaced(memory) as file:
                    file.write(json.dumps(content).encode())
            if one.kept and one.value is not None:
                best, kept = one.value, trial
    return replace(kept, most_seconds=config.most_seconds), tried


def _tried(
    what: str,
    source: str | Path,
    behaviour: Behaviour,
    trial: TuningConfig,
    target: Path,
    validate: Validate,
    best: float,
    first: bool,
) -> Tried:
    try:
        value = tune(source, behaviour, trial, target, validate=validate).best
    except TuningStopped as stopped:
        value = stopped.tuned.best
    except Error as error:  # masked words of a decoder, and the like
        if first:
            raise
        return Tried(what, None, False, str(error))
    return Tried(what, value, first or value > best)


def _mark(source: str | Path, behaviour: Behaviour, config: TuningConfig, seconds: float) -> str:
    content = f"{source} {behaviour.digest()} {config} {seconds}"
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _remembered(memory: Path | None, mark: str) -> list[Tried]:
    """Return the trials that a call before this one came to, if it asked the same."""
    if memory is not None:
        with suppress(OSError, ValueError, TypeError, KeyError):
            content = json.loads(memory.read_text(encoding="utf-8"))
            if content["mark"] == mark:
                return [Tried(**one) for one in content["tried"]]
    return []


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
