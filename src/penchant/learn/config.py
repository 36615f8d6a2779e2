"""What each learner is told: typed, frozen, and readable without any of the learners' libraries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from penchant.learn.sources.linear import Ease, Kernel
from penchant.learn.tuning.config import Objectives, TuningConfig
from penchant.recall.linear import Recency
from penchant.types import Effort

TASTE, NEAR, TOGETHER = Kernel(), Kernel(moments_half=3.5), Kernel(moments_half=0.0)
HEADS = (
    Ease("linear_taste", TASTE, 500.0, Recency(days_half=21.0)),
    Ease("linear_recent", TASTE, 500.0, Recency(moments_half=1.4)),
    Ease("linear_near", NEAR, 200.0, Recency(moments_half=1.4)),
    Ease("linear_together", TOGETHER, 100.0, Recency(moments_half=0.0)),
)


@dataclass(frozen=True, slots=True)
class SequenceConfig:
    """Shape and training of one sequence model; the defaults are those of effort = balanced."""

    dimension: int = 64
    blocks: int = 2
    heads: int = 2
    length: int = 100
    dropout: float = 0.3
    epochs: int = 40
    tokens: int = 8192  # events in one batch
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    full_softmax_below: int = 3000
    negatives: int = 1024
    most_seconds: float = 200.0


@dataclass(frozen=True, slots=True)
class ProjectionConfig:
    """The layer that bends a frozen encoder's vectors; the defaults are those of balanced.

    `of_moment` is how many items of one moment are learned in a pass, `examples` how many in all;
    an epoch is one pass, or as many as make `least_steps`. An item that was wanted n times is drawn
    as if it had been n to the power of 1 - `rarity` times. `validation` is the share of the newest
    events that say when to stop. A share `held` of the items is kept out of what is learned first,
    and says how much items that nobody wanted yet are to be lifted, where at most a share
    `given_up` of NDCG@10 may be lost by it. Pictures and the like are whitened to `media_dimension`
    numbers, and a part is left out of an item with `part_dropout`.
    """

    dimension: int = 256
    hidden: int = 512
    dropout: float = 0.4
    input_dropout: float = 0.2
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    temperature: float = 0.1
    batch: int = 1024
    negatives: int = 2048
    epochs: int = 8
    patience: int = 2
    of_moment: int = 30
    examples: int = 300_000
    least_steps: int = 60
    rarity: float = 0.25
    validation: float = 0.1
    held: float = 0.05
    given_up: float = 0.1
    media_dimension: int = 64
    part_dropout: float = 0.25
    most_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class ContextualConfig:
    """The factorised model of person, item and circumstances; the defaults are those of balanced.

    `length` is how many of the last choices it reads, `examples` how many events in an epoch.
    """

    dimension: int = 64
    length: int = 20
    dropout: float = 0.3
    epochs: int = 12
    batch: int = 1024
    examples: int = 200_000
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    full_softmax_below: int = 5000
    negatives: int = 1024
    most_seconds: float = 90.0


@dataclass(frozen=True)
class SourcesConfig:
    """What recall learns and how; the defaults are those of effort = balanced."""

    heads: tuple[Ease, ...] = HEADS
    dense_below: int = 15_000  # items up to which EASE's matrix of pairs is affordable
    factors: int = 128
    sequence: SequenceConfig | None = field(default_factory=SequenceConfig)
    sequence_text: SequenceConfig | None = field(default_factory=SequenceConfig)
    tuned: ProjectionConfig | None = field(default_factory=ProjectionConfig)
    contextual: ContextualConfig | None = field(default_factory=ContextualConfig)
    quota: int = 80
    seed: int = 0
    threads: int = 0

    @property
    def networks(self) -> bool:
        """Whether any network is configured: nothing else of a training needs torch."""
        learned = (self.sequence, self.sequence_text, self.tuned, self.contextual)
        return any(one is not None for one in learned)


@dataclass(frozen=True, slots=True)
class RankerConfig:
    """Trees and their training; the defaults are those of effort = balanced."""

    trees: int = 400
    leaves: int = 15
    learning_rate: float = 0.03
    least_in_leaf: int = 200
    feature_share: float = 0.6
    row_share: float = 0.8
    ridge: float = 5.0
    truncation: int = 20
    patience: int = 50
    negatives: int = 100  # per request, drawn from the pool; all of the wanted are kept
    threads: int = 0


# A small log is gone over more often: what validation does not confirm is not kept.
ENCODER = TuningConfig(least_steps=300)
# What is tried beside that, one after the other, where there is time for trials.
TRIED = replace(
    ENCODER,
    objectives=Objectives(together=1.0, next_item=0.5, category=0.2),
    hard_negatives=2,
    pretraining="masked",
)


@dataclass(frozen=True)
class LearnConfig:
    """Everything a training decides by: derived from `effort`, overridden by section `learn`.

    `window` is the share of the newest wanted events that the ranker learns from, out of time;
    `requests` how many requests of that window become rows, of which those that are only learned
    from keep `thinned` unwanted candidates; `refit` the share of the epochs that the networks
    continue for when everything is known; `ablate` whether the report says what each source adds;
    `keep` how many snapshots and logs of trainings stay; `threads` of every library, 0 for all
    cores; `search_seconds` what a search of the ranker's parameters may take, 0 for none.
    `gate` holds back what is worse than what serves, on `least_compared` requests or more.
    `encoder` is how the encoder itself is tuned; where it is None, the one that was tuned before
    goes on reading, unless `keep_encoder` is off. What else of `TRIED` it learns with is tried
    before, `encoder_trials` seconds each, 0 for not at all.
    """

    effort: Effort = "balanced"
    window: float = 0.14
    requests: int = 6000
    thinned: int = 150
    refit: float = 0.2
    whitened: int = 128
    ablate: bool = True
    keep: int = 5
    seed: int = 0
    threads: int = 0
    search_seconds: float = 0.0
    gate: bool = True
    least_compared: int = 100
    encoder: TuningConfig | None = None
    keep_encoder: bool = True
    encoder_trials: float = 0.0
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    ranker: RankerConfig = field(default_factory=RankerConfig)
