"""The rehearsal: a finished snapshot must answer before anybody depends on it.

It is loaded by the very code that serves, beside the snapshot that is current, and asked for people
of the log, for a newcomer and, in words, for something out of the catalogue.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from penchant.ingest.kinds import Kinds
from penchant.interests.history import read
from penchant.interests.state import State
from penchant.learn.view import View
from penchant.rank.answer.loading import UNTRAINED
from penchant.rank.answer.replica import Replica
from penchant.rank.answer.served import Served
from penchant.store.open import Store
from penchant.store.snapshots import Snapshot, Snapshots
from penchant.types import Error, Query

NAME = "candidate"
PEOPLE, K = 5, 10


class CannotAnswer(Error):
    """A training that ended with something which cannot serve; nothing is published."""


class _Only(Snapshots):
    """Snapshots of which the one that is not published yet is current."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        super().__init__(folder.parent, read_only=True)
        self._found = Snapshot(NAME, folder, manifest)

    def current(self) -> Snapshot | None:
        """Return the one that is rehearsed."""
        return self._found


def rehearse(store: Store, folder: Path, view: View, manifest: Mapping[str, Any]) -> int:
    """Return how many requests the snapshot in `folder` answered; raises `CannotAnswer`.

    `manifest` is what will be published with it, `view` the events that it knows. An answer is as
    long as was asked for, where the catalogue has as much, its scores are finite, and every source
    took part.
    """
    stage = copy.copy(store)  # the same parts, but for the snapshots
    stage.snapshots = _Only(folder, manifest)
    kinds = Kinds.from_settings(store.settings)
    replica = Replica(stage, kinds)
    asked = 0
    try:
        served = replica.follow()
        if served.snapshot == UNTRAINED:
            raise _refusal("it cannot be loaded", "; ".join(replica.warnings))
        for who, query, state in _questions(store, kinds, view, served):
            _check(served, who, query, state)
            asked += 1
    finally:
        replica.close()
    return asked


def _questions(
    store: Store, kinds: Kinds, view: View, served: Served
) -> Iterator[tuple[str, Query, State]]:
    now = float(view.times.max(initial=0.0)) + 1.0
    n = served.columns.n
    known = np.unique(view.users)
    rng = np.random.default_rng(0)
    busiest = np.argmax(np.bincount(view.users)) if len(view) else 0
    people = [*rng.choice(known, min(PEOPLE, len(known)), replace=False).tolist(), int(busiest)]
    words = next((title for title in served.columns.titles if title.strip()), None)
    for user, who, text in (
        *((user, f"person {user}", None) for user in dict.fromkeys(people)),
        (-1, "a newcomer", None),
        (-1, f"the words {words!r}", words),
    ):
        state = read(store.log, kinds, user, now, words=served.words(text), encode=served.words)
        allowed = served.columns.servable(now)[:n]
        allowed[state.seen[state.seen < n]] = False
        query = Query(now=now, n_items=n, user=user, k=K, text=text, allowed=allowed)
        yield who, query, state


def _check(served: Served, who: str, query: Query, state: State) -> None:
    # Without the deadline of a request: a machine that is busy now says nothing of the snapshot.
    _, notes = served.pipeline.recall.gather(query, state)
    for source, note in notes.items():
        if str(note).startswith("failed"):
            raise _refusal(f"source {source} failed for {who}", str(note))
    pool, _ = served.pipeline.run(query, state)
    assert query.allowed is not None
    expected = min(query.k, int(query.allowed.sum()))
    if len(pool) < expected:
        raise _refusal(f"{len(pool)} items for {who}", f"{expected} were asked for")
    if not np.isfinite(pool.scores[:expected]).all():
        raise _refusal(f"scores for {who} are not finite", str(pool.scores[:expected].tolist()))


def _refusal(what: str, more: str) -> CannotAnswer:
    return CannotAnswer(
        f"what was learned cannot serve: {what} ({more}). Nothing is published, and the engine "
        "answers as before; train again, and report this with the message if it happens twice"
    )
