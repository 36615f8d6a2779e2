"""Learning contextual recall: a factorised model of who, what and in which circumstances.

An item has a row v, a value of a context a row e, and a person the mean h of the rows of what they
chose last. The logit of an item is v . (h' + sum e + f(h', sum e)) + b: the pairs of a
factorisation machine (Rendle, 2010) that have the item in them, and a small network f for what the
two say together. The loss is softmax over the catalogue, or over shared samples with the logQ
correction where it is large, as in `sequence.py`.
"""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penchant.interests.context.schema import Schema
from penchant.learn.config import ContextualConfig
from penchant.learn.context.learning import codes
from penchant.learn.sources.sequence import Curve, pace
from penchant.learn.view import View
from penchant.recall.contextual import CONTEXTUAL, FADING
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Tell


class Network(nn.Module):
    """The past and the codes of now in, one vector out that is compared with item rows."""

    def __init__(self, n_codes: int, d: int, dropout: float) -> None:
        super().__init__()
        self.value = nn.Embedding(n_codes, d, padding_idx=0)
        nn.init.normal_(self.value.weight, std=0.02)
        with torch.no_grad():
            self.value.weight[0] = 0.0
        self.mix = nn.Linear(d, d)
        self.both = nn.Sequential(
            nn.Linear(2 * d, 2 * d), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * d, d)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, past: Tensor, here: Tensor) -> Tensor:
        """Return float[b, d] for the past float[b, d] and codes int[b, slots]."""
        mixed = self.mix(self.drop(past))
        said = self.value(here).sum(1)
        out: Tensor = mixed + said + self.both(torch.cat((mixed, said), dim=1))
        return out


class ContextualLearner:
    """Fits the model on the wanted events of a view; `fit` again continues from its weights."""

    name = CONTEXTUAL

    def __init__(
        self,
        config: ContextualConfig,
        schema: Schema,
        n_items: int,
        *,
        seed: int,
        vectors: Floats | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self.config, self.schema = config, schema
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        d = config.dimension
        self.network = Network(schema.n_codes, d, config.dropout).to(self.device)
        self.rows = nn.Parameter(torch.randn(n_items, d, device=self.device) * 0.05)
        self.bias = nn.Parameter(torch.zeros(n_items, device=self.device))
        self.project = None
        if vectors is not None:
            self.project = nn.Linear(vectors.shape[1], d).to(self.device)
        self.read(vectors)
        self.known = np.zeros(n_items, dtype=np.bool_)
        self._rng = np.random.default_rng(seed)

    def read(self, vectors: Floats | None) -> None:
        """Go on with other text vectors, float32[n_items, d], None where there are none."""
        self.vectors = vectors
        given = np.zeros((0, 0), dtype=np.float32) if vectors is None else np.nan_to_num(vectors)
        self._given = torch.from_numpy(given).to(self.device)

    def fit(
        self,
        view: View,
        share: float = 1.0,
        progress: Tell | None = None,
        curve: Curve | None = None,
    ) -> list[float]:
        """Train for `share` of the epochs on at most so many events; return the loss of each."""
        config = self.config
        ordered, starts = view.by_user()
        if not len(ordered):
            return []
        self.known[np.unique(ordered.items)] = True
        here = torch.from_numpy(codes(self.schema, ordered).astype(np.int64)).to(self.device)
        past = _pasts(ordered, starts, config.length)
        items = torch.from_numpy(ordered.items.astype(np.int64)).to(self.device)
        counts = np.bincount(ordered.items, minlength=view.n_items)
        popular = torch.from_numpy((counts / counts.sum()).astype(np.float32)).to(self.device)
        fading = torch.tensor(FADING ** np.arange(config.length), dtype=torch.float32)
        parameters = [*self.network.parameters(), self.rows, self.bias]
        parameters += [] if self.project is None else list(self.project.parameters())
        optimiser = torch.optim.AdamW(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        epochs = max(1, round(config.epochs * share))
        size = min(len(ordered), config.examples)
        steps = epochs * max(1, -(-size // config.batch))
        began, step, losses = time.monotonic(), 0, []
        allowed = config.most_seconds * max(share, 0.2)
        self.network.train()
        for epoch in range(epochs):
            total = 0.0
            order = self._rng.permutation(len(ordered))[:size]
            for begin in range(0, size, config.batch):
                done, spent = step / steps, (time.monotonic() - began) / allowed
                rate = pace(spent if spent > done + 0.05 else done)
                for group in optimiser.param_groups:
                    group["lr"] = config.learning_rate * rate
                chosen = np.sort(order[begin : begin + config.batch])
                table = self._table()
                read = self._past(table, past[chosen], items, fading)
                wanted = self.network(read, here[chosen])
                loss = self._loss(self.network.drop(wanted), items[chosen], table, popular)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
                step, total = step + 1, total + float(loss.detach()) * len(chosen)
            losses.append(total / size)
            if curve is not None:
                curve(self.name, losses[-1], epoch + 1)
            if progress is not None:
                progress(f"{self.name} epoch {epoch + 1}/{epochs}", losses[-1])
            if time.monotonic() - began > allowed:
                break
        return losses

    def save(self, folder: Artefacts) -> None:
        """Write the network as ONNX, the item table, and the projection for new items' text."""
        with torch.no_grad():
            table = self._table().cpu().numpy().astype(np.float32).copy()
            bias = self.bias.cpu().numpy().astype(np.float32).copy()
        typical = float(np.median(bias[self.known])) if self.known.any() else 0.0
        bias[~self.known] = typical
        table[~self.known] = np.nan
        if self.project is not None and self.vectors is not None:
            weight, offset = (part.detach().cpu().numpy() for part in self.project.parameters())
            new = ~self.known & np.isfinite(self.vectors[:, 0])
            table[new] = self.vectors[new] @ weight.T + offset
            folder.write_arrays({f"{self.name}.project": weight, f"{self.name}.offset": offset})
        folder.write_arrays({f"{self.name}.table": table, f"{self.name}.bias": bias})
        meta = {
            "length": self.config.length,
            "text": self.project is not None,
            "new_bias": typical,
        }
        folder.write_json(self.name, meta)
        self.schema.save(folder)
        _export(self.network, folder.path(f"{self.name}.onnx"), self.schema.slots)

    def _table(self) -> Tensor:
        """Return float[n, d]: what is learned of each item beside what its text says."""
        return self.rows if self.project is None else self.rows + self.project(self._given)

    def _past(self, table: Tensor, past: np.ndarray, items: Tensor, fading: Tensor) -> Tensor:
        """Return float[b, d]: the mean of the rows of what came before, the newest counting most.

        `past` int64[b, length] are places of events, newest first, -1 for none.
        """
        places = torch.from_numpy(past).to(table.device)
        weight = fading.to(table.device) * (places >= 0)
        weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-9)
        rows = F.embedding(items[places.clamp_min(0)], table)
        out: Tensor = (weight[:, :, None] * rows).sum(1)
        return out

    def _loss(self, wanted: Tensor, targets: Tensor, table: Tensor, popular: Tensor) -> Tensor:
        n = table.shape[0]
        if n <= self.config.full_softmax_below:
            return F.cross_entropy(wanted @ table.T + self.bias, targets)
        half = self.config.negatives // 2
        sample = torch.cat(
            (
                torch.randint(0, n, (half,), device=wanted.device),
                targets[torch.randint(0, len(targets), (half,), device=wanted.device)],
            )
        )
        expected = half / n + half * popular[sample]
        logits = wanted @ table[sample].T + self.bias[sample] - torch.log(expected)
        logits = logits.masked_fill(sample[None] == targets[:, None], -1e9)
        right = (wanted * table[targets]).sum(1, keepdim=True) + self.bias[targets][:, None]
        zeros = torch.zeros(len(targets), dtype=torch.long, device=wanted.device)
        return F.cross_entropy(torch.cat((right, logits), dim=1), zeros)


def _pasts(view: View, starts: np.ndarray, length: int) -> np.ndarray:
    """Return int64[n, length]: the places of the events before each one, newest first, -1 for none.

    `view` is sorted by person and time. Events of one moment are no past of each other.
    """
    n = len(view)
    first = np.repeat(starts[:-1], np.diff(starts))
    new = np.ones(n, dtype=np.bool_)
    new[1:] = (np.diff(view.times) != 0) | (np.diff(view.users) != 0)
    moment = np.maximum.accumulate(np.where(new, np.arange(n), 0))
    places = moment[:, None] - 1 - np.arange(length)[None]
    return np.where(places >= first[:, None], places, -1)


def _export(network: Network, path: Path, slots: int) -> None:
    """Write the network as ONNX, for one request."""
    served = network.to("cpu").eval()
    told = (torch.zeros(1, network.mix.in_features), torch.zeros(1, slots, dtype=torch.long))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses a torchvision nobody needs
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*LeafSpec", FutureWarning)  # of the exporter's own
        torch.onnx.export(
            served,
            told,
            str(path),
            input_names=["past", "here"],
            output_names=["wanted"],
            dynamo=True,
            external_data=False,
            verbose=False,
        )
