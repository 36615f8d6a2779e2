"""A model folder and behaviour in, a tuned model folder out: `tune`."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from penchant.language.encoder.weights import address, resolve
from penchant.learn.threads import limited
from penchant.learn.tracking import Tracker
from penchant.learn.tuning import loop
from penchant.learn.tuning.behaviour import Behaviour
from penchant.learn.tuning.checkpoint import Progress
from penchant.learn.tuning.config import TuningConfig
from penchant.learn.tuning.methods import Attached
from penchant.learn.tuning.objectives import Drawn, objectives
from penchant.learn.tuning.reading import Reading, TopReading, backward
from penchant.learn.tuning.text_model import TextModel
from penchant.types import Error, Floats, InvalidInput, Tell

Validate = Callable[[Floats], float]


@dataclass(frozen=True)
class Tuned:
    """What a tuning did. `folder` holds the model that was kept, ready for `ensure_onnx`.

    `kept` says which that is: the original, byte for byte, where nothing did better on the
    validation. `values` are (step, value) of each validation, `before` and `best` the values of the
    original and of what was kept. `held_tokens` is what the memory allowed. `problem` says why a
    tuning ended early, if it did.
    """

    folder: Path
    kept: Literal["original", "pretrained", "tuned"]
    steps: int
    best_step: int
    before: float
    best: float
    losses: list[float]
    values: list[tuple[int, float]]
    seconds: float
    skipped: int
    held_tokens: int
    pretraining_losses: list[float]
    problem: str = ""


class TuningStopped(Error):
    """A tuning that could not go on; `tuned` says what it had, and its folder holds the best."""

    def __init__(self, message: str, tuned: Tuned) -> None:
        super().__init__(message)
        self.tuned = tuned


def tune(
    source: str | Path,
    behaviour: Behaviour,
    config: TuningConfig,
    target: Path,
    *,
    validate: Validate,
    tell: Tell | None = None,
    tracker: Tracker | None = None,
    workspace: Path | None = None,
    checkpoint_seconds: float = 120.0,
) -> Tuned:
    """Tune the model `source` (folder, package or hub id) and write the best into `target`.

    `validate(vectors)` is given float32[n_items, d], NaN rows for items without text, and returns
    what is to be made large. It is asked before the first step too: where nothing does better, the
    target is the original. In `workspace` a checkpoint is written every `checkpoint_seconds`; the
    same call after a kill goes on from it and ends in the same weights.

    Raises InvalidInput for behaviour that teaches nothing, what `resolve` and `opened` raise for
    the model, and TuningStopped, with the best kept, where the loss diverges or memory ends.
    """
    if target.exists():
        raise InvalidInput(f"expected a new folder for the tuned model, {target} exists already")
    origin = resolve(source)
    if workspace is not None:
        workspace.mkdir(parents=True, exist_ok=True)
        with limited(config.threads, True):
            return _Tuning(origin, behaviour, config, target, validate, tell, tracker).made(
                workspace, checkpoint_seconds
            )
    with tempfile.TemporaryDirectory() as place, limited(config.threads, True):
        return _Tuning(origin, behaviour, config, target, validate, tell, tracker).made(
            Path(place), math.inf
        )


class _Tuning:
    def __init__(
        self,
        origin: Path,
        behaviour: Behaviour,
        config: TuningConfig,
        target: Path,
        validate: Validate,
        tell: Tell | None,
        tracker: Tracker | None,
    ) -> None:
        self.origin, self.behaviour, self.config = origin, behaviour, config
        self.target, self.validate, self.tell = target, validate, tell
        self.tracker = Tracker() if tracker is None else tracker
        self.device = "cuda" if torch.cuda.is_available() else "cpu"

    def made(self, workspace: Path, checkpoint_seconds: float) -> Tuned:
        """Return what the tuning did; see `tune`."""
        began = time.monotonic()
        config, mark = self.config, self._mark()
        model = self._open(self.origin)
        untuned = Reading(model, self.behaviour.texts, config.max_tokens)
        frozen = untuned.vectors()
        # What the tokenizer cannot read teaches nothing.
        behaviour = replace(
            self.behaviour,
            texts=[
                t if n else "" for t, n in zip(self.behaviour.texts, untuned.lengths, strict=True)
            ],
        )
        before = self.validate(frozen)
        self.tracker.scalar("tuning/untuned", before)
        pretrained: list[float] = []
        torch.manual_seed(config.seed)
        steps_of = objectives(behaviour, config, model.dimension, frozen)
        steps = max(1, math.ceil(config.epochs * max(len(o) for _, o in steps_of) / config.batch))
        attached = Attached(model.module, config, steps)
        model.module.to(self.device)
        reading = self._reading(model)
        heads = torch.nn.ModuleList(o.head for _, o in steps_of).to(self.device)
        trained = loop.Trained(
            {**attached.parameters(), **{f"head.{n}": p for n, p in heads.named_parameters()}},
            [*attached.groups(), {"params": [*heads.parameters()], "rate": config.head_rate}],
            attached.stepped,
            attached.beside,
            attached.restore,
        )
        trained.groups = [group for group in trained.groups if group["params"]]

        def step(number: int, held: int) -> float:
            rng = np.random.default_rng((config.seed, number))
            drawn = [(weight, objective.draw(rng)) for weight, objective in steps_of]
            items = np.unique(np.concatenate([d.items for _, d in drawn]))
            seed = int(rng.integers(2**40))
            return backward(reading, items, _sum_of(drawn, items, attached), held=held, seed=seed)

        plan = loop.Plan(
            steps=steps,
            most_seconds=config.most_seconds,
            validations=config.validations,
            patience=config.patience,
            clip=config.clip,
            warm_up=config.warm_up,
            held=config.held_tokens,
            checkpoint_seconds=checkpoint_seconds,
        )
        if config.dropout:
            model.module.train()
        progress, problem = Progress(), ""
        try:
            progress = loop.run(
                trained,
                step,
                plan,
                workspace / "tuning.safetensors",
                mark,
                validate=lambda: self._value(model, reading),
                # A prefix changes the vectors before it has learned anything.
                start=None if config.method == "prefix" else before,
                tell=self.tell,
                curve=lambda name, value, at: self.tracker.scalar(f"tuning/{name}", value, at),
            )
        except loop.Ended as error:
            progress, problem = error.progress, str(error)
        better = progress.best is not None and progress.best > before
        attached.merge()
        self._write(model if better else None)
        (workspace / "tuning.safetensors").unlink(missing_ok=True)
        tuned = Tuned(
            folder=self.target,
            kept="tuned" if better else "original",
            steps=progress.step,
            best_step=progress.best_step if better else 0,
            before=before,
            best=progress.best if better and progress.best is not None else before,
            losses=progress.losses,
            values=progress.values,
            seconds=time.monotonic() - began,
            skipped=progress.skipped,
            held_tokens=progress.held,
            pretraining_losses=pretrained,
            problem=problem,
        )
        if problem:
            raise TuningStopped(problem, tuned)
        return tuned

    def _open(self, folder: Path) -> TextModel:
        return TextModel.open(folder, device=self.device, precision=self.config.precision)

    def _reading(self, model: TextModel) -> Reading:
        texts, most = self.behaviour.texts, self.config.max_tokens
        if self.config.method == "last":
            return TopReading(model, texts, most, self.config.layers)
        return Reading(model, texts, most)

    def _value(self, model: TextModel, reading: Reading) -> float:
        trains = model.module.training
        model.module.eval()
        value = self.validate(reading.vectors())
        model.module.train(trains)
        return value

    def _write(self, model: TextModel | None) -> None:
        partial = self.target.with_name(f"{self.target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        if model is None:
            shutil.copytree(self.origin, partial)
        else:
            model.module.eval()
            model.save(partial)
        partial.rename(self.target)

    def _mark(self) -> str:
        content = json.dumps([asdict(replace(self.config, threads=0)), address(self.origin)])
        content += self.behaviour.digest()
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _sum_of(
    drawn: list[tuple[float, Drawn]], items: npt.NDArray[np.int64], attached: Attached
) -> Callable[[Tensor], Tensor]:
    places = [torch.from_numpy(np.searchsorted(items, d.items)) for _, d in drawn]

    def loss(vectors: Tensor) -> Tensor:
        total = attached.penalty(vectors)
        for (weight, batch), place in zip(drawn, places, strict=True):
            total = total + weight * batch.loss(vectors[place.to(vectors.device)])
        return total

    return loss
