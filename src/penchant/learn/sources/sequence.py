"""Learning sequence recall: a small causal transformer that is told the time until what comes next.

The plain model (SASRec, Kang and McAuley 2018) knows order only. Here each event carries the gap to
the one before it, and each output is conditioned on the gap to its target: zero asks to complete
the present moment, a long one what a returning person wants. Where circumstances tell something,
each event carries those it was in, and each output is conditioned on those of its target. Events of
one moment have no order,
so they are shuffled anew in each epoch; over epochs this equals a set target. The loss is softmax
over the whole catalogue, or over shared samples with the logQ correction (Yi et al. 2019) when it
is large: with one negative and BCE the same network loses a third of its NDCG (Petrov and
Macdonald 2023; Klenitskiy and Vasilev 2023).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penchant.interests.context.schema import Schema
from penchant.learn.config import SequenceConfig
from penchant.learn.context.learning import codes
from penchant.learn.sources.export import export
from penchant.learn.view import View
from penchant.recall.sequence import GAP_BUCKETS, gap_buckets
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Tell

Curve = Callable[[str, float, int], None]


class Dropout(nn.Module):
    """Dropout whose masks are stretches of one pool of random values, drawn anew now and then.

    torch draws each mask on one thread, one number at a time: 37% of a training's time on a
    processor with four cores (d = 128, 12,000 items), where a stretch of the pool costs a product.
    """

    POOL, USES = 1 << 22, 1000

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self._pool = torch.zeros(0)
        self._uses = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return x in evaluation; in training with `rate` of its values zero, the others larger."""
        if not self.training or self.rate <= 0.0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.rate)
        if self._uses % self.USES == 0 or len(self._pool) < 2 * x.numel():
            size = max(self.POOL, 2 * x.numel())
            self._pool = torch.empty(size).bernoulli_(1.0 - self.rate).div_(1.0 - self.rate)
        self._uses += 1
        begin = int(torch.randint(len(self._pool) - x.numel() + 1, (1,)))
        return x * self._pool[begin : begin + x.numel()].view_as(x)


class Block(nn.Module):
    """One pre-norm transformer block with causal attention."""

    def __init__(self, d: int, heads: int, dropout: Dropout) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(d)
        self.mix = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.between = nn.LayerNorm(d)
        self.feed = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
        self.drop = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return float[b, l, d]; position i sees positions up to i."""
        b, length, d = x.shape
        q, k, v = self.mix(self.before(x)).view(b, length, 3, self.heads, d // self.heads).unbind(2)
        seen = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True
        )
        x = x + self.drop(self.out(seen.transpose(1, 2).reshape(b, length, d)))
        fed: Tensor = x + self.drop(self.feed(self.between(x)))
        return fed


class Network(nn.Module):
    """Rows of wanted items and gaps in, one vector per position out."""

    def __init__(self, config: SequenceConfig, n_codes: int = 0) -> None:
        super().__init__()
        d = config.dimension
        self.scale = d**0.5
        self.position = nn.Embedding(config.length, d)
        self.gap = nn.Embedding(GAP_BUCKETS, d)
        self.ahead = nn.Embedding(GAP_BUCKETS, d)
        for table in (self.position, self.gap, self.ahead):
            nn.init.normal_(table.weight, std=0.02)
        # What circumstances add to what was chosen in them, and to what is asked for in them.
        self.then: nn.Embedding | None = None
        self.here: nn.Embedding | None = None
        if n_codes:
            self.then = nn.Embedding(n_codes, d, padding_idx=0)
            self.here = nn.Embedding(n_codes, d, padding_idx=0)
            nn.init.zeros_(self.then.weight)
            nn.init.zeros_(self.here.weight)
        self.drop = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(d, config.heads, self.drop) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, d))

    def read(self, rows: Tensor, gaps: Tensor, then: Tensor | None = None) -> Tensor:
        """Return float[b, l, d] before it is told the time ahead.

        `then` int[b, l, slots] are the codes of the circumstances of each event.
        """
        places = torch.arange(rows.shape[1], device=rows.device)
        x = rows * self.scale + self.gap(gaps) + self.position(places)
        if self.then is not None and then is not None:
            x = x + self.then(then).sum(-2)
        x = self.drop(x)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out

    def answer(self, read: Tensor, ahead: Tensor, said: Tensor | None = None) -> Tensor:
        """Return what is wanted `ahead` of each position, to compare with item rows.

        `said` float[..., d] is what the circumstances of the request add, in sum.
        """
        asked = read + self.ahead(ahead)
        told: Tensor = read + self.head(asked if said is None else asked + said)
        return told

    def forward(self, rows: Tensor, gaps: Tensor, ahead: Tensor) -> Tensor:
        """Return float[b, d], the answer at the last position: what serving computes (`export`)."""
        return self.answer(self.read(rows, gaps)[:, -1], ahead)


class Items(nn.Module):
    """The item table: learned rows, or a learned projection of given (text) vectors."""

    def __init__(self, n: int, d: int, vectors: Floats | None) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(n))
        self.rows: nn.Parameter | None = None
        self.project: nn.Linear | None = None
        if vectors is None:
            self.rows = nn.Parameter(torch.randn(n, d) * 0.05)
        else:
            self.vectors: Tensor
            self.register_buffer("vectors", torch.from_numpy(np.nan_to_num(vectors)))
            self.project = nn.Linear(vectors.shape[1], d)

    def read(self, vectors: Floats) -> None:
        """Take other given vectors, of the same shape."""
        self.vectors.copy_(torch.from_numpy(np.nan_to_num(vectors)))

    def table(self) -> Tensor:
        """Return float[n, d]."""
        if self.project is not None:
            projected: Tensor = self.project(self.vectors)
            return projected
        assert self.rows is not None
        return self.rows


class SequenceLearner:
    """Fits one model on the wanted events of a view; `fit` again continues from its weights."""

    def __init__(
        self,
        name: str,
        config: SequenceConfig,
        n_items: int,
        *,
        seed: int,
        vectors: Floats | None = None,
        schema: Schema | None = None,
        device: str | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self.name = name
        self.config = config
        self.schema = schema
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.vectors = vectors
        n_codes = 0 if schema is None else schema.n_codes
        self.network = Network(config, n_codes).to(self.device)
        self.items = Items(n_items, config.dimension, vectors).to(self.device)
        self.known = np.zeros(n_items, dtype=np.bool_)
        self._rng = np.random.default_rng(seed)

    def read(self, vectors: Floats) -> None:
        """Go on with other text vectors, float32[n_items, d]."""
        self.vectors = vectors
        self.items.read(vectors)

    def fit(
        self,
        view: View,
        share: float = 1.0,
        progress: Tell | None = None,
        curve: Curve | None = None,
    ) -> list[float]:
        """Train for `share` of the configured epochs; return the mean loss of each epoch.

        `curve` is told the name, the loss and the number of each epoch, from 1, as it ends.
        """
        config = self.config
        ordered, starts = view.by_user()
        if self.vectors is not None:
            has_text = np.isfinite(self.vectors[:, 0])
            ordered = ordered.where(has_text[ordered.items])
            ordered, starts = ordered.by_user()
        windows = _windows(starts, config.length)
        if not len(windows):
            return []
        self.known[np.unique(ordered.items)] = True
        told = None if self.schema is None else codes(self.schema, ordered).astype(np.int64)
        counts = np.bincount(ordered.items, minlength=view.n_items)
        popular = torch.from_numpy((counts / counts.sum()).astype(np.float32)).to(self.device)
        parameters = [*self.network.parameters(), *self.items.parameters()]
        optimiser = torch.optim.AdamW(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        epochs = max(1, round(config.epochs * share))
        steps = epochs * len(self._together(windows))
        began, losses, step = time.monotonic(), [], 0
        allowed = config.most_seconds * max(share, 0.2)
        for epoch in range(epochs):
            self.network.train()
            self.items.train()
            total, batches = 0.0, 0
            for batch in self._batches(ordered, windows, told):
                done, spent = step / steps, (time.monotonic() - began) / allowed
                # Time takes over only where it is well ahead: runs within it are repeatable.
                rate = pace(spent if spent > done + 0.05 else done)
                for group in optimiser.param_groups:
                    group["lr"] = config.learning_rate * rate
                loss = self._loss(batch, popular)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
                step += 1
                total, batches = total + float(loss.detach()), batches + 1
            losses.append(total / batches)
            if curve is not None:
                curve(self.name, losses[-1], epoch + 1)
            if progress is not None:
                progress(f"{self.name} epoch {epoch + 1}/{epochs}", losses[-1])
            if time.monotonic() - began > allowed:
                break
        return losses

    def _batches(
        self,
        ordered: View,
        windows: npt.NDArray[np.int64],
        told: npt.NDArray[np.int64] | None,
    ) -> Iterator[dict[str, Tensor]]:
        # Shuffling inside moments: a random key sorts events of one person and time.
        key = self._rng.random(len(ordered))
        shuffled = np.lexsort((key, ordered.times, ordered.users))
        items, times = ordered.items[shuffled], ordered.times
        said = None if told is None else told[shuffled]
        for chosen in self._together(windows):
            begin, end = windows[chosen].T
            size = end - begin - 1
            place = begin[:, None] + np.arange(int(size.max()))[None]
            inside = np.arange(int(size.max()))[None] < size[:, None]
            place = np.where(inside, place, begin[:, None])
            ahead = gap_buckets(times[place + 1] - times[place])
            gaps = np.zeros_like(ahead)
            gaps[:, 1:] = ahead[:, :-1]
            yield {
                key: torch.from_numpy(value).to(self.device)
                for key, value in {
                    "items": items[place].astype(np.int64),
                    "targets": items[place + 1].astype(np.int64),
                    "gaps": gaps,
                    "ahead": ahead,
                    "inside": inside,
                    **({} if said is None else {"then": said[place], "here": said[place + 1]}),
                }.items()
            }

    def _together(self, windows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        """Return the windows of each batch, in random order: about `tokens` events of like length.

        Most people have few events: batches of random windows would be nine tenths padding.
        """
        sizes = windows[:, 1] - windows[:, 0] - 1
        order = np.argsort(sizes * self._rng.uniform(0.8, 1.2, len(sizes)))
        batches, begin = [], 0
        while begin < len(order):
            # Sizes grow along the order, so the look ahead bounds the longest of the batch.
            count = max(1, self.config.tokens // max(1, int(sizes[order[begin]])))
            longest = int(sizes[order[begin : begin + count]].max())
            count = max(1, self.config.tokens // longest)
            batches.append(order[begin : begin + count])
            begin += count
        return [batches[i] for i in self._rng.permutation(len(batches))]

    def _loss(self, batch: dict[str, Tensor], popular: Tensor) -> Tensor:
        table = self.items.table()
        rows, inside = F.embedding(batch["items"], table), batch["inside"]
        read = self.network.read(rows, batch["gaps"], batch.get("then"))
        said = None
        if self.network.here is not None:
            said = self.network.here(batch["here"][inside]).sum(-2)
        out = self.network.answer(read[inside], batch["ahead"][inside], said)
        targets = batch["targets"][inside]
        n = table.shape[0]
        if n <= self.config.full_softmax_below:
            return F.cross_entropy(out @ table.T + self.items.bias, targets)
        half = self.config.negatives // 2
        sample = torch.cat(
            (
                torch.randint(0, n, (half,), device=out.device),
                targets[torch.randint(0, len(targets), (half,), device=out.device)],
            )
        )
        expected = half / n + half * popular[sample]
        logits = out @ table[sample].T + self.items.bias[sample] - torch.log(expected)
        logits = logits.masked_fill(sample[None] == targets[:, None], -1e9)
        right = (out * table[targets]).sum(1, keepdim=True) + self.items.bias[targets][:, None]
        zeros = torch.zeros(len(targets), dtype=torch.long, device=out.device)
        return F.cross_entropy(torch.cat((right, logits), dim=1), zeros)

    def rows(self) -> tuple[Floats, Floats]:
        """Return (table float32[n, d], bias float32[n]); NaN rows for items it does not know."""
        with torch.no_grad():
            table = self.items.table().cpu().numpy().astype(np.float32).copy()
            bias = self.items.bias.detach().cpu().numpy().astype(np.float32).copy()
        if self.vectors is None:
            table[~self.known] = np.nan
        else:
            table[~np.isfinite(self.vectors[:, 0])] = np.nan
            # The bias of an item nobody wanted was pushed down by the softmax for being unwanted
            # so far; a new item deserves the typical one.
            if self.known.any():
                bias[~self.known] = np.median(bias[self.known])
        return table, bias

    def save(self, folder: Artefacts) -> None:
        """Write the network as ONNX, the item table, and the projection for new items' text."""
        table, bias = self.rows()
        folder.write_arrays({f"{self.name}.table": table, f"{self.name}.bias": bias})
        meta = {"model": "sequence", "length": self.config.length, "text": self.vectors is not None}
        if self.items.project is not None:
            folder.write_array(
                f"{self.name}.project", self.items.project.weight.detach().cpu().numpy()
            )
            folder.write_array(
                f"{self.name}.offset", self.items.project.bias.detach().cpu().numpy()
            )
            meta["new_bias"] = float(np.median(bias[self.known])) if self.known.any() else 0.0
        if self.schema is not None and self.network.then is not None:
            self.schema.save(folder)
            then, here = (
                table.weight.detach().cpu().numpy()
                for table in (self.network.then, self.network.here)
                if table is not None
            )
            # Rows are what the network multiplies by its scale.
            told = {f"{self.name}.then": then / self.network.scale, f"{self.name}.here": here}
            folder.write_arrays(told)
            meta["context"] = True
        folder.write_json(self.name, meta)
        export(self.network, folder.path(f"{self.name}.onnx"), self.config.length)


def pace(done: float) -> float:
    """Return the share of the learning rate when `done` (0 to 1) of the training is behind.

    A tenth warms up, the rest is half a cosine down to a hundredth. Progress is that of the steps
    or of the time allowed, whichever is further: a slow machine ends its training annealed as well.
    """
    if done < 0.1:
        return 0.04 + 0.96 * done / 0.1
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, (done - 0.1) / 0.9)))


def _windows(starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    """Return int64[w, 2]: begin and end of stretches of at most length + 1 events, newest first."""
    out = []
    for a, e in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        end = e
        while end - a > 1:
            out.append((max(a, end - length - 1), end))
            end -= length
    return np.array(out, dtype=np.int64).reshape(-1, 2)
