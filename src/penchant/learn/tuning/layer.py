"""The layer that is learned above a frozen encoder, as torch sees it: `language/projection.py`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penchant.learn.config import ProjectionConfig
from penchant.learn.sources.sequence import Dropout


class Layer(nn.Module):
    """Whitened rows in, unit rows out; begins as the plain whitening, the parts side by side.

    `widths` are the lengths of the parts. Parts of whole items are left out at random while it
    learns, so that it knows what to do with items that lack them.
    """

    def __init__(self, widths: Sequence[int], config: ProjectionConfig) -> None:
        super().__init__()
        width = sum(widths)
        k = min(config.dimension, width)
        self.widths = list(widths)
        self.gate = nn.Linear(width, len(widths) - 1) if len(widths) > 1 else None
        self.missing = config.part_dropout
        self.linear = nn.Linear(width, k, bias=False)
        self.hidden = nn.Linear(width, config.hidden)
        self.out = nn.Linear(config.hidden, k, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(_beside(k, widths))
            self.out.weight.zero_()
        self.blur = Dropout(config.input_dropout)
        self.drop = Dropout(config.dropout)

    def forward(self, z: Tensor) -> Tensor:
        """Return float[n, k]."""
        if self.gate is not None:
            if self.training:
                z = self._without(z)
            opened = torch.sigmoid(self.gate(z))
            text = torch.ones((len(z), 1), device=z.device)
            spread = torch.tensor(self.widths, device=z.device)
            z = z * torch.cat((text, opened), 1).repeat_interleave(spread, dim=1)
        z = self.blur(z)
        bent: Tensor = self.linear(z) + self.out(self.drop(F.silu(self.hidden(z))))
        return F.normalize(bent, dim=1)

    def _without(self, z: Tensor) -> Tensor:
        """Return z without some parts; what is left of an item is never nothing."""
        parts = torch.split(z, self.widths, dim=1)
        there = torch.stack([part.any(dim=1) for part in parts], dim=1)
        kept = there & (torch.rand(there.shape, device=z.device) >= self.missing)
        kept = torch.where(kept.any(dim=1, keepdim=True), kept, there)
        return torch.cat([p * kept[:, [i]] for i, p in enumerate(parts)], dim=1)


def _beside(k: int, widths: Sequence[int]) -> Tensor:
    """Return the first directions of each part, one beside the other, float32[k, sum(widths)].

    The parts beside the text have half of the k directions at most.
    """
    out = torch.zeros((k, sum(widths)))
    own = [min(width, k // (2 * len(widths) - 2)) for width in widths[1:]]
    row = 0
    for part, count in enumerate((k - sum(own), *own)):
        count = min(count, widths[part])
        column = sum(widths[:part])
        out[row : row + count, column : column + count] = torch.eye(count)
        row += count
    return out
