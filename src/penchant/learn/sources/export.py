"""The network of sequence recall as serving runs it: one person, and one answer, at the last place.

A training reads many histories and answers at every place of them. A request reads one: the last
block needs no other place than the last, nothing is masked in it, and all shapes but the length are
constants. Of 107 operations of the network as it was trained 58 are left, in half the time.
"""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from penchant.learn.sources.sequence import Network

_SHORT = 5  # any length would do to follow the network through


class OnePerson(nn.Module):
    """The same function as `Network.forward` for a batch of one."""

    def __init__(self, network: Network, length: int) -> None:
        super().__init__()
        self.network = network
        self.later: Tensor
        self.register_buffer("later", torch.full((length, length), float("-inf")).triu(1))

    def forward(
        self, rows: Tensor, gaps: Tensor, ahead: Tensor, said: Tensor | None = None
    ) -> Tensor:
        """Return float[1, d] for rows float[1, l, d], gaps int[1, l] and ahead int[1].

        `said` float[1, d] is what circumstances add to the question.
        """
        network, length = self.network, rows.shape[1]
        x = rows.reshape(-1, rows.shape[2]) * network.scale + network.gap(gaps.reshape(-1))
        x = x + network.position.weight[:length]
        *first, last = network.blocks
        for block in first:
            x = self._block(block, x, x, self.later[:length, :length])
        return network.answer(network.norm(self._block(last, x[-1:], x, None)), ahead, said)

    def _block(self, block: Any, x: Tensor, seen: Tensor, later: Tensor | None) -> Tensor:
        """Return what becomes of the places `x` of `seen`; `later` keeps them from the future."""
        d = x.shape[1]
        size = d // block.heads
        weight, bias = block.mix.weight, block.mix.bias
        read = block.before(seen)
        asking = read if later is not None else read[-1:]
        # Scaled here, so that nothing is left to scale when it is run.
        asks = F.linear(asking, weight[:d] / size**0.5, bias[:d] / size**0.5)
        has = F.linear(read, weight[d : 2 * d], bias[d : 2 * d])
        gives = F.linear(read, weight[2 * d :], bias[2 * d :])
        shape = (-1, block.heads, size)
        match = asks.reshape(shape).transpose(0, 1) @ has.reshape(shape).permute(1, 2, 0)
        if later is not None:
            match = match + later
        mixed = match.softmax(-1) @ gives.reshape(shape).transpose(0, 1)
        x = x + block.out(mixed.transpose(0, 1).reshape(-1, d))
        fed: Tensor = x + block.feed(block.between(x))
        return fed


def export(network: Network, path: Path, length: int) -> None:
    """Write the network as ONNX, for one person with any history of up to `length` items."""
    # A copy: the learner goes on training the network where it is.
    served = OnePerson(copy.deepcopy(network).to("cpu"), length).eval()
    rows = torch.randn(1, _SHORT, network.position.embedding_dim)
    gaps = torch.zeros(1, _SHORT, dtype=torch.long)
    ahead = torch.zeros(1, dtype=torch.long)
    varied = torch.export.Dim("length", max=length)
    asked: tuple[Tensor, ...] = (rows, gaps, ahead)
    names, shapes = ["rows", "gaps", "ahead"], [{1: varied}, {1: varied}, None]
    if network.here is not None:
        asked, names = (*asked, torch.zeros_like(rows[:, 0])), [*names, "said"]
        shapes.append(None)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses a torchvision nobody needs
    with warnings.catch_warnings():
        # Of the exporter's own making: it copies a class it deprecated itself, and finds two
        # names for an axis that two inputs share.
        warnings.filterwarnings("ignore", r".*LeafSpec", FutureWarning)
        warnings.filterwarnings("ignore", r".*axis name: \w+ will not be used", UserWarning)
        torch.onnx.export(
            served,
            asked,
            str(path),
            input_names=names,
            output_names=["wanted"],
            dynamo=True,
            external_data=False,
            verbose=False,
            dynamic_shapes=(*shapes,),
        )
