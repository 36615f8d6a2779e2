"""Continued pre-training on the catalogue's own words, before any behaviour.

masked: foretell words that were covered (Devlin et al. 2019; on the texts of the task, Gururangan
et al. 2020). tsdae: make a text again from the vector of the same text with most of its words gone
(Wang et al. 2021). next_token: foretell each word from those before it, for decoders.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penchant.learn.encoder.loaded import quietly
from penchant.learn.encoder.pooled import is_causal
from penchant.learn.tuning import loop
from penchant.learn.tuning.config import TuningConfig
from penchant.learn.tuning.methods import Attached
from penchant.learn.tuning.text_model import TextModel, pieces
from penchant.types import Error, InvalidInput, Tell

MASKED, DELETED = 0.15, 0.6
IGNORED = -100


def pretrain(
    origin: Path,
    texts: Sequence[str],
    config: TuningConfig,
    target: Path,
    mark: str,
    *,
    device: str = "cpu",
    tell: Tell | None = None,
    curve: loop.Curve | None = None,
    checkpoint_seconds: float = math.inf,
) -> list[float]:
    """Pre-train the model in `origin` on `texts` and write it to `target`; return the losses.

    All weights move. The last weights are kept: whether they pay is for the tuning to find out. A
    checkpoint of the name `target` with `mark` is gone on from; a `target` that is there with it is
    taken as it is. Raises InvalidInput where the model cannot do what is asked.
    """
    done = target / "pretraining.json"
    if done.is_file():
        about = json.loads(done.read_text())
        if about["mark"] == mark:
            return [float(loss) for loss in about["losses"]]
    shutil.rmtree(target, ignore_errors=True)
    model = TextModel.open(origin, device=device, precision=config.precision)
    rows = [row for row in model.tokens(texts, config.max_tokens) if len(row) > 2]
    if not rows:
        raise InvalidInput("no text has a word to pre-train on: set pretraining to none")
    torch.manual_seed(config.seed)
    attached = Attached(model.module, replace(config, method="full"), 1)
    task = _task(origin, model, config)
    head = task.head.to(device)
    lengths = np.array([len(row) for row in rows])
    batch = min(config.batch, len(rows))
    steps = max(1, math.ceil(config.pretraining_epochs * len(rows) / batch))

    def step(number: int, held: int) -> float:
        rng = np.random.default_rng((config.seed, 1, number))
        chosen = np.sort(rng.choice(len(rows), batch, replace=False))
        total = 0.0
        for piece in pieces(chosen, lengths, held):
            torch.manual_seed(int(rng.integers(2**40)))
            with model.precisely():
                loss = task.loss([rows[i] for i in piece], rng) * (len(piece) / batch)
            if not torch.isfinite(loss):
                return math.nan
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
            total += float(loss.detach())
        return total

    parameters = attached.parameters()
    known = {id(p) for p in parameters.values()}
    own = {
        f"head.{name}": parameter
        for name, parameter in head.named_parameters()
        if id(parameter) not in known and ".pooler." not in name
    }
    for parameter in own.values():
        parameter.requires_grad_(True)
    groups = [{"params": [*parameters.values()], "rate": config.pretraining_rate}]
    if own:
        groups.append({"params": [*own.values()], "rate": 10 * config.pretraining_rate})
    plan = loop.Plan(
        steps=steps,
        most_seconds=config.pretraining_seconds,
        validations=0,
        patience=1,
        clip=config.clip,
        warm_up=config.warm_up,
        held=config.held_tokens,
        checkpoint_seconds=checkpoint_seconds,
    )
    path = target.with_name(f"{target.name}.safetensors")
    trained = loop.Trained({**parameters, **own}, groups)
    progress = loop.run(trained, step, plan, path, mark, tell=tell, curve=curve)
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save(partial)
    about = {"mark": mark, "losses": progress.losses, "config": asdict(config)}
    (partial / "pretraining.json").write_text(json.dumps(about))
    partial.rename(target)
    path.unlink(missing_ok=True)
    return progress.losses


class _Task:
    """What is foretold: `head` has the parameters beside the encoder, `loss` that of some texts."""

    def __init__(self, head: nn.Module, loss: Callable[..., Tensor]) -> None:
        self.head, self.loss = head, loss


def _task(origin: Path, model: TextModel, config: TuningConfig) -> _Task:
    causal = is_causal(json.loads((origin / "config.json").read_text(encoding="utf-8")))
    if config.pretraining == "next_token" and not causal:
        raise InvalidInput(
            f"pretraining next_token is for decoders, and {origin} reads in both directions: set "
            "it to masked or tsdae"
        )
    if config.pretraining == "masked" and causal:
        raise InvalidInput(
            f"pretraining masked is for models that read in both directions, and {origin} is a "
            "decoder: set it to next_token or tsdae"
        )
    if config.pretraining == "tsdae":
        return _denoising(model)
    return _words(origin, model, causal)


def _words(origin: Path, model: TextModel, causal: bool) -> _Task:
    """Return the task of foretelling words with the head that the model was published with."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    kind: Any = AutoModelForCausalLM if causal else AutoModelForMaskedLM
    with quietly():
        whole = kind.from_pretrained(origin, local_files_only=True, dtype=torch.float32)
    prefix = whole.base_model_prefix
    if not hasattr(whole, prefix):
        raise Error(f"{type(whole).__name__} does not say where its encoder is: use tsdae")
    # The head is the published one, or a new one; the encoder is the one that is tuned.
    setattr(whole, prefix, model.module.transformer)
    whole.tie_weights()
    whole.to(model.device).eval()
    mask = None if causal else _mask(model)
    vocabulary = int(model.module.transformer.get_input_embeddings().num_embeddings)
    special = _special(model)

    def loss(rows: list[list[int]], rng: np.random.Generator) -> Tensor:
        ids, seen = model.padded(rows)
        if causal:
            wanted = ids.masked_fill(seen == 0, IGNORED)[:, 1:]
            logits = whole(input_ids=ids, attention_mask=seen).logits[:, :-1]
        else:
            assert mask is not None
            given, targets = cover(ids.cpu().numpy(), special, mask, vocabulary, rng)
            wanted = torch.from_numpy(targets).to(model.device)
            ids = torch.from_numpy(given).to(model.device)
            logits = whole(input_ids=ids, attention_mask=seen).logits
        return _cross_entropy(logits, wanted)

    return _Task(whole, loss)


def _denoising(model: TextModel) -> _Task:
    """Return the task of making a text again from the vector of what was left of it."""
    table = model.module.transformer.get_input_embeddings()
    width = int(table.embedding_dim)
    head = nn.ModuleDict(
        {
            "enter": nn.Linear(width, width),
            "memory": nn.Linear(model.dimension, width),
            "place": nn.Embedding(model.found.limit, width),
            "decoder": nn.TransformerDecoderLayer(
                width, _heads(width), 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
            ),
            "norm": nn.LayerNorm(width),
        }
    )
    nn.init.normal_(head["place"].weight, std=0.02)  # type: ignore[arg-type]
    special = _special(model)

    def loss(rows: list[list[int]], rng: np.random.Generator) -> Tensor:
        vectors = model.module(*model.padded([delete(row, special, rng) for row in rows]))
        ids, seen = model.padded(rows)
        length = ids.shape[1] - 1
        places = torch.arange(length, device=ids.device)
        entered = head["enter"](table(ids[:, :-1])) + head["place"](places)
        after = torch.triu(torch.ones(length, length, device=ids.device), 1).bool()
        memory = head["memory"](vectors).unsqueeze(1)
        read = head["decoder"](entered, memory, tgt_mask=after)
        # The words' own rows say what a word is, going in and coming out.
        logits = head["norm"](read) @ table.weight.T
        return _cross_entropy(logits, ids.masked_fill(seen == 0, IGNORED)[:, 1:])

    return _Task(head, loss)


def cover(
    ids: npt.NDArray[np.int64],
    special: set[int],
    mask: int,
    vocabulary: int,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return what is given and what is wanted, int64[n, l] each: 15% of words are asked for.

    Of those eight tenths are covered, one is another word, one is itself; a row has one at least.
    """
    words = ~np.isin(ids, [*special])
    draw = np.where(words, rng.random(ids.shape), 2.0)
    chosen = (draw < MASKED) | ((draw == draw.min(1, keepdims=True)) & words)
    how = rng.random(ids.shape)
    other = rng.integers(0, vocabulary, ids.shape)
    given = np.where(how < 0.8, mask, np.where(how < 0.9, other, ids))
    return np.where(chosen, given, ids), np.where(chosen, ids, IGNORED)


def delete(row: list[int], special: set[int], rng: np.random.Generator) -> list[int]:
    """Return `row` without six tenths of its words; one stays at least, and what is special."""
    words = [i for i, token in enumerate(row) if token not in special]
    kept = set(range(len(row))) - set(words)
    if words:
        stay = max(1, round(len(words) * (1 - DELETED)))
        kept |= set(rng.choice(words, stay, replace=False).tolist())
    return [row[i] for i in sorted(kept)]


def _cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    flat = logits.reshape(-1, logits.shape[-1]).float()
    return F.cross_entropy(flat, wanted.reshape(-1), ignore_index=IGNORED)


def _special(model: TextModel) -> set[int]:
    added = model.found.tokenizer.get_added_tokens_decoder()
    return {number for number, token in added.items() if token.special} | {model.found.pad}


def _mask(model: TextModel) -> int:
    for name in ("[MASK]", "<mask>", "<|mask|>"):
        number = model.found.tokenizer.token_to_id(name)
        if number is not None:
            return int(number)
    raise InvalidInput(
        "the tokenizer has no token that covers a word ([MASK], <mask>): set pretraining to tsdae"
    )


def _heads(width: int) -> int:
    return next(n for n in (8, 4, 2, 1) if width % n == 0)
