"""The texts as a tuning reads them: tokenised once, encoded in pieces of like length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from penchant.learn.encoder.adapters import blocks
from penchant.learn.tuning.text_model import TextModel, pieces
from penchant.types import Floats

# Hidden states below the tuned blocks are kept in float32 up to this many bytes, else in float16.
_KEPT = 1 << 30


class Reading:
    """The texts of all items and the model that reads them."""

    def __init__(self, model: TextModel, texts: Sequence[str], most: int) -> None:
        self.model = model
        self.rows = model.tokens(texts, most)
        self.lengths = np.array([len(row) for row in self.rows], np.int64)
        self.readable = np.flatnonzero(self.lengths)

    def encode(self, items: npt.NDArray[np.int64]) -> Tensor:
        """Return float32[n, d], with a gradient, of items that can be read."""
        with self.model.precisely():
            batch = self.model.padded([self.rows[i] for i in items])
            out: Tensor = self.model.module(*batch)
        return out.float()

    def vectors(self, items: npt.NDArray[np.int64] | None = None) -> Floats:
        """Return float32[n_items, d] without a gradient, NaN rows for texts without words.

        Where `items` are given, which have to be readable, the rows of all others are NaN too.
        """
        shape = (len(self.rows), self.model.dimension)
        out: Floats = np.full(shape, np.nan, np.float32)
        with torch.no_grad():
            for piece in pieces(self.readable if items is None else items, self.lengths):
                out[piece] = self.encode(piece).cpu().numpy()
        return out


class TopReading(Reading):
    """Reads through the highest `layers` blocks only: what enters them is computed once a text.

    The lower blocks stand still and hand on what they are given, and what was kept replaces the
    input of the first that is tuned. So every architecture makes its own masks and positions.
    """

    def __init__(self, model: TextModel, texts: Sequence[str], most: int, layers: int) -> None:
        super().__init__(model, texts, most)
        stack = blocks(model.module.transformer)
        self._below = list(stack)[: max(0, len(stack) - layers)]
        self._first: nn.Module = stack[len(self._below)]
        self._starts = np.concatenate(([0], np.cumsum(self.lengths)))
        width = model.dimension
        total = int(self._starts[-1])
        kind = torch.float32 if 4 * total * width <= _KEPT else torch.float16
        self._kept = torch.empty((total, width), dtype=kind)
        self._keep()

    def encode(self, items: npt.NDArray[np.int64]) -> Tensor:
        """Return float32[n, d], with a gradient, of items that can be read."""
        longest = int(self.lengths[items].max())
        entered = torch.zeros((len(items), longest, self.model.dimension))
        for i, item in enumerate(items):
            begin, end = self._starts[item], self._starts[item + 1]
            entered[i, : end - begin] = self._kept[begin:end]
        entered = entered.to(self.model.device)
        hook = self._first.register_forward_pre_hook(
            lambda block, given: (entered.to(given[0].dtype), *given[1:])
        )
        try:
            with standing(self._below):
                return super().encode(items)
        finally:
            hook.remove()

    def _keep(self) -> None:
        caught: list[Tensor] = []

        def catch(block: nn.Module, given: tuple[Any, ...]) -> None:
            caught.append(given[0])
            raise _Enough

        hook = self._first.register_forward_pre_hook(catch)
        try:
            with torch.no_grad():
                for piece in pieces(self.readable, self.lengths):
                    try:
                        super().encode(piece)
                    except _Enough:
                        entered = caught.pop().float().cpu()
                    for row, item in enumerate(piece):
                        begin, end = self._starts[item], self._starts[item + 1]
                        self._kept[begin:end] = entered[row, : end - begin]
        finally:
            hook.remove()


class _Enough(Exception):
    """Ends a forward pass at the first tuned block."""


@contextmanager
def standing(layers: Sequence[nn.Module]) -> Any:
    """Let `layers` hand on what they are given, while the block runs."""

    def hand_on(given: Tensor, *_: Any, **__: Any) -> Tensor:
        return given

    for layer in layers:
        layer.forward = hand_on
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def backward(
    reading: Reading,
    items: npt.NDArray[np.int64],
    loss: Callable[[Tensor], Tensor],
    *,
    held: int,
    seed: int,
) -> float:
    """Return the loss of the vectors of `items`, its gradient added to the parameters.

    Where more than `held` tokens would keep their graph, the vectors are made without one, the
    loss says what each should change, and the pieces are encoded again, one at a time, to carry it
    back: the same gradient in little memory (GradCache, Gao et al. 2021).
    """
    order = list(pieces(items, reading.lengths, held))
    place = torch.from_numpy(np.searchsorted(items, np.concatenate(order)))
    inverse = torch.argsort(place).to(reading.model.device)

    def piece(number: int) -> Tensor:
        # A piece is dropped out the same way both times.
        torch.manual_seed(seed + number)
        return reading.encode(order[number])

    if sum(len(p) * int(reading.lengths[p].max()) for p in order) <= held:
        value = loss(torch.cat([piece(i) for i in range(len(order))])[inverse])
        if torch.isfinite(value):
            value.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        return float(value.detach())
    with torch.no_grad():
        vectors = torch.cat([piece(i) for i in range(len(order))])
    vectors.requires_grad_(True)
    value = loss(vectors[inverse])
    if not torch.isfinite(value):
        return float(value.detach())
    value.backward()  # type: ignore[no-untyped-call]
    assert vectors.grad is not None
    begin = 0
    for i, rows in enumerate(order):
        piece(i).backward(vectors.grad[begin : begin + len(rows)])  # type: ignore[no-untyped-call]
        begin += len(rows)
    return float(value.detach())
