"""What a tuning is told: typed, frozen, and readable without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from penchant.types import InvalidInput

Method = Literal["full", "last", "lora", "adalora", "prefix", "bottleneck"]
Loss = Literal["softmax", "bce", "autoencoder"]
Pretraining = Literal["none", "masked", "tsdae", "next_token"]
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class Objectives:
    """How much each objective counts in the loss; 0 leaves it out.

    `together`: an item and one that the same people wanted. `next_item`: the interest of a history
    and what was wanted next. `category`: an item and its category. `value`: an item and its value.
    """

    together: float = 1.0
    next_item: float = 0.0
    category: float = 0.0
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class TuningConfig:
    """How a text encoder is tuned on behaviour.

    `method` says which weights move: all of them, those of the `layers` highest blocks alone
    (what lies below is computed once a text), or few beside them (`rank` is the rank of LoRA, the
    number of prefix vectors, or the width of a bottleneck). `loss` is that of `together`;
    `autoencoder` reads whole people instead of pairs, and `next_item` then takes softmax.

    `learning_rate` is that of the highest block (None: what suits the method), each lower one has
    `layer_decay` of the one above; the rate warms up for `warm_up` of the training and falls to
    nothing on a cosine. Gradients are clipped to the norm `clip`. A step draws `batch` pairs,
    histories or people, `hard_negatives` items a pair that are near by text and were never wanted
    together, and, for people, `negatives` random items. An epoch is as many steps as draw each
    pair (event, person) once on average; there are `least_steps` all the same.

    `validations` times the vectors of all items are validated; `patience` of them without a new
    best end the training, as `most_seconds` do. Texts are cut to `max_tokens`. At most
    `held_tokens` keep their graph: longer steps encode twice (GradCache), which costs a third.
    `whitened` has the objectives compare vectors as the sources of a snapshot do: whitened, by what
    the untuned ones look like. `dropout` is whether the model's own is on. `pretraining` on the
    catalogue's words comes first.
    """

    method: Method = "last"
    layers: int = 2
    rank: int = 8
    objectives: Objectives = field(default_factory=Objectives)
    loss: Loss = "softmax"
    learning_rate: float | None = None
    head_rate: float = 1e-2
    weight_decay: float = 0.01
    layer_decay: float = 0.9
    clip: float = 1.0
    warm_up: float = 0.1
    batch: int = 128
    epochs: float = 1.0
    least_steps: int = 1
    validations: int = 8
    patience: int = 3
    most_seconds: float = 1200.0
    max_tokens: int = 64
    held_tokens: int = 8192
    hard_negatives: int = 0
    negatives: int = 256
    temperature: float = 0.05
    history: int = 10
    whitened: bool = True
    dropout: bool = False
    precision: Precision = "auto"
    pretraining: Pretraining = "none"
    pretraining_epochs: float = 1.0
    pretraining_seconds: float = 600.0
    pretraining_rate: float = 3e-5
    seed: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        """Refuse what no tuning can be made of."""
        for name, allowed in _WORDS.items():
            if (came := getattr(self, name)) not in allowed:
                raise InvalidInput(
                    f"{name} of a tuning is one of {', '.join(allowed)}; got {came!r}"
                )
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise InvalidInput(
                    f"{name} of a tuning is a number above 0; got {getattr(self, name)!r}"
                )
        weights = self.objectives
        told = (weights.together, weights.next_item, weights.category, weights.value)
        if min(told) < 0 or not sum(told) > 0:
            raise InvalidInput(
                f"a tuning needs an objective with a weight above 0, and none below; got {weights}"
            )
        if self.max_tokens < 3 or not 0 <= self.warm_up < 1 or not 0 < self.layer_decay <= 1:
            raise InvalidInput(
                "a tuning reads at least 3 tokens, warms up for 0 to 1 of it, and has a "
                "layer_decay above 0 and up to 1; got "
                f" {self.max_tokens}, {self.warm_up}, {self.layer_decay}"
            )

    @property
    def rate(self) -> float:
        """The learning rate: as configured, else what suits the method."""
        return _RATES[self.method] if self.learning_rate is None else self.learning_rate


# What begins as nothing beside the weights may move faster than the weights.
_RATES: dict[Method, float] = {
    "full": 2e-5,
    "last": 5e-5,
    "lora": 5e-4,
    "adalora": 1e-3,
    "prefix": 5e-3,
    "bottleneck": 5e-4,
}
_WORDS = {
    "method": get_args(Method),
    "loss": get_args(Loss),
    "precision": get_args(Precision),
    "pretraining": get_args(Pretraining),
}
_POSITIVE = (
    *("layers", "rank", "rate", "head_rate", "clip", "batch", "epochs", "validations"),
    *("patience", "most_seconds", "held_tokens", "temperature", "history", "pretraining_epochs"),
    *("pretraining_seconds", "pretraining_rate"),
)
