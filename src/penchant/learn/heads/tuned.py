"""The encoder itself tuned on labels: `tune(texts, labels, folder)` writes a model folder.

The head that comes after is learned on the vectors of its ONNX form, as for any encoder. The steps
are those of any tuning (`learn/tuning/loop.py`). What is special here is the loss: cross-entropy of
a linear layer that starts as the logistic regression on the frozen vectors (Kumar et al. 2022),
plus a supervised contrastive loss (Khosla et al. 2020) that pulls the texts of one label together.
Batches are made of pairs of one label and of like length.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penchant.language.encoder.weights import address, resolve
from penchant.learn.encoder.adapters import blocks
from penchant.learn.heads.calibrate import losses
from penchant.learn.heads.config import TunedConfig
from penchant.learn.heads.folds import dealt
from penchant.learn.heads.logistic import multinomial
from penchant.learn.threads import limited
from penchant.learn.tuning import loop
from penchant.learn.tuning.checkpoint import Progress
from penchant.learn.tuning.config import Precision, TuningConfig
from penchant.learn.tuning.methods import Attached
from penchant.learn.tuning.reading import Reading, backward
from penchant.learn.tuning.text_model import TextModel, multiplies_halves
from penchant.types import InvalidInput, Tell

_BIG = 1e9
_POOL = 30  # batches among which texts of like length are put together
_STRENGTH = 10.0  # of the logistic regression that the layer starts as
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tuned:
    """A tuned model folder, the rows int64[m] it has not learned from, and how it went.

    `values` are (step, minus the log loss of the held-out texts), the first that of the encoder as
    it was; `losses` those of the steps. `problem` says why it ended early, if it did.
    """

    folder: Path
    held: Places
    values: tuple[tuple[int, float], ...]
    losses: tuple[float, ...]
    problem: str = ""


def tune(
    texts: Sequence[str],
    labels: Sequence[str],
    folder: Path,
    *,
    model: str | Path | None = None,
    config: TunedConfig | None = None,
    tell: Tell | None = None,
    checkpoint_seconds: float = 60.0,
) -> Tuned:
    """Return the encoder `model` tuned to tell `labels` apart, written to `folder`.

    The folder has the Hugging Face form, which `SentenceEncoder.open` takes; it holds what did best
    on the held-out texts, which is the encoder as it was where nothing did better. A checkpoint of
    every `checkpoint_seconds` lies in `folder`.work until it is done: a tuning that was killed goes
    on from it when it is called again with the same arguments, and ends in the same weights.

    Raises InvalidInput where no text of two labels can be read, and what `resolve` and `load` raise
    for the model.
    """
    config = config or TunedConfig()
    source = resolve(model) if model is not None else resolve()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    work = folder.with_name(f"{folder.name}.work")
    work.mkdir(parents=True, exist_ok=True)
    mark = _mark(texts, labels, source, config)
    with limited(config.threads, True):
        # Labels bear rounding that whitened vectors do not, and it takes a fifth less time.
        precision: Precision = "bf16" if multiplies_halves(device) else "fp32"
        text_model = TextModel.open(source, device=device, precision=precision)
        reading = Reading(text_model, texts, config.max_tokens)
        lesson = _Lesson(reading, labels, config)
        done, problem = lesson.learned(work / "tuning.safetensors", mark, tell, checkpoint_seconds)
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        text_model.module.eval()
        text_model.save(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    shutil.rmtree(work, ignore_errors=True)
    return Tuned(folder, lesson.held, tuple(done.values), tuple(done.losses), problem)


def held_out(labels: npt.ArrayLike, config: TunedConfig) -> Places:
    """Return the rows int64[m] that `tune` does not learn from, a share of each label."""
    parts = max(2, round(1.0 / config.held))
    return np.flatnonzero(dealt(labels, parts, config.seed) == 0)


def contrastive(vectors: Tensor, classes: Tensor, temperature: float) -> Tensor:
    """Return the supervised contrastive loss of unit vectors float32[b, d] (Khosla et al. 2020)."""
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    near = (vectors @ vectors.T / temperature).masked_fill(itself, -_BIG)
    same = (classes[:, None] == classes[None, :]) & ~itself
    count = same.sum(1)
    if not bool((count > 0).any()):
        return vectors.sum() * 0.0
    each = (F.log_softmax(near, 1) * same).sum(1) / count.clamp(min=1)
    return -each[count > 0].mean()


class _Lesson:
    """Texts with their labels, and the layer that tells them apart while the encoder learns."""

    def __init__(self, reading: Reading, labels: Sequence[str], config: TunedConfig) -> None:
        self.reading, self.config = reading, config
        names, classes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
        self.classes = classes.astype(np.int64)
        self.held = held_out(self.classes, config)
        readable = reading.lengths > 0
        self.asked = self.held[readable[self.held]]
        seen = np.setdiff1d(np.arange(len(self.classes)), self.held)
        self.seen = seen[readable[seen]]
        if len(np.unique(self.classes[self.seen])) < 2:
            raise InvalidInput(
                f"expected texts of two labels or more that can be read, of {len(labels)} texts "
                f"{len(self.seen)} can, with {len(np.unique(self.classes[self.seen]))} labels"
            )
        device = reading.model.device
        self.layer = nn.Linear(reading.model.dimension, len(names)).to(device)
        self.told = torch.from_numpy(self.classes).to(device)

    def learned(
        self, path: Path, mark: str, tell: Tell | None, checkpoint_seconds: float
    ) -> tuple[Progress, str]:
        """Move the weights to the best that were found; return how it went and what ended it."""
        config, module = self.config, self.reading.model.module
        torch.manual_seed(config.seed)
        self._begin()
        # Its blocks alone: the table of words is half the weights, and few texts say little of it.
        method = TuningConfig(
            method="last",
            layers=len(blocks(module.transformer)),
            learning_rate=config.rate,
            layer_decay=config.decay,
        )
        an_epoch = len(self._batches(0))
        steps = config.epochs * an_epoch
        attached = Attached(module, method, steps)
        own = {f"layer.{name}": p for name, p in self.layer.named_parameters()}
        groups = [
            *attached.groups(),
            {"params": [*own.values()], "rate": config.head_rate, "weight_decay": 0.0},
        ]
        batches = cache(self._batches)

        def step(number: int, held: int) -> float:
            epoch, place = divmod(number, an_epoch)
            items = np.unique(batches(epoch)[place])
            seed = config.seed * 1_000_003 + number
            return backward(self.reading, items, self._loss(items), held=held, seed=seed)

        def said() -> float:
            module.eval()
            value = self._said()
            module.train()
            return value

        plan = loop.Plan(
            steps=steps,
            most_seconds=math.inf,
            validations=config.epochs,
            patience=config.patience,
            clip=config.clip,
            warm_up=config.warm_up,
            held=method.held_tokens,
            checkpoint_seconds=checkpoint_seconds,
        )
        trained = loop.Trained({**attached.parameters(), **own}, groups)
        module.train()
        try:
            return loop.run(trained, step, plan, path, mark, validate=said, tell=tell), ""
        except loop.Ended as ended:  # the best so far are in the weights
            return ended.progress, str(ended)
        finally:
            attached.merge()

    def _begin(self) -> None:
        """Let the layer begin as the logistic regression on the vectors as they are."""
        self.reading.model.module.eval()
        rows = self.reading.vectors(self.seen)[self.seen]
        n = self.layer.out_features
        weights, bias = multinomial(rows, self.classes[self.seen], n, _STRENGTH)
        with torch.no_grad():
            self.layer.weight.copy_(torch.from_numpy(weights.T))
            self.layer.bias.copy_(torch.from_numpy(np.maximum(bias, -10.0)))

    def _said(self) -> float:
        """Return minus the log loss of the held-out texts, at the temperature where it is least.

        It tells epochs apart that a share of right answers, of a few hundred texts, does not.
        """
        if not len(self.asked):
            return 0.0
        rows = torch.from_numpy(self.reading.vectors(self.asked)[self.asked])
        with torch.no_grad():
            logits = self.layer(rows.to(self.told.device)).cpu().numpy().astype(np.float64)
        return -float(losses(logits, self.classes[self.asked]).mean())

    def _loss(self, items: Places) -> Callable[[Tensor], Tensor]:
        config, classes = self.config, self.told[torch.from_numpy(items).to(self.told.device)]

        def loss(vectors: Tensor) -> Tensor:
            said = self.layer(vectors)
            total = F.cross_entropy(said, classes, label_smoothing=config.smoothing)
            if config.contrast:
                total = total + config.contrast * contrastive(vectors, classes, config.temperature)
            return total

        return loss

    def _batches(self, epoch: int) -> list[Places]:
        """Return the rows of each batch of an epoch: pairs of one class, of like length."""
        rng = np.random.default_rng([self.config.seed, epoch])
        pairs = []
        for k in np.unique(self.classes[self.seen]):
            own = rng.permutation(self.seen[self.classes[self.seen] == k])
            if len(own) % 2:
                own = np.append(own, own[0])
            pairs.append(own.reshape(-1, 2))
        deck = rng.permutation(np.concatenate(pairs))
        half, found = self.config.batch // 2, []
        for start in range(0, len(deck), half * _POOL):
            pool = deck[start : start + half * _POOL]
            longest = self.reading.lengths[pool].max(axis=1)
            pool = pool[np.argsort(longest, kind="stable")]
            found += [pool[i : i + half].ravel() for i in range(0, len(pool), half)]
        return [found[i] for i in rng.permutation(len(found))]


def _mark(texts: Sequence[str], labels: Sequence[str], source: Path, config: TunedConfig) -> str:
    content = [
        asdict(replace(config, threads=0)),
        address(source),
        list(texts),
        list(map(str, labels)),
    ]
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
