"""How heads are learned."""

from __future__ import annotations

from dataclasses import dataclass

from penchant.types import InvalidInput


@dataclass(frozen=True)
class HeadConfig:
    """How a head is learned from labelled texts.

    `strengths` are the inverse penalties (C of a logistic regression) of which held-out folds
    choose one. `kept` is the share of texts like those of the training that must be known;
    `coverage` that of values inside their interval. `remembered` is how many texts familiarity
    compares with. Where unlabelled texts are given they are learned from if the folds say that it
    pays; the neighbours of their graph are `neighbours`.
    """

    strengths: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    folds: int = 5
    kept: float = 0.95
    coverage: float = 0.9
    remembered: int = 20_000
    neighbours: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.strengths or min(self.strengths) <= 0:
            raise InvalidInput(f"strengths are above 0, at least one, got {self.strengths}")
        if self.folds < 2:
            raise InvalidInput(f"folds are 2 or more, got {self.folds}")
        for name, share in (("kept", self.kept), ("coverage", self.coverage)):
            if not 0.0 < share < 1.0:
                raise InvalidInput(f"{name} lies between 0 and 1, got {share}")
        if self.remembered < 1 or self.neighbours < 1:
            raise InvalidInput("remembered and neighbours are 1 or more")


@dataclass(frozen=True)
class TunedConfig:
    """How the encoder itself is tuned on labels; the defaults are those that were measured.

    `rate` is the learning rate of the last layer, each layer below has `decay` times that of the
    one above; the word table is left alone. `smoothing` is that of the labels, `contrast` the
    weight of the supervised contrastive loss beside that of the labels, at `temperature`. `held` is
    the share of texts that is not learned from: it stops the tuning after `patience` epochs without
    a gain, and calibrates the head.
    """

    epochs: int = 6
    batch: int = 64
    rate: float = 8e-5
    decay: float = 0.9
    head_rate: float = 2e-3
    warm_up: float = 0.1
    clip: float = 1.0
    smoothing: float = 0.0
    contrast: float = 0.5
    temperature: float = 0.1
    max_tokens: int = 64
    held: float = 0.1
    patience: int = 3
    threads: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2 or self.patience < 1:
            raise InvalidInput("epochs and patience are 1 or more, batch 2 or more")
        if not 0.0 < self.held < 0.5:
            raise InvalidInput(f"held lies between 0 and 0.5, got {self.held}")
        if self.rate <= 0 or self.head_rate <= 0 or not 0 < self.decay <= 1:
            raise InvalidInput("rates are above 0, decay lies above 0 and is at most 1")
