"""Explaining: why an item stood in a slate, from the record of the slate, in any process."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from penchant.interests.concepts import folded
from penchant.interests.expansion.expanding import prospects
from penchant.rank.answer.asking import one_id
from penchant.rank.answer.loading import UNTRAINED
from penchant.rank.answer.replica import Replica
from penchant.rank.answer.showing import impression
from penchant.rank.explain import explanation
from penchant.rank.rerankers.opening import Opening
from penchant.rank.scorers.ranker import Ranker
from penchant.rank.stage import taken
from penchant.store.faults import StoreError
from penchant.store.impressions import Impression
from penchant.store.open import Store
from penchant.types import Error, Explanation, Prospect, Query, Reason, Slate

# Impressions reach the disk a moment after the answer; another process may ask before.
PATIENCE = 0.5
PAUSE = 0.02


class NotShown(Error):
    """Somebody asks why about an item or a slate that was never shown, or is no longer kept."""


class Explaining:
    """Explains slates that were logged, by whichever process, and those still in hand."""

    def __init__(self, store: Store, replica: Replica) -> None:
        self._store = store
        self._replica = replica

    def explain(self, slate: Slate | str, item_id: str) -> Explanation:
        """Return why an item stood in a slate; raises NotShown."""
        wanted = one_id(item_id, "item_id")
        return self._explained(self._found(slate), wanted)

    def explanations(self, slate: Slate | str) -> tuple[Explanation, ...]:
        """Return why each item stood in a slate, best first; raises NotShown."""
        found, ids = self._found(slate), self._replica.follow().columns.ids
        return tuple(self._explained(found, ids[number]) for number in found.items.tolist())

    def _explained(self, found: Impression, wanted: str) -> Explanation:
        served = self._replica.follow()
        columns, derived = served.columns, served.derived
        number = columns.number_of.get(wanted, -1)
        place = np.flatnonzero(found.items == number)
        if number < 0 or not len(place):
            raise NotShown(
                f"item {wanted!r:.80} was not in slate {found.slate_id!r}, which showed "
                f"{[columns.ids[i] for i in found.items[:10]]}"
            )
        at = int(place[0])
        reasons = [Reason(**reason) for reason in found.reasons[at]]
        scored_by = tuple(found.notes.get("scored_by", ()))
        shown = explanation.Shown(
            item_id=wanted,
            title=columns.titles[number] or wanted,
            score=float(found.scores[at]),
            row=found.features[at],
            names=found.names,
            sources=tuple(found.notes.get("sources", ())),
            scored_by=scored_by,
            events=tuple(reason for reason in reasons if reason.kind == "event"),
            raised=_raised(found, number),
            prospects=self._prospects(found, number),
            trace=tuple(found.notes.get("trace", ())),
            # What another snapshot derived is not known any more.
            derived=derived.named(number)
            if derived is not None and served.snapshot == found.snapshot
            else None,
        )
        # Records of before 0.1 do not say who scored them: it was the trees, where there are any.
        trees = not scored_by or Ranker.name in scored_by
        return explanation.explain(shown, self._model(found.snapshot) if trees else None)

    def _prospects(self, found: Impression, number: int) -> tuple[Prospect, ...]:
        """Return what was proposed for the person by then and is borne by the item."""
        kept = None if found.user < 0 else self._store.expansions.get(found.user)
        if kept is None or kept.time > found.now:
            return ()
        borne = {folded(name) for name in self._replica.follow().concepts.named(number)}
        return tuple(one for one in prospects(kept) if folded(one.name) in borne)

    def _found(self, slate: Slate | str) -> Impression:
        slate_id = one_id(slate.id if isinstance(slate, Slate) else slate, "slate")
        found = self._store.impressions.get(slate_id)
        if found is not None:
            return found
        if isinstance(slate, Slate) and slate.trace.pool is not None:
            return self._in_hand(slate)
        waited = 0.0
        while found is None and waited < PATIENCE:
            time.sleep(PAUSE)
            waited += PAUSE
            found = self._store.impressions.get(slate_id)
        if found is None:
            raise NotShown(
                f"slate {slate_id!r:.80} is not known: it was never logged (log=False, similar()), "
                "or was purged with the person it was shown to"
            )
        return found

    def _in_hand(self, slate: Slate) -> Impression:
        """Return what would have been logged of a slate that was not."""
        pool = slate.trace.pool
        assert pool is not None
        columns = self._replica.follow().columns
        lines = tuple(line for line in slate if line.item_id in columns.number_of)
        numbers = columns.numbers(line.item_id for line in lines)
        at = {item: place for place, item in enumerate(pool.items.tolist())}
        known = [place for place, number in enumerate(numbers.tolist()) if number in at]
        rows = [at[int(numbers[place])] for place in known]
        shown = taken(pool, np.array(rows, dtype=np.int32))
        kept = tuple(lines[place] for place in known)
        query = Query(now=slate.now, n_items=columns.n)
        return impression(slate.id, query, slate.snapshot, shown, kept, slate.trace)

    def _model(self, snapshot: str) -> Path | None:
        """Return the trees that scored the slate, None where they are gone or cannot be read."""
        if snapshot == UNTRAINED or find_spec("lightgbm") is None:
            return None
        try:
            found = self._store.snapshots.open(snapshot)
        except StoreError:
            return None
        return found.path("ranker.txt") if found.has("ranker.txt") else None


def _raised(found: Impression, number: int) -> str:
    """Return which re-ranker gave an item its place, "" where its score did."""
    noted = found.notes.get("raised", {})
    if isinstance(noted, list):  # records of before 0.2 name the items alone
        return Opening.name if number in noted else ""
    return str(noted.get(str(number), ""))
