"""The steps of a request as they are now: what each does to one question, and what it was worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import penchant
from penchant.store.open import open_store
from penchant.store.snapshots import Snapshots

_LOOKED, _CHOSEN = 100, 5  # events at the end of the log, and items of them


@dataclass(frozen=True)
class Steps:
    """The steps of a request in order, and one that was asked just now and recorded nowhere.

    `asked` has a row for each step: candidates that came and went, milliseconds, remarks. `worth`
    is what each group of columns added to NDCG@10 when the snapshot was made, `left_out` what was
    not worth it, `context` which circumstances tell something.
    """

    snapshot: str
    steps: tuple[str, ...]
    asked: tuple[dict[str, Any], ...]
    worth: dict[str, float]
    left_out: tuple[str, ...]
    context: dict[str, Any]
    response: dict[str, Any]


def steps(shelf: Path, url: str | None = None) -> Steps:
    """Return the steps of a shelf's requests, asked for somebody who chose the newest items.

    Asked twice: the first question opens what the second finds open.
    """
    history, now = _newest(shelf, url)
    with penchant.open(shelf, url=url, read_only=True) as engine:
        for _ in range(2):
            slate = engine.recommend(history=history, now=now, log=False)
        rows = tuple(
            {
                "stage": one.stage,
                "came": one.came,
                "went": one.went,
                "milliseconds": round(1000 * one.seconds, 3),
                "notes": {key: str(value) for key, value in one.notes.items()},
            }
            for one in slate.trace.stages
        )
        found = Snapshots(engine.directory, read_only=True).current()
        manifest = {} if found is None else dict(found.manifest)
        return Steps(
            slate.snapshot,
            engine.stages(),
            rows,
            dict(manifest.get("ablation") or {}),
            tuple(manifest.get("left_out") or ()),
            dict(manifest.get("context") or {}),
            dict(manifest.get("response") or {}),
        )


def _newest(shelf: Path, url: str | None) -> tuple[list[str], float | None]:
    """Return the ids of the last few items that anybody had, and a moment after that."""
    with open_store(shelf, url, read_only=True) as store:
        events = store.log.scan(max(0, store.log.last() - _LOOKED), _LOOKED)
        numbers = list(dict.fromkeys(events.items[events.items >= 0].tolist()))[-_CHOSEN:]
        rows = store.catalogue.get(numbers)
        names = dict(zip(rows["number"].to_list(), rows["item_id"].to_list(), strict=True))
        chosen = [names[number] for number in numbers if number in names]
        return chosen, float(events.times.max()) + 60.0 if len(events) else None
