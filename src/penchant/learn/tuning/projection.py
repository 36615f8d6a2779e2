"""Tuning on a frozen model: a small layer that brings texts together which the same people want.

What is served is what is learned: the interest of a person is the fading mean of the vectors of
their last items (`recall.text.fading`), and the softmax of its cosines over the catalogue shall
find what the person wanted next, items of one moment being a set. A bias for each item takes up
popularity and is thrown away, so that vectors say what goes together and not what sells. What
is rarely wanted is drawn more often than it was (`ProjectionConfig.rarity`), as popular items would
else have the say in what goes together. Negatives are shared by a batch, half of them drawn evenly,
half as they are wanted, with the logQ correction (Yi et al. 2019); what a person has already is no
negative, as it is never shown.

Most of what keeps it honest for items without events is dropout of the whitened sentence vector: a
layer that may not rely on any one direction cannot learn items by heart.

It still brings what was wanted nearer than what was not, so a new item would come last. Some items
are kept out of the first fit and tell by how much such items are to be lifted (`recall.text.Lift`).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penchant.language.projection import TEXT, Layout, Projection, whitened
from penchant.language.whitening import Whitening
from penchant.learn.config import ProjectionConfig
from penchant.learn.sources.sequence import pace
from penchant.learn.tuning.examples import Examples
from penchant.learn.tuning.layer import Layer
from penchant.learn.view import View
from penchant.measure.ranking import Figures, Lists, hits, ndcg
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Ids, Tell

Curve = Callable[[str, float, int], None]
MOST = 2000  # examples that an epoch is measured by
MOST_LIFTED = 8000  # and by which a lift is chosen
LIFTS = (0.0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25)
PER_DIRECTION = 4  # items there are for each direction that a part is whitened to
LEAST_DIRECTIONS = 32
LEAST_PARTS = 10  # items with a picture below which pictures are left out
LEAST_UNTRIED = 20  # wishes for untried items that say how much they are to be lifted


class ProjectionLearner:
    """Fits the layer on the wanted events of a view; `fit` again continues from its weights.

    `raw` float32[n_items, d] are the vectors of the frozen encoder, NaN for items without text.
    Where items are more than that, `layout` names the parts of a row and their lengths, the text
    first.
    """

    def __init__(
        self,
        name: str,
        config: ProjectionConfig,
        raw: Floats,
        *,
        seed: int,
        layout: Layout = (),
    ) -> None:
        torch.manual_seed(seed)
        self.name = name
        self.config = config
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.layout = layout or ((TEXT, raw.shape[1]),)
        self.parts = _parts(raw, [width for _, width in self.layout], config.media_dimension)
        self.read(raw)
        inner = [part.matrix.shape[1] for part in self.parts]
        self.layer = Layer(inner, config).to(self.device)
        self.bias = nn.Parameter(torch.zeros(len(raw), device=self.device))
        self.sharpness = nn.Parameter(
            torch.tensor(math.log(1.0 / config.temperature), device=self.device)
        )
        self._rng = np.random.default_rng(seed)
        self.lift = 0.0
        self.tried: npt.NDArray[np.bool_] = np.zeros(len(raw), dtype=np.bool_)

    def read(self, raw: Floats) -> None:
        """Go on with other vectors, float32[n_items, d]."""
        self.raw = raw
        white = whitened(self.parts, raw)
        self.known: npt.NDArray[np.bool_] = np.asarray(white.any(axis=1))
        self.white = torch.from_numpy(white).to(self.device)

    def fit(
        self,
        view: View,
        share: float = 1.0,
        progress: Tell | None = None,
        curve: Curve | None = None,
    ) -> list[float]:
        """Train for `share` of the epochs; return the NDCG@10 of the newest events after each.

        The first figure is that of the whitening alone, or of the weights it continues from. With
        `share` of one the epoch that did best on the newest tenth of the events is kept; a
        continued training learns from these too, and ends where it ends.
        """
        config = self.config
        validated = share >= 1.0
        begin = view.newest(config.validation) if validated else math.inf
        learned = view.before(begin)
        if validated:
            held = self._rng.random(len(self.known)) < config.held
            learned = learned.where(~held[learned.items])
        past = Examples.of(learned, self.known)
        if not len(past):
            return []
        self.tried[past.items] = True
        judged = Examples.of(view, self.known, begin) if validated else None
        measured = [] if judged is None else [self.measure(judged)]
        best, kept = measured[0] if measured else -1.0, copy.deepcopy(self.layer.state_dict())
        counts = np.bincount(past.items, minlength=view.n_items).astype(np.float64)
        optimiser = torch.optim.AdamW(
            [
                {"params": self.layer.parameters(), "weight_decay": config.weight_decay, "x": 1.0},
                {"params": [self.bias, self.sharpness], "weight_decay": 0.0, "x": 10.0},
            ],
            lr=config.learning_rate,
        )
        epochs = max(1, round(config.epochs * share))
        allowed = config.most_seconds * max(share, 0.2)
        steps = epochs * max(config.least_steps, min(config.examples, len(past)) // config.batch)
        began, step, worse = time.monotonic(), 0, 0
        for epoch in range(epochs):
            self.layer.train()
            losses = []
            for batch in self._batches(past, counts):
                done, spent = step / steps, (time.monotonic() - began) / allowed
                rate = pace(spent if spent > done + 0.05 else done)
                for group in optimiser.param_groups:
                    group["lr"] = config.learning_rate * rate * group["x"]
                loss = self._loss(past, batch, counts)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
                nn.utils.clip_grad_norm_(self.layer.parameters(), 1.0)
                optimiser.step()
                losses.append(float(loss.detach()))
                step += 1
            mean = float(np.mean(losses))
            if not math.isfinite(mean):
                break  # what was best so far is kept
            if curve is not None:
                curve(self.name, mean, epoch + 1)
            if progress is not None:
                progress(f"{self.name} epoch {epoch + 1}/{epochs}", mean)
            if judged is not None:
                measured.append(self.measure(judged))
                if curve is not None:
                    curve(f"{self.name} NDCG@10", measured[-1], epoch + 1)
                worse = 0 if measured[-1] > best else worse + 1
                if measured[-1] > best:
                    best, kept = measured[-1], copy.deepcopy(self.layer.state_dict())
            if worse > config.patience or time.monotonic() - began > allowed:
                break
        if judged is not None:
            self.layer.load_state_dict(kept)
            self.lift = self._lifted(judged)
        return measured

    def measure(self, examples: Examples) -> float:
        """Return the mean NDCG@10 of the next item, over `MOST` examples drawn by seed."""
        gains, _ = self._gains(examples, [0.0], MOST)
        return float(gains[0].mean()) if gains.size else 0.0

    def _lifted(self, judged: Examples) -> float:
        """Return the lift with which untried items are found best, for what may be given up."""
        gains, targets = self._gains(judged, LIFTS, MOST_LIFTED)
        untried = ~self.tried[targets]
        if untried.sum() < LEAST_UNTRIED:
            return 0.0
        whole = gains.mean(axis=1)
        afforded = np.flatnonzero(whole >= (1.0 - self.config.given_up) * whole[0])
        return LIFTS[afforded[np.argmax(gains[afforded][:, untried].mean(axis=1))]]

    def _gains(self, examples: Examples, lifts: Sequence[float], most: int) -> tuple[Figures, Ids]:
        """Return NDCG@10 with each lift, float64[lifts, n], and what was wanted, int32[n]."""
        rows = np.nan_to_num(self.vectors())
        chosen = np.random.default_rng(0).permutation(len(examples))[:most]
        ranked = np.empty((len(lifts), len(chosen), 10), dtype=np.int64)
        for begin in range(0, len(chosen), 256):
            part = chosen[begin : begin + 256]
            had = np.where(examples.history[part] < 0, -1, examples.items[examples.history[part]])
            wanted = np.einsum("bl,bld->bd", examples.weights[part], rows[had])
            scores = wanted @ rows.T
            scores[:, ~self.known] = -np.inf
            for row, items in zip(scores, had, strict=True):
                row[items[items >= 0]] = -np.inf
            untried = np.where(self.tried | ~self.known, 0.0, 1.0) * np.maximum(scores, 0.0)
            for number, lift in enumerate(lifts):
                lifted = scores + lift * untried
                best = np.argpartition(-lifted, 10, axis=1)[:, :10]
                order = np.argsort(-np.take_along_axis(lifted, best, 1), axis=1, kind="stable")
                ranked[number, begin : begin + 256] = np.take_along_axis(best, order, 1)
        right = examples.items[examples.target[chosen]].astype(np.int32)
        targets = Lists.of(right[:, None])
        found = [ndcg(hits(one, targets), targets.lengths, 10) for one in ranked]
        return np.array(found), right

    def vectors(self) -> Floats:
        """Return float32[n_items, k], rows of NaN for items without text."""
        return self.projection()(self.raw)

    def projection(self) -> Projection:
        """Return what was learned, turned so that the directions of most spread come first.

        A rotation changes no cosine, and lets a reader cut the vectors short.
        """
        layer = self.layer
        none = torch.zeros((0, self.white.shape[1])), torch.zeros(0)
        gate, openness = none if layer.gate is None else (layer.gate.weight, layer.gate.bias)
        plain = Projection(
            parts=self.parts,
            names=tuple(name for name, _ in self.layout),
            linear=_array(layer.linear.weight),
            hidden=_array(layer.hidden.weight),
            offset=_array(layer.hidden.bias),
            out=_array(layer.out.weight),
            gate=_array(gate),
            openness=_array(openness),
        )
        return plain.turned(plain(self.raw))

    def save(self, folder: Artefacts) -> None:
        """Write the projection and the vector of every item."""
        projection = self.projection()
        projection.save(folder, self.name)
        folder.write_array(f"{self.name}.vectors", projection(self.raw))
        folder.write_array(f"{self.name}.tried", self.tried)
        folder.write_json(self.name, {"lift": self.lift, "parts": projection.names})

    def _batches(
        self, examples: Examples, counts: npt.NDArray[np.float64]
    ) -> Iterator[npt.NDArray[np.int64]]:
        done = 0
        right = counts[examples.items[examples.target]] ** -self.config.rarity
        while True:
            order = examples.few(self.config.of_moment, self._rng)
            chance = right[order] / right[order].sum()
            order = self._rng.choice(order, len(order), p=chance)[: self.config.examples]
            size = min(self.config.batch, len(order))
            for begin in range(0, len(order) - size + 1, size):
                yield order[begin : begin + size]
                done += 1
            if done >= self.config.least_steps:
                return

    def _loss(
        self, examples: Examples, batch: npt.NDArray[np.int64], counts: npt.NDArray[np.float64]
    ) -> Tensor:
        half = self.config.negatives // 2
        had = examples.history[batch]
        inside = had >= 0
        had = np.where(inside, examples.items[had], -1)
        right = examples.items[examples.target[batch]]
        alive = np.flatnonzero(counts)
        sample = np.concatenate(
            (self._rng.choice(alive, half), right[self._rng.integers(0, len(right), half)])
        )
        expected = half / len(alive) + half * counts[sample] / counts.sum()
        # Each item of the step once through the layer, whoever had or wants it.
        needed, place = np.unique(
            np.concatenate((np.maximum(had, 0).ravel(), right, sample)), return_inverse=True
        )
        rows = self.layer(self.white[torch.from_numpy(needed).to(self.device)])
        places = torch.from_numpy(place).to(self.device)
        cut = (had.size, had.size + len(right))
        weights = torch.from_numpy(examples.weights[batch]).to(self.device)
        wanted = (rows[places[: cut[0]]].view(*had.shape, -1) * weights[:, :, None]).sum(1)
        wanted = F.normalize(wanted, dim=1)
        sharp = self.sharpness.exp()
        bias = self.bias[torch.from_numpy(needed).to(self.device)]
        negative = wanted @ rows[places[cut[1] :]].T * sharp + bias[places[cut[1] :]]
        negative = negative - torch.from_numpy(np.log(expected).astype(np.float32)).to(self.device)
        own = _among(sample, np.concatenate((right[:, None], had), axis=1))
        negative = negative.masked_fill(torch.from_numpy(own).to(self.device), -1e9)
        target = places[cut[0] : cut[1]]
        positive = (wanted * rows[target]).sum(1, keepdim=True) * sharp + bias[target][:, None]
        zeros = torch.zeros(len(batch), dtype=torch.long, device=self.device)
        return F.cross_entropy(torch.cat((positive, negative), dim=1), zeros)


def _parts(raw: Floats, widths: Sequence[int], media: int) -> tuple[Whitening, ...]:
    """Return the whitening of each part of raw rows, beside the text to at most `media` directions.

    Of few items no more directions than a share of their number: the others tell one from the
    other, and not what they are, so the layer would learn by heart who wanted which.
    """
    out, begin = [], 0
    for number, width in enumerate(widths):
        part = raw[:, begin : begin + width]
        begin += width
        known = np.isfinite(part[:, 0])
        if number and known.sum() <= LEAST_PARTS:
            # Too few to say how they spread: as if nobody had one.
            nothing = np.zeros((width, 1), np.float32)
            out.append(Whitening(np.zeros(width, np.float32), nothing))
        else:
            most = max(LEAST_DIRECTIONS, int(known.sum()) // PER_DIRECTION)
            out.append(Whitening.fit(part, min(width, media if number else width, most)))
    return tuple(out)


def _array(weight: Tensor) -> Floats:
    """Return a weight as numpy multiplies by it: rows are what comes in."""
    out: Floats = weight.detach().cpu().numpy().T.astype(np.float32)
    return out


def _among(
    sample: Ids | npt.NDArray[np.int64], own: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return bool[b, s]: whether item s of `sample` is one of row b of `own`."""
    order = np.argsort(sample, kind="stable")
    ranked = sample[order]
    low, high = np.searchsorted(ranked, own, "left"), np.searchsorted(ranked, own, "right")
    found = np.zeros((len(own), len(sample)), dtype=np.bool_)
    for row, column in zip(*np.nonzero(high > low), strict=True):
        found[row, order[low[row, column] : high[row, column]]] = True
    return found
