"""What a tuning learns from: each objective draws a batch and says what its vectors should be.

All objectives share the encoder. A step encodes each item once, whichever of them asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penchant.learn.tuning import losses
from penchant.learn.tuning.behaviour import Behaviour, Histories, Pairs, near, past, together
from penchant.learn.tuning.config import TuningConfig
from penchant.types import Floats, InvalidInput


@dataclass(frozen=True)
class Drawn:
    """One batch: `items` int64[m], each once, and the loss of their vectors float[m, d]."""

    items: npt.NDArray[np.int64]
    loss: Callable[[Tensor], Tensor]


class Objective(Protocol):
    """Draws batches; `head` holds what it learns beside the encoder, thrown away in the end."""

    name: str
    head: nn.Module

    def __len__(self) -> int:
        """Return how many examples an epoch has."""
        ...

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Return a batch; the same generator, the same batch."""
        ...


class Together:
    """An item and another that the same people wanted, against all others of the batch."""

    name = "together"

    def __init__(self, behaviour: Behaviour, config: TuningConfig, frozen: Floats) -> None:
        self.behaviour = behaviour
        self.config = config
        self.head = nn.Module()
        self.pairs = Pairs.of(behaviour)
        if not len(self.pairs):
            raise InvalidInput(
                "no two items with a text were wanted by the same person: there is nothing to "
                "tune on; record more behaviour, or give the items texts"
            )
        self._sums = np.cumsum(self.pairs.weights)
        often = np.bincount(self.pairs.right, self.pairs.weights, behaviour.n_items)
        self._often = often.astype(np.float64)
        self._frozen = frozen

    def __len__(self) -> int:
        return len(self.pairs)

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Return pairs, drawn as often as they are telling."""
        place = np.searchsorted(self._sums, rng.random(self.config.batch) * self._sums[-1])
        place = np.minimum(place, len(self._sums) - 1)
        left, right = self.pairs.left[place], self.pairs.right[place]
        offered = [right]
        if self.config.hard_negatives:
            hard = near(self.behaviour, self._frozen, left, self.config.hard_negatives, rng)
            offered.append(hard.ravel())
        return _against(
            self.behaviour, self.config, np.concatenate(offered), right, left, self._often
        )


class NextItem:
    """The interest of a history, as a request makes it, and the item that was wanted next."""

    name = "next_item"

    def __init__(self, behaviour: Behaviour, config: TuningConfig) -> None:
        self.behaviour = behaviour
        self.config = config
        self.head = nn.Module()
        self.histories = Histories.of(behaviour)
        if not len(self.histories):
            raise InvalidInput(
                "nobody wanted anything at a second moment: next_item has nothing to learn from; "
                "set its weight to 0"
            )
        counts = np.bincount(self.histories.targets, minlength=behaviour.n_items)
        self._often = counts / counts.sum()

    def __len__(self) -> int:
        return len(self.histories)

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Return histories, each event as often as any other."""
        place = rng.integers(0, len(self.histories), self.config.batch)
        before = past(self.behaviour, self.histories.begins[place], self.config.history)
        return _against(
            self.behaviour,
            self.config,
            self.histories.targets[place],
            self.histories.targets[place],
            before.items,
            self._often,
            before.weights,
        )


class People:
    """Whole people, foretold from their own items: the loss of beeFormer."""

    name = "together"

    def __init__(self, behaviour: Behaviour, config: TuningConfig) -> None:
        self.config = config
        self.head = nn.Module()
        sizes = np.asarray(behaviour.people.sum(1)).ravel()
        self.people = behaviour.people[np.flatnonzero(sizes > 1)]
        if not self.people.shape[0]:
            raise InvalidInput(
                "no two items with a text were wanted by the same person: there is nothing to "
                "tune on; record more behaviour, or give the items texts"
            )
        self._readable = np.flatnonzero(behaviour.readable)

    def __len__(self) -> int:
        return int(self.people.shape[0])

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Return people, with what they wanted and random items that most of them did not."""
        chosen = rng.choice(len(self), min(self.config.batch, len(self)), replace=False)
        rows = self.people[np.sort(chosen)]
        others = rng.choice(self._readable, min(self.config.negatives, len(self._readable)), False)
        items = np.union1d(rows.indices, others).astype(np.int64)
        wanted = torch.from_numpy(np.asarray(rows[:, items].todense(), np.float32))
        return Drawn(items, lambda vectors: losses.autoencoder(vectors, wanted.to(vectors.device)))


class Category:
    """An item and its category, by a linear head: softmax over the categories."""

    name = "category"

    def __init__(self, behaviour: Behaviour, config: TuningConfig, dimension: int) -> None:
        self.config = config
        known = behaviour.categories
        if known is None or not (behaviour.readable & (known >= 0)).any():
            raise InvalidInput("no item has a category: set the weight of category to 0")
        self._items = np.flatnonzero(behaviour.readable & (known >= 0)).astype(np.int64)
        self._labels = known.astype(np.int64)
        self.head: nn.Module = nn.Linear(dimension, int(known.max()) + 1)
        _begin_at_nothing(self.head)

    def __len__(self) -> int:
        return len(self._items)

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Return random items that have a category."""
        items = np.sort(rng.choice(self._items, min(self.config.batch, len(self._items)), False))
        labels = torch.from_numpy(self._labels[items])
        scale = 1.0 / self.config.temperature

        def loss(vectors: Tensor) -> Tensor:
            return F.cross_entropy(self.head(vectors * scale), labels.to(vectors.device))

        return Drawn(items, loss)


class Value:
    """An item and its value, standardised, by a linear head: the Huber loss."""

    name = "value"

    def __init__(self, behaviour: Behaviour, config: TuningConfig, dimension: int) -> None:
        self.config = config
        values = behaviour.values
        if values is None or not (behaviour.readable & np.isfinite(values)).any():
            raise InvalidInput("no item has a value: set the weight of value to 0")
        self._items = np.flatnonzero(behaviour.readable & np.isfinite(values)).astype(np.int64)
        found = values[self._items].astype(np.float64)
        spread = float(found.std())
        self._values = ((values - found.mean()) / (spread or 1.0)).astype(np.float32)
        self.head: nn.Module = nn.Linear(dimension, 1)
        _begin_at_nothing(self.head)

    def __len__(self) -> int:
        return len(self._items)

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Return random items that have a value."""
        items = np.sort(rng.choice(self._items, min(self.config.batch, len(self._items)), False))
        told = torch.from_numpy(self._values[items])
        scale = 1.0 / self.config.temperature

        def loss(vectors: Tensor) -> Tensor:
            return F.huber_loss(self.head(vectors * scale).squeeze(1), told.to(vectors.device))

        return Drawn(items, loss)


def objectives(
    behaviour: Behaviour, config: TuningConfig, dimension: int, frozen: Floats
) -> list[tuple[float, Objective]]:
    """Return the objectives of a tuning with their weights; `frozen` are the untuned vectors.

    Raises InvalidInput where the behaviour has nothing for one of them.
    """
    weights = config.objectives
    out: list[tuple[float, Objective]] = []
    if weights.together and config.loss == "autoencoder":
        out.append((weights.together, People(behaviour, config)))
    elif weights.together:
        out.append((weights.together, Together(behaviour, config, frozen)))
    if weights.next_item:
        out.append((weights.next_item, NextItem(behaviour, config)))
    if weights.category:
        out.append((weights.category, Category(behaviour, config, dimension)))
    if weights.value:
        out.append((weights.value, Value(behaviour, config, dimension)))
    return out


def _begin_at_nothing(head: nn.Module) -> None:
    for parameter in head.parameters():
        nn.init.zeros_(parameter)


def _against(
    behaviour: Behaviour,
    config: TuningConfig,
    offered: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    asking: npt.NDArray[np.int64],
    often: npt.NDArray[np.float64],
    weights: Floats | None = None,
) -> Drawn:
    """Return a batch of questions, each with one right answer among all `offered` items.

    `asking` int64[b] is an item a question, or int64[b, w] a history with `weights`.
    """
    offered = np.unique(offered)
    items = np.union1d(offered, asking)
    which = torch.from_numpy(np.searchsorted(offered, right))
    answers = torch.from_numpy(np.searchsorted(items, offered))
    questions = torch.from_numpy(np.searchsorted(items, asking))
    # What is offered as a hard negative may never be an answer; it is no rarer than a random item.
    least = 0.5 / behaviour.n_items
    rates = torch.from_numpy(np.maximum(often[offered], least).astype(np.float32))
    if weights is None:
        barred = together(behaviour, asking, offered) | (asking[:, None] == offered[None])
    else:
        # What was wanted before is no wrong answer to what is wanted next.
        barred = ((asking[:, :, None] == offered) & (weights[:, :, None] > 0)).any(1)
    no = torch.from_numpy(barred)
    told = None if weights is None else torch.from_numpy(weights)

    def loss(vectors: Tensor) -> Tensor:
        device = vectors.device
        asked = vectors[questions.to(device)]
        if told is not None:
            asked = F.normalize((asked * told.to(device).unsqueeze(-1)).sum(1), dim=1, eps=1e-6)
        given = vectors[answers.to(device)]
        if config.loss == "bce":
            return losses.bce(asked, given, which.to(device), no.to(device), config.temperature)
        return losses.softmax(
            asked,
            given,
            which.to(device),
            rates.to(device),
            no.to(device),
            config.temperature,
        )

    return Drawn(items, loss)
