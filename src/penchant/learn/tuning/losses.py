"""What is compared with what: losses between unit vectors, each a plain function."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_NEVER = -1e9


def softmax(
    asked: Tensor, offered: Tensor, right: Tensor, often: Tensor, barred: Tensor, temperature: float
) -> Tensor:
    """Return the cross entropy of each row's right answer among all that the batch offers.

    `asked` float[b, d] and `offered` float[c, d] are unit vectors, `right` int64[b] says which of
    the offered is meant, `often` float[c] how often each is offered (the logQ correction of Yi et
    al. 2019: else an item is pushed down for being popular), and `barred` bool[b, c] what is no
    mistake, because it was wanted as well.
    """
    logits = asked @ offered.T / temperature - torch.log(often)
    logits = logits.masked_fill(_others(barred, right), _NEVER)
    return F.cross_entropy(logits, right)


def bce(
    asked: Tensor, offered: Tensor, right: Tensor, barred: Tensor, temperature: float
) -> Tensor:
    """Return the binary cross entropy of each pair of the batch being right or not.

    One answer of many is right, so the logits are moved by a constant at which the whole batch
    expects one a row: what Zhai et al. (2023) learn as a bias.
    """
    logits = asked @ offered.T / temperature
    rows = torch.arange(len(right), device=right.device)
    hit = torch.zeros_like(logits)
    hit[rows, right] = 1.0
    counted = (~_others(barred, right)).to(logits.dtype)
    offset = torch.logsumexp(logits.detach().masked_fill(counted == 0, _NEVER), 1, keepdim=True)
    each = F.binary_cross_entropy_with_logits(logits - offset, hit, reduction="none")
    return (each * counted).sum(1).mean()


def autoencoder(vectors: Tensor, wanted: Tensor) -> Tensor:
    """Return how far people are from what their other items say: beeFormer (Vancura et al. 2024).

    `vectors` float[m, d] are unit vectors A of items, `wanted` float[b, m] the people X. X is
    foretold as X(AA' - I), an item by the others alone (ELSA, Vancura et al. 2022), what is below
    zero as zero; both sides are scaled to length one, and the loss is their squared distance, 0 to
    2, on the average of people.
    """
    foretold = torch.relu(wanted @ vectors @ vectors.T - wanted)
    apart = F.normalize(foretold, dim=1) - F.normalize(wanted, dim=1)
    return apart.square().sum(1).mean()


def _others(barred: Tensor, right: Tensor) -> Tensor:
    out = barred.clone()
    out[torch.arange(len(right), device=right.device), right] = False
    return out
