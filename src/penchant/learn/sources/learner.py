"""Learning every recall source of one snapshot from the events of a view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from penchant.learn.config import SourcesConfig
from penchant.learn.sources import linear
from penchant.learn.view import View
from penchant.recall.assemble import RecallPlan, fit_covisitation
from penchant.recall.linear import Recency
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Tell

if TYPE_CHECKING:
    from penchant.learn.sources.sequence import SequenceLearner

Curve = Callable[[str, float, int], None]


class SourcesLearner:
    """Fits all sources; a second `fit` refits the closed forms and continues the networks."""

    def __init__(self, config: SourcesConfig, n_items: int, vectors: Floats | None) -> None:
        self.config = config
        self.networks = _networks(config, n_items, vectors) if config.networks else []
        self._text = vectors is not None

    def names(self) -> tuple[str, ...]:
        """Return the networks, which cost time in training and in every answer."""
        return tuple(network.name for network in self.networks)

    def drop(self, names: Sequence[str]) -> None:
        """Leave out networks that did not pay."""
        self.networks = [network for network in self.networks if network.name not in names]

    def read(self, vectors: Floats | None) -> None:
        """Have networks on texts go on with these vectors: items say more than they did."""
        for network in self.networks:
            if network.vectors is not None and vectors is not None:
                network.read(vectors)

    def fit(
        self,
        view: View,
        folder: Artefacts,
        share: float,
        progress: Tell | None = None,
        curve: Curve | None = None,
    ) -> RecallPlan:
        """Write every source learned from the wanted events of `view`; return who they are.

        `curve` is told the loss of each network after each epoch.
        """
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
                threads=config.threads,
            )
            names = ("factors",)
        for network in self.networks:
            network.fit(view, share, progress, curve)
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


def _networks(config: SourcesConfig, n_items: int, vectors: Floats | None) -> list[SequenceLearner]:
    # Here, so that a training without networks needs no torch.
    from penchant.learn.sources.sequence import SequenceLearner

    networks = []
    if config.sequence is not None:
        networks.append(SequenceLearner("sequence", config.sequence, n_items, seed=config.seed))
    if config.sequence_text is not None and vectors is not None:
        networks.append(
            SequenceLearner(
                "sequence_text",
                config.sequence_text,
                n_items,
                seed=config.seed + 1,
                vectors=vectors,
            )
        )
    return networks
