"""The one dial: what effort = fast, balanced or best means for every learner."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from penchant.learn.ranker import RankerConfig
from penchant.learn.sequence import SequenceConfig
from penchant.learn.sources import SourcesConfig
from penchant.types import InvalidInput

Effort = Literal["fast", "balanced", "best"]
EFFORTS: tuple[Effort, ...] = ("fast", "balanced", "best")


@dataclass(frozen=True)
class LearnConfig:
    """Everything a training decides by, derived from `effort`; section `learn` may override it.

    `window` is the share of the newest wanted events that the ranker learns from, out of time;
    `requests` how many requests of that window become rows; `refit` the share of the epochs that
    the networks continue for when everything is known; `ablate` whether the report says what each
    source adds; `keep` how many snapshots stay.
    """

    effort: Effort = "balanced"
    window: float = 0.14
    requests: int = 6000
    refit: float = 0.2
    whitened: int = 128
    ablate: bool = True
    keep: int = 5
    seed: int = 0
    threads: int = 0
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    ranker: RankerConfig = field(default_factory=RankerConfig)


def derive(effort: str, seed: int = 0, threads: int = 0) -> LearnConfig:
    """Return the configuration of an effort.

    fast: closed forms and a small ranker, no networks: under a minute for 100,000 events.
    balanced: both networks and the full ranker. best: wider networks, longer training, more rows.
    """
    if effort not in EFFORTS:
        raise InvalidInput(f"effort is one of {', '.join(EFFORTS)}; got {effort!r}")
    balanced = LearnConfig(seed=seed, threads=threads)
    sources = replace(balanced.sources, seed=seed)
    if effort == "fast":
        return replace(
            balanced,
            effort="fast",
            requests=2500,
            ablate=False,
            sources=replace(sources, sequence=None, sequence_text=None),
            ranker=replace(balanced.ranker, trees=200),
        )
    if effort == "balanced":
        return replace(balanced, sources=sources)
    wide = SequenceConfig(dimension=128, epochs=80, most_seconds=420.0)
    return replace(
        balanced,
        effort="best",
        requests=10_000,
        sources=replace(sources, sequence=wide, sequence_text=wide),
    )
