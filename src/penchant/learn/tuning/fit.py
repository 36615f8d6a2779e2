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
from torch.nn import functional as F

from penchant.language.encoder.weights import address, resolve
from penchant.language.whitening import Whitening
from penchant.learn.threads import limited
from penchant.learn.tracking import Tracker
from penchant.learn.tuning import loop
from penchant.learn.tuning.behaviour import Behaviour
from penchant.learn.tuning.checkpoint import Progress
from penchant.learn.tuning.config import TuningConfig
from penchant.learn.tuning.methods import Attached
from penchant.learn.tuning.objectives import Drawn, objectives
from penchant.learn.tuning.pretraining import pretrain
from penchant.learn.tuning.reading import Reading, TopReading, backward
from penchant.learn.tuning.text_model import TextModel
from penchant.types import Error, Floats, InvalidInput, Tell

Validate = Callable[[Floats], float]
Kept = Literal["original", "pretrained", "tuned"]


@dataclass(frozen=True)
class Tuned:
    """What a tuning did. `folder` holds the model that was kept, ready for `ensure_onnx`.

    `kept` says which that is: the original, byte for byte, where nothing did better on the
    validation. `values` are (step, value) of each validation, `before` and `best` the values of the
    original and of what was kept. `held_tokens` is what the memory allowed. `problem` says why a
    tuning ended early, if it did.
    """

    folder: Path
    kept: Kept
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

    Raises InvalidInput for behaviour that teaches nothing, what `resolve` and `load` raise for
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
        self.mark = self._mark()
        self.pretrained: list[float] = []

    def made(self, workspace: Path, checkpoint_seconds: float) -> Tuned:
        """Return what the tuning did; see `tune`."""
        began = time.monotonic()
        path, early = workspace / "tuning.safetensors", workspace / "pretrained"
        model = self._open(self.origin)
        untuned = Reading(model, self.behaviour.texts, self.config.max_tokens)
        frozen = untuned.vectors()
        before = self.validate(frozen)
        self.tracker.scalar("tuning/untuned", before)
        # What the tokenizer cannot read teaches nothing.
        texts = zip(self.behaviour.texts, untuned.lengths, strict=True)
        behaviour = replace(self.behaviour, texts=[t if tokens else "" for t, tokens in texts])
        problem, progress = "", Progress(best=before)
        try:
            # A prefix, like a pre-training, changes the vectors before any step.
            start: float | None = None if self.config.method == "prefix" else before
            if self.config.pretraining != "none":
                self._pretrain(early, checkpoint_seconds)
                model, start = self._open(early), None
            progress = self._learn(model, behaviour, frozen, path, start, checkpoint_seconds)
        except loop.Ended as error:
            problem = str(error)
            progress = error.progress if error.progress.best is not None else progress
        best = before if progress.best is None else progress.best
        better = best > before
        self._write(model if better else None)
        path.unlink(missing_ok=True)
        shutil.rmtree(early, ignore_errors=True)
        kept: Kept = "original" if not better else "tuned" if progress.best_step else "pretrained"
        tuned = Tuned(
            folder=self.target,
            kept=kept,
            steps=progress.step,
            best_step=progress.best_step if better else 0,
            before=before,
            best=best if better else before,
            losses=progress.losses,
            values=progress.values,
            seconds=time.monotonic() - began,
            skipped=progress.skipped,
            held_tokens=progress.held,
            pretraining_losses=self.pretrained,
            problem=problem,
        )
        if problem:
            raise TuningStopped(problem, tuned)
        return tuned

    def _learn(
        self,
        model: TextModel,
        behaviour: Behaviour,
        frozen: Floats,
        path: Path,
        start: float | None,
        checkpoint_seconds: float,
    ) -> Progress:
        """Move the weights of `model` and leave it plain, at its best."""
        config = self.config
        torch.manual_seed(config.seed)
        learned = objectives(behaviour, config, model.dimension, frozen)
        steps = math.ceil(config.epochs * max(len(o) for _, o in learned) / config.batch)
        steps = max(steps, config.least_steps)
        attached = Attached(model.module, config, steps)
        model.module.to(self.device)
        place = _placed(frozen, self.device) if config.whitened else None
        reading: Reading
        if config.method == "last":
            reading = TopReading(model, behaviour.texts, config.max_tokens, config.layers)
        else:
            reading = Reading(model, behaviour.texts, config.max_tokens)
        heads = torch.nn.ModuleList(o.head for _, o in learned).to(self.device)
        own = {f"head.{name}": parameter for name, parameter in heads.named_parameters()}
        groups = attached.groups()
        if own:
            groups.append({"params": [*own.values()], "rate": config.head_rate})

        def step(number: int, held: int) -> float:
            rng = np.random.default_rng((config.seed, number))
            drawn = [(weight, objective.draw(rng)) for weight, objective in learned]
            items = np.unique(np.concatenate([d.items for _, d in drawn]))
            seed = int(rng.integers(2**40))
            loss = _sum_of(drawn, items, attached, place)
            return backward(reading, items, loss, held=held, seed=seed)

        def value() -> float:
            model.module.eval()
            found = self.validate(reading.vectors())
            model.module.train(config.dropout)
            return found

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
        model.module.train(config.dropout)
        try:
            return loop.run(
                loop.Trained(
                    {**attached.parameters(), **own},
                    groups,
                    attached.stepped,
                    attached.beside,
                    attached.restore,
                ),
                step,
                plan,
                path,
                self.mark,
                validate=value,
                start=start,
                tell=self.tell,
                curve=self._curve("tuning"),
            )
        finally:
            attached.merge()

    def _pretrain(self, folder: Path, checkpoint_seconds: float) -> None:
        self.pretrained = pretrain(
            self.origin,
            self.behaviour.texts,
            self.config,
            folder,
            self.mark,
            device=self.device,
            tell=self.tell,
            curve=self._curve("pretraining"),
            checkpoint_seconds=checkpoint_seconds,
        )

    def _curve(self, name: str) -> loop.Curve:
        return lambda what, value, step: self.tracker.scalar(f"{name}/{what}", value, step)

    def _open(self, folder: Path) -> TextModel:
        return TextModel.open(folder, device=self.device, precision=self.config.precision)

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


def _placed(frozen: Floats, device: str) -> Callable[[Tensor], Tensor]:
    """Return the whitening of the untuned vectors, as a reader of texts applies one."""
    whitening = Whitening.fit(frozen, frozen.shape[1])
    mean = torch.from_numpy(whitening.mean).to(device)
    matrix = torch.from_numpy(whitening.matrix).to(device)
    return lambda vectors: F.normalize((vectors - mean) @ matrix, dim=1, eps=1e-6)


def _sum_of(
    drawn: list[tuple[float, Drawn]],
    items: npt.NDArray[np.int64],
    attached: Attached,
    place: Callable[[Tensor], Tensor] | None,
) -> Callable[[Tensor], Tensor]:
    rows = [torch.from_numpy(np.searchsorted(items, d.items)) for _, d in drawn]

    def loss(vectors: Tensor) -> Tensor:
        total = attached.penalty(vectors)
        placed = vectors if place is None else place(vectors)
        for (weight, batch), own in zip(drawn, rows, strict=True):
            total = total + weight * batch.loss(placed[own.to(vectors.device)])
        return total

    return loss
