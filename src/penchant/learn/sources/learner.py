"""Learning every recall source of one snapshot from the events of a view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from penchant.interests.context.schema import Schema
from penchant.language.projection import Layout
from penchant.learn.config import SourcesConfig
from penchant.learn.sources import linear
from penchant.learn.view import View
from penchant.recall.assemble import TUNED, RecallPlan, fit_covisitation
from penchant.recall.linear import Recency
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Tell

if TYPE_CHECKING:
    from penchant.learn.sources.contextual import ContextualLearner
    from penchant.learn.sources.sequence import SequenceLearner
    from penchant.learn.tuning.projection import ProjectionLearner

Curve = Callable[[str, float, int], None]


class SourcesLearner:
    """Fits all sources; a second `fit` refits the closed forms and continues the networks.

    `again` says that what was had may be wanted again, `schema` which circumstances tell something.
    """

    def __init__(
        self,
        config: SourcesConfig,
        n_items: int,
        vectors: Floats | None,
        raw: Floats | None = None,
        layout: Layout = (),
        again: bool = False,
        schema: Schema | None = None,
    ) -> None:
        self.config = config
        self.again = again
        self.networks = _networks(config, n_items, vectors, schema) if config.networks else []
        self.tuned = _tuned(config, raw, layout)
        self.contextual = _contextual(config, n_items, vectors, schema)
        self._text = vectors is not None

    def names(self) -> tuple[str, ...]:
        """Return the networks, which cost time in training and in every answer."""
        return tuple(network.name for network in self._learned())

    def kept(self) -> dict[str, Any]:
        """Return what a plan says of the networks that are left."""
        return {
            "sequence": tuple(network.name for network in self.networks),
            "tuned": self.tuned is not None,
            "contextual": self.contextual is not None,
        }

    def drop(self, names: Sequence[str]) -> None:
        """Leave out networks that did not pay."""
        self.networks = [network for network in self.networks if network.name not in names]
        if self.tuned is not None and self.tuned.name in names:
            self.tuned = None
        if self.contextual is not None and self.contextual.name in names:
            self.contextual = None

    def read(self, vectors: Floats | None, raw: Floats | None) -> None:
        """Have what learns from texts go on with these vectors: items say more than they did."""
        if self.tuned is not None and raw is not None:
            self.tuned.read(raw)
        if self.contextual is not None and vectors is not None:
            self.contextual.read(vectors)
        for network in self.networks:
            if network.vectors is not None and vectors is not None:
                network.read(vectors)

    def fit(
        self,
        heard: View,
        folder: Artefacts,
        share: float,
        progress: Tell | None = None,
        curve: Curve | None = None,
    ) -> RecallPlan:
        """Write every source learned from the wanted events of `heard`; return who they are.

        Of what was wanted several times the first counts, but where it may be wanted again.
        `curve` is told the loss of each network after each epoch.
        """
        config, view = self.config, heard.wanted()
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
        for network in self._learned():
            # What is wanted again is wanted in some circumstances: each time counts there.
            every = self.again and network is self.contextual
            network.fit(heard if every else view, share, progress, curve)
            network.save(folder)
        ordered, _ = view.by_user()
        fit_covisitation(ordered.users, ordered.items, ordered.times, view.n_items, folder)
        plan = RecallPlan(
            linear=names,
            text=self._text,
            quota=config.quota,
            again=self.again,
            **self.kept(),
        )
        plan.save(folder)
        return plan

    def _learned(self) -> list[SequenceLearner | ProjectionLearner | ContextualLearner]:
        others = (self.tuned, self.contextual)
        return [*self.networks, *(one for one in others if one is not None)]


def _networks(
    config: SourcesConfig, n_items: int, vectors: Floats | None, schema: Schema | None
) -> list[SequenceLearner]:
    # Here, so that a training without networks needs no torch.
    from penchant.learn.sources.sequence import SequenceLearner

    networks = []
    if config.sequence is not None:
        networks.append(
            SequenceLearner("sequence", config.sequence, n_items, seed=config.seed, schema=schema)
        )
    if config.sequence_text is not None and vectors is not None:
        networks.append(
            SequenceLearner(
                "sequence_text",
                config.sequence_text,
                n_items,
                seed=config.seed + 1,
                vectors=vectors,
                schema=schema,
            )
        )
    return networks


def _tuned(config: SourcesConfig, raw: Floats | None, layout: Layout) -> ProjectionLearner | None:
    if config.tuned is None or raw is None:
        return None
    from penchant.learn.tuning.projection import ProjectionLearner

    return ProjectionLearner(TUNED, config.tuned, raw, layout=layout, seed=config.seed + 2)


def _contextual(
    config: SourcesConfig, n_items: int, vectors: Floats | None, schema: Schema | None
) -> ContextualLearner | None:
    if config.contextual is None or schema is None:
        return None
    from penchant.learn.sources.contextual import ContextualLearner

    return ContextualLearner(
        config.contextual, schema, n_items, seed=config.seed + 3, vectors=vectors
    )
