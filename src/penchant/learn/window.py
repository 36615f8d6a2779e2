"""The window that is learned from out of time: recall, histories and stages as they began it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penchant.interests.context.schema import Schema
from penchant.interests.history import LAST
from penchant.language.whitening import Whitening
from penchant.learn.context.learning import crowd
from penchant.learn.scorer.walk import Histories
from penchant.learn.view import View
from penchant.rank.circumstances import Circumstances
from penchant.rank.pipeline import row_stages
from penchant.rank.stage import Stage
from penchant.recall.assemble import RecallPlan, assemble
from penchant.recall.gather import Recall
from penchant.recall.popularity import Popularity
from penchant.store.artefacts import Artefacts
from penchant.store.vectors import Vectors


@dataclass(frozen=True)
class Window:
    """What is known at the moment `begin`. Walking on changes it: each walk opens one of its own.

    `stages` make the ranker's columns, but for the affinity, which is learned of all requests.
    """

    begin: float
    recall: Recall
    histories: Histories
    stages: Sequence[Stage]


def open_window(
    view: View,
    begin: float,
    folder: Artefacts,
    plan: RecallPlan,
    vectors: Vectors,
    *,
    place: Whitening | None,
    schema: Schema | None,
    threads: int,
) -> Window:
    """Return what was known before `begin` (seconds), of the sources learned in `folder`."""
    before = view.before(begin)
    # Every wish counts, repeated ones too: popularity is no model but a count, as it is live.
    past = before.where(before.counted())
    histories = Histories(before, LAST)
    recall = assemble(
        folder,
        plan,
        popularity=Popularity(past.items, past.times),
        columns=view.columns,
        vectors=vectors,
        place=place,
        recent=histories.recent,
        threads=threads,
    )
    here = None
    if schema is not None:
        here = Circumstances(crowd(schema, before), view.columns, vectors)
    *stages, _ = row_stages(recall, None, view.columns, vectors, here=here)
    return Window(begin, recall, histories, stages)
