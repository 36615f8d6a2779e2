"""Learning every recall source of one snapshot from the events of a view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from penchant.learn import linear
from penchant.learn.linear import Ease, Kernel
from penchant.learn.sequence import SequenceConfig, SequenceLearner
from penchant.learn.view import View
from penchant.recall.assemble import RecallPlan, fit_covisitation
from penchant.recall.linear import Recency
from penchant.store.artefacts import Artefacts
from penchant.types import Floats

Progress = Callable[[str, float], None]

TASTE, NEAR, TOGETHER = Kernel(), Kernel(moments_half=3.5), Kernel(moments_half=0.0)
HEADS = (
    Ease("linear_taste", TASTE, 500.0, Recency(days_half=21.0)),
    Ease("linear_recent", TASTE, 500.0, Recency(moments_half=1.4)),
    Ease("linear_near", NEAR, 200.0, Recency(moments_half=1.4)),
    Ease("linear_together", TOGETHER, 100.0, Recency(moments_half=0.0)),
)


@dataclass(frozen=True)
class SourcesConfig:
    """What recall learns and how; the defaults are those of effort = balanced."""

    heads: tuple[Ease, ...] = HEADS
    dense_below: int = 15_000  # items up to which EASE's matrix of pairs is affordable
    factors: int = 128
    sequence: SequenceConfig | None = field(default_factory=SequenceConfig)
    sequence_text: SequenceConfig | None = field(default_factory=SequenceConfig)
    quota: int = 80
    seed: int = 0


class SourcesLearner:
    """Fits all sources; a second `fit` refits the closed forms and continues the networks."""

    def __init__(self, config: SourcesConfig, n_items: int, vectors: Floats | None) -> None:
        self.config = config
        self.networks: list[SequenceLearner] = []
        if config.sequence is not None:
            self.networks.append(
                SequenceLearner("sequence", config.sequence, n_items, seed=config.seed)
            )
        if config.sequence_text is not None and vectors is not None:
            self.networks.append(
                SequenceLearner(
                    "sequence_text",
                    config.sequence_text,
                    n_items,
                    seed=config.seed + 1,
                    vectors=vectors,
                )
            )
        self._text = vectors is not None

    def names(self) -> tuple[str, ...]:
        """Return the networks, which cost time in training and in every answer."""
        return tuple(network.name for network in self.networks)

    def drop(self, names: Sequence[str]) -> None:
        """Leave out networks that did not pay."""
        self.networks = [network for network in self.networks if network.name not in names]

    def fit(
        self, view: View, folder: Artefacts, share: float, progress: Progress | None = None
    ) -> RecallPlan:
        """Write every source learned from the wanted events of `view`; return who they are."""
        config = self.config
        if view.n_items <= config.dense_below:
            linear.fit_ease(view, config.heads, folder, progress)
            names = tuple(head.name for head in config.heads)
        else:
            linear.fit_factors(
                view,
                "factors",
                folder,
                factors=config.factors,
                regularization=0.05,
                alpha=10.0,
                iterations=12,
                recency=Recency(days_half=60.0),
                seed=config.seed,
            )
            names = ("factors",)
        for network in self.networks:
            network.fit(view, share, progress)
            network.save(folder)
        ordered, _ = view.by_user()
        fit_covisitation(ordered.users, ordered.items, ordered.times, view.n_items, folder)
        plan = RecallPlan(
            linear=names,
            sequence=tuple(network.name for network in self.networks),
            text=self._text,
            quota=config.quota,
        )
        plan.save(folder)
        return plan
