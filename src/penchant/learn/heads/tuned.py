"""The encoder itself tuned on labels: `tune(texts, labels, folder)` writes a model folder.

The head that comes after is learned on the vectors of its ONNX form, as for any encoder. What is
special here is the loss: cross-entropy of a linear layer that starts as the logistic regression on
the frozen vectors (Kumar et al. 2022), plus a supervised contrastive loss (Khosla et al. 2020) that
pulls the texts of one label together. Batches are made of pairs of one label and of like length.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel

from penchant.language.encoder.weights import resolve
from penchant.language.normal import normal_all
from penchant.learn.encoder.pooled import Pooled, pooling_of
from penchant.learn.heads.config import TunedConfig
from penchant.learn.heads.folds import dealt
from penchant.learn.heads.logistic import multinomial

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Token ids int64[b, t], their mask int64[b, t], and classes int64[b]."""
Objective = Callable[["Labelled", Batch], torch.Tensor]
Told = Callable[[dict[str, Any]], None]
_BIG = 1e9
_POOL = 30  # batches among which texts of like length are put together


@dataclass(frozen=True, slots=True)
class Tuned:
    """A tuned model folder, the rows int64[m] it has not learned from, and its epochs."""

    folder: Path
    held: npt.NDArray[np.int64]
    history: tuple[dict[str, Any], ...]


class Labelled(torch.nn.Module):
    """A sentence encoder and a linear layer on its unit vectors."""

    def __init__(self, encoder: Pooled, dimension: int, n: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.layer = torch.nn.Linear(dimension, n)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return unit vectors float32[b, d]."""
        with torch.autocast("cpu", torch.bfloat16, enabled=_halves()):
            vectors = self.encoder(ids, mask)
        return torch.as_tensor(vectors).float()


def label_objective(config: TunedConfig) -> Objective:
    """Return the loss of a batch: that of the labels plus `contrast` times the contrastive one."""

    def loss(model: Labelled, batch: Batch) -> torch.Tensor:
        ids, mask, classes = batch
        vectors = model(ids, mask)
        total = F.cross_entropy(model.layer(vectors), classes, label_smoothing=config.smoothing)
        if config.contrast:
            total = total + config.contrast * contrastive(vectors, classes, config.temperature)
        return total

    return loss


def contrastive(vectors: torch.Tensor, classes: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the supervised contrastive loss of unit vectors float32[b, d] (Khosla et al. 2020)."""
    itself = torch.eye(len(vectors), dtype=torch.bool)
    near = (vectors @ vectors.T / temperature).masked_fill(itself, -_BIG)
    same = (classes[:, None] == classes[None, :]) & ~itself
    count = same.sum(1)
    if not bool((count > 0).any()):
        return vectors.sum() * 0.0
    each = (F.log_softmax(near, 1) * same).sum(1) / count.clamp(min=1)
    return -each[count > 0].mean()


def tune(
    texts: Sequence[str],
    labels: Sequence[str],
    folder: Path,
    *,
    model: str | Path | None = None,
    config: TunedConfig | None = None,
    tell: Told | None = None,
) -> Tuned:
    """Return the encoder `model` tuned to tell `labels` apart, written to `folder`.

    The folder has the Hugging Face form, which `SentenceEncoder.open` takes. What was learned so
    far lies in `folder`.work until it is done: a training that was killed goes on after its last
    whole epoch when it is called again with the same arguments, and ends in the same weights.
    """
    config = config or TunedConfig()
    if config.threads:
        torch.set_num_threads(config.threads)
    source = resolve(model) if model is not None else resolve()
    _, classes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    data = _Texts(texts, classes, source, config)
    torch.manual_seed(config.seed)
    transformer = AutoModel.from_pretrained(
        source, attn_implementation="sdpa", local_files_only=True
    )
    # Only its layers: the table of words is half the weights, and few texts say little of it.
    transformer.requires_grad_(False)
    _blocks(transformer).requires_grad_(True)
    description = json.loads((source / "config.json").read_text(encoding="utf-8"))
    n = int(classes.max()) + 1
    net = Labelled(Pooled(transformer, pooling_of(source)), int(description["hidden_size"]), n)
    run = _Run(net, data, label_objective(config), config, folder.with_name(f"{folder.name}.work"))
    history = run.resumed() or run.begin()
    while len(history) < config.epochs and not run.done:
        history.append(run.epoch(len(history)))
        run.keep(history)
        if tell is not None:
            tell(history[-1])
    run.best_weights()
    _written(net, source, folder)
    shutil.rmtree(run.work, ignore_errors=True)
    return Tuned(folder, data.held, tuple(history))


def held_out(labels: npt.ArrayLike, config: TunedConfig) -> npt.NDArray[np.int64]:
    """Return the rows int64[m] that `tune` does not learn from, a share of each label."""
    parts = max(2, round(1.0 / config.held))
    return np.flatnonzero(dealt(labels, parts, config.seed) == 0)


class _Texts:
    """Token ids and classes, split into what is learned from and what is held out."""

    def __init__(
        self,
        texts: Sequence[str],
        classes: npt.NDArray[np.int64],
        source: Path,
        config: TunedConfig,
    ) -> None:
        tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(config.max_tokens)
        cleaned = normal_all(texts, 32 * config.max_tokens)
        self.ids = [np.array(tokenizer.encode(text).ids) for text in cleaned]
        self.length = np.array([len(row) for row in self.ids])
        self.classes = classes
        self.held = held_out(classes, config)
        self.seen = np.setdiff1d(np.arange(len(classes)), self.held)
        self.size = config.batch

    def batch(self, rows: npt.NDArray[np.int64]) -> Batch:
        """Return the padded batch of `rows`."""
        ids = np.zeros((len(rows), int(self.length[rows].max())), np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : self.length[row]] = self.ids[row]
            mask[i, : self.length[row]] = 1
        classes = torch.from_numpy(self.classes[rows].astype(np.int64))
        return torch.from_numpy(ids), torch.from_numpy(mask), classes

    def batches(self, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
        """Return the rows of each batch of an epoch: pairs of one class, of like length."""
        pairs = []
        for k in np.unique(self.classes[self.seen]):
            own = rng.permutation(self.seen[self.classes[self.seen] == k])
            if len(own) % 2:
                own = np.append(own, own[0])
            pairs.append(own.reshape(-1, 2))
        deck = rng.permutation(np.concatenate(pairs))
        half, found = self.size // 2, []
        for start in range(0, len(deck), half * _POOL):
            pool = deck[start : start + half * _POOL]
            pool = pool[np.argsort(self.length[pool].max(axis=1), kind="stable")]
            found += [pool[i : i + half].ravel() for i in range(0, len(pool), half)]
        return [found[i] for i in rng.permutation(len(found))]


class _Run:
    """The loop: layer-wise rates, warm-up, clipping, early stopping, and going on after a kill."""

    def __init__(
        self, net: Labelled, data: _Texts, objective: Objective, config: TunedConfig, work: Path
    ) -> None:
        self.net, self.data, self.objective, self.config = net, data, objective, config
        self.work, self.done = work, False
        self.steps = config.epochs * len(data.batches(np.random.default_rng(0)))
        self.step = 0
        self.groups = list(_rates(net, config))
        self.adam = torch.optim.AdamW(self.groups, weight_decay=0.01)

    def begin(self) -> list[dict[str, Any]]:
        """Let the layer begin as the logistic regression on the vectors as they are."""
        data = self.data
        rows, n = self.vectors(data.seen), self.net.layer.out_features
        weights, bias = multinomial(rows, data.classes[data.seen], n, 10.0)
        with torch.no_grad():
            self.net.layer.weight.copy_(torch.from_numpy(weights.T))
            self.net.layer.bias.copy_(torch.from_numpy(np.maximum(bias, -10.0)))
        return []

    def epoch(self, number: int) -> dict[str, Any]:
        """Learn from every text once; return the loss and how often held-out texts come out right.

        All that is random in it comes from the seed and its number: it can be run again.
        """
        torch.manual_seed(self.config.seed * 1000 + number)
        rng = np.random.default_rng([self.config.seed, number])
        self.net.train()
        losses = []
        for rows in self.data.batches(rng):
            for group in self.adam.param_groups:
                group["lr"] = group["most"] * self._share()
            loss = self.objective(self.net, self.data.batch(rows))
            self.adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config.clip)
            self.adam.step()
            self.step += 1
            losses.append(float(loss.detach()))
        found, layer = self.vectors(self.data.held), self.net.layer
        said = found @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        right = float((said.argmax(1) == self.data.classes[self.data.held]).mean())
        return {"epoch": number, "loss": float(np.mean(losses)), "held_out": right}

    def vectors(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the vectors of `rows` as they are now, float32[m, d]."""
        self.net.eval()
        out = np.zeros((len(rows), self.net.layer.in_features), np.float32)
        order = np.argsort(self.data.length[rows], kind="stable")
        with torch.no_grad():
            for start in range(0, len(order), 64):
                part = order[start : start + 64]
                ids, mask, _ = self.data.batch(rows[part])
                out[part] = self.net(ids, mask).numpy()
        return out

    def keep(self, history: list[dict[str, Any]]) -> None:
        """Write what a killed training needs to go on, and the weights if they are the best."""
        self.work.mkdir(parents=True, exist_ok=True)
        best = max(range(len(history)), key=lambda i: history[i]["held_out"])
        self.done = len(history) - 1 - best >= self.config.patience
        if best == len(history) - 1:
            _safely(dict(self.net.state_dict()), self.work / "best.safetensors")
        state = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        for i, kept in self.adam.state_dict()["state"].items():
            state |= {f"adam.{i}.{k}": v for k, v in kept.items()}
        _safely(state, self.work / f"epoch-{len(history)}.safetensors")
        content = {"of": self._identity(), "history": history, "step": self.step}
        partial = self.work / "state.partial"
        partial.write_text(json.dumps(content))
        partial.replace(self.work / "state.json")
        (self.work / f"epoch-{len(history) - 1}.safetensors").unlink(missing_ok=True)

    def resumed(self) -> list[dict[str, Any]]:
        """Return the epochs that an earlier call finished, with their weights taken over."""
        path = self.work / "state.json"
        if not path.is_file():
            return []
        content = json.loads(path.read_text())
        if content["of"] != self._identity():
            shutil.rmtree(self.work)
            return []
        history: list[dict[str, Any]] = content["history"]
        state = load_file(self.work / f"epoch-{len(history)}.safetensors")
        net = {k[4:]: v for k, v in state.items() if k.startswith("net.")}
        self.net.load_state_dict(net)
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in state.items():
            if key.startswith("adam."):
                _, i, name = key.split(".")
                moments.setdefault(int(i), {})[name] = value
        groups = self.adam.state_dict()["param_groups"]
        self.adam.load_state_dict({"state": moments, "param_groups": groups})
        self.step = int(content["step"])
        best = max(range(len(history)), key=lambda i: history[i]["held_out"])
        self.done = len(history) - 1 - best >= self.config.patience
        return history

    def best_weights(self) -> None:
        """Take over the weights of the best epoch."""
        self.net.load_state_dict(load_file(self.work / "best.safetensors"))

    def _share(self) -> float:
        """Return the share of each rate at this step: up in a line, then down in a line."""
        warm = max(1, int(self.config.warm_up * self.steps))
        if self.step < warm:
            return (self.step + 1) / warm
        return max(0.0, (self.steps - self.step) / max(1, self.steps - warm))

    def _identity(self) -> dict[str, Any]:
        data = self.data
        seen = [len(data.ids), int(data.length.sum()), int(sum(int(r.sum()) for r in data.ids))]
        return {"config": asdict(self.config), "data": seen, "classes": data.classes.tolist()}


def _blocks(transformer: Any) -> torch.nn.ModuleList:
    """Return the layers of a transformer, whatever its family calls them."""
    lists = [part for part in transformer.modules() if isinstance(part, torch.nn.ModuleList)]
    return max(lists, key=len)


def _rates(net: Labelled, config: TunedConfig) -> Iterator[dict[str, Any]]:
    """Yield the groups of parameters with their highest rate, the deeper the lower."""
    for depth, block in enumerate(reversed(list(_blocks(net.encoder.transformer)))):
        rate = config.rate * config.decay**depth
        yield {"params": list(block.parameters()), "lr": rate, "most": rate}
    layer, rate = list(net.layer.parameters()), config.head_rate
    yield {"params": layer, "lr": rate, "most": rate, "weight_decay": 0.0}


def _written(net: Labelled, source: Path, folder: Path) -> None:
    """Write the transformer and what describes it as a model folder."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    net.encoder.transformer.save_pretrained(partial, safe_serialization=True)
    for path in source.rglob("*.json"):
        target = partial / path.relative_to(source)
        if not target.exists() and not path.name.endswith("index.json"):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _safely(tensors: dict[str, torch.Tensor], path: Path) -> None:
    partial = path.with_suffix(".partial")
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, partial)
    partial.replace(path)


def _halves() -> bool:
    """Return whether this processor multiplies bfloat16 itself; emulated, it is slower."""
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
