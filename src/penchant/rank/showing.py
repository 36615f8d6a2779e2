"""Showing: from ranked candidates to a slate with reasons, its record, its explanation later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from penchant.interests.state import State
from penchant.rank import explanation
from penchant.rank.replica import UNTRAINED, Replica
from penchant.store.impressions import Impression
from penchant.store.open import Store
from penchant.types import (
    Candidates,
    Error,
    Explanation,
    Query,
    Reason,
    Recommendation,
    Trace,
)


class NotShown(Error):
    """Somebody asks why about an item or a slate that was never shown, or is no longer kept."""


class Showing:
    """Turns answers into what a person sees, and remembers why."""

    def __init__(self, store: Store, replica: Replica) -> None:
        self._store = store
        self._replica = replica

    def lines(
        self, state: State, shown: Candidates, strangers: Sequence[str] = (), begin: int = 0
    ) -> tuple[Recommendation, ...]:
        """Return one recommendation per candidate, with its sources and the events behind it.

        `begin` candidates were shown before these. Those of `strangers` that the catalogue does
        not know follow, in their order, with a score below all others.
        """
        columns, recall = self._replica.columns, self._replica.pipeline.recall
        sources = explanation.origins(shown.origin, shown.sources)
        events = explanation.mattered(recall, state, shown.items, columns)
        lines = [
            Recommendation(columns.ids[item], float(score), begin + rank, (*because, *by))
            for rank, (item, score, because, by) in enumerate(
                zip(shown.items.tolist(), shown.scores, events, sources, strict=True), start=1
            )
        ]
        below = float(shown.scores.min()) - 1.0 if len(shown) else 0.0
        unknown = [item for item in dict.fromkeys(strangers) if item not in columns.number_of]
        lines += [
            Recommendation(item, below, begin + len(lines) + place + 1)
            for place, item in enumerate(unknown)
        ]
        return tuple(lines)

    def remember(
        self,
        slate_id: str,
        query: Query,
        shown: Candidates,
        lines: tuple[Recommendation, ...],
        trace: Trace,
    ) -> None:
        """Store the impression off the request's path: what explains it and what learns from it."""
        self._store.impressions.add(
            Impression(
                slate_id=slate_id,
                user=query.user,
                now=query.now,
                snapshot=self._replica.snapshot,
                items=shown.items,
                scores=shown.scores,
                propensities=np.ones(len(shown), dtype=np.float32),
                features=shown.features,
                names=shown.names,
                reasons=tuple([asdict(reason) for reason in line.reasons] for line in lines),
                notes={
                    "sources": list(shown.sources),
                    "trace": str(trace).splitlines(),
                    "context": _plain(query.context),
                },
            )
        )

    def export(self, user_id: str, user: int) -> dict[str, Any]:
        """Return the attributes, events and links of a person as plain data."""
        if user < 0:
            return {"user_id": user_id, "attributes": {}, "events": [], "links": []}
        events = self._store.log.history(user, 2**31 - 1, float(2**40))
        people = self._store.people.get([user])
        links = self._store.people.links()
        name = people["user_id"][0]
        theirs = links.filter((links["head"] == name) | (links["tail"] == name))
        texts = events.texts or (None,) * len(events)
        contexts = events.contexts or (None,) * len(events)
        return {
            "user_id": user_id,
            "attributes": json.loads(people["attributes"][0] or "{}"),
            "events": [
                {
                    "item_id": self._replica.columns.ids[item] if item >= 0 else None,
                    "event": events.kind_names[kind],
                    "timestamp": moment,
                    "value": None if np.isnan(value) else float(value),
                    "text": text,
                    "context": json.loads(context) if context else {},
                }
                for item, kind, moment, value, text, context in zip(
                    events.items.tolist(),
                    events.kinds.tolist(),
                    events.times.tolist(),
                    events.values,
                    texts,
                    contexts,
                    strict=True,
                )
            ],
            "links": theirs.to_dicts(),
        }

    def explain(self, slate_id: str, item_id: str) -> Explanation:
        """Return why an item stood in a slate, by whichever process made it."""
        found = self._store.impressions.get(slate_id)
        if found is None:
            raise NotShown(
                f"slate {slate_id!r} is not known: it was never logged, or was purged with the "
                "person it was shown to"
            )
        columns = self._replica.columns
        number = columns.number_of.get(item_id, -1)
        place = np.flatnonzero(found.items == number)
        if number < 0 or not len(place):
            raise NotShown(
                f"item {item_id!r} was not in slate {slate_id!r}, which showed "
                f"{[columns.ids[i] for i in found.items[:10]]}"
            )
        at = int(place[0])
        reasons = [Reason(**reason) for reason in found.reasons[at]]
        model = None
        if found.snapshot != UNTRAINED and found.snapshot in self._store.snapshots.list():
            snapshot = self._store.snapshots.open(found.snapshot)
            model = snapshot.path("ranker.txt") if snapshot.has("ranker.txt") else None
        return explanation.explain(
            item_id,
            columns.titles[number] or item_id,
            found.features[at],
            found.names,
            tuple(found.notes.get("sources", ())),
            tuple(reason for reason in reasons if reason.kind == "event"),
            model,
            tuple(found.notes.get("trace", ())),
        )


def _plain(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context as JSON can hold it."""
    kinds = (str, int, float, bool, type(None))
    return {str(k): v if isinstance(v, kinds) else str(v) for k, v in context.items()}
