"""Read your writes: many people at once, each told of an event on one connection and answered on
another, and the answers that ignore what was acknowledged counted.

An answer ignores an event if the item is shown that the person has just acted on, or if the state
it was made from does not end with that event: the features that were logged with a slate say how
long ago the last event of the state was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from load.connections import Address, Connection, part
from load.ground import Ground
from load.service import serving
from penchant.store.open import open_store

ROUNDS = 10  # events of one person, each followed by an answer
TOLERANCE = 1e-3  # seconds: what rounding takes from a time that a feature tells
HOUR = 3_600.0


@dataclass
class Kept:
    """What was asked, and what the answers ignored.

    `told` maps each slate to the moments between which its person's last event was recorded.
    """

    asked: int = 0
    shown: int = 0
    empty: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    told: dict[str, tuple[float, float]] = field(default_factory=dict)
    milliseconds: list[float] = field(default_factory=list)


async def ask(
    address: Address, people: Iterable[str], times: int, abreast: int = 16, rounds: int = ROUNDS
) -> Kept:
    """Return what became of `times` events, `abreast` people at once, `rounds` events each.

    Each of them is told to act on what they were just shown, by whatever worker the one connection
    belongs to, and asked again on the other.
    """
    kept = Kept()
    names = iter(people)

    async def lane() -> None:
        tell, hear = await Connection(address).open(), await Connection(address).open()
        while kept.asked < times:
            person = next(names)
            had: set[str] = set()
            slate = await answer(hear, person, kept)
            for _ in range(rounds):
                if kept.asked >= times or slate is None:
                    break
                slate = await one(tell, hear, person, slate, had, kept)
            # The lanes change their workers now and then.
            tell, hear = hear, tell
        tell.close()
        hear.close()

    await asyncio.gather(*(lane() for _ in range(abreast)))
    return kept


async def answer(hear: Connection, person: str, kept: Kept) -> dict[str, Any] | None:
    """Return a slate, None where there was none."""
    status, slate = await hear.ask("GET", f"/v1/recommend/{part(person)}?k=10")
    if status != 200:
        kept.errors[f"recommend {status}: {str(slate)[:200]}"] += 1
        return None
    if not slate["recommendations"]:
        kept.empty += 1
        return None
    found: dict[str, Any] = slate
    return found


async def one(
    tell: Connection,
    hear: Connection,
    person: str,
    slate: dict[str, Any],
    had: set[str],
    kept: Kept,
) -> dict[str, Any] | None:
    """Return the slate after one more event, and note whether it ignored any of the person's."""
    line = slate["recommendations"][len(had) % min(3, len(slate["recommendations"]))]
    event = {"user_id": person, "item_id": line["item_id"], "slate_id": slate["slate_id"]}
    kept.asked += 1
    began, clock = time.time(), time.perf_counter()
    status, told = await tell.ask("POST", "/v1/events", event | {"event": "click"})
    ended = time.time()
    if status != 200:
        kept.errors[f"event {status}: {str(told)[:200]}"] += 1
        return None
    had.add(line["item_id"])
    after = await answer(hear, person, kept)
    if after is not None:
        kept.milliseconds.append(1000 * (time.perf_counter() - clock))
        kept.told[after["slate_id"]] = (began, ended)
        kept.shown += bool(had & {one["item_id"] for one in after["recommendations"]})
    return after


def stale(shelf: Path, kept: Kept) -> tuple[int, int]:
    """Return how many slates were made from a state without its last event, and how many tell.

    Read from the log of slates, when the service has ended and every slate is on disk.
    """
    ignored = told = 0
    with open_store(shelf, read_only=True) as store:
        for slate_id, (began, ended) in kept.told.items():
            found = store.impressions.get(slate_id)
            if found is None or "gap_days" not in found.names or not len(found):
                continue
            told += 1
            passed = float(np.expm1(found.features[0, found.names.index("gap_days")])) * HOUR
            last = found.now - passed
            # NaN, nothing at all in the state, is no moment between the two either.
            ignored += not began - TOLERANCE <= last <= ended + TOLERANCE
    return ignored, told


def read_your_writes(ground: Ground, options: argparse.Namespace) -> bool:
    """Print how many answers ignored an acknowledged event, and return whether none did."""
    with serving(ground.folder, options.workers) as service:
        address, lanes = Address(service.host, service.port), max(1, options.connections // 2)
        kept = asyncio.run(ask(address, everybody(ground), options.read_your_writes, lanes))
        spread = service.spread()
    ignored, told = stale(ground.folder, kept)
    middle, last = np.quantile(kept.milliseconds or [np.nan], (0.5, 0.99))
    result = {
        "events": kept.asked,
        "answers": len(kept.told),
        "shown_again": kept.shown,
        "stale_state": ignored,
        "states_told": told,
        "errors": dict(kept.errors),
        "empty": kept.empty,
        "event_to_answer_ms": [round(float(one), 1) for one in (middle, last)],
        "workers": len(spread),
    }
    print(json.dumps(result))
    return not (kept.shown or ignored or kept.errors or kept.empty or told < len(kept.told))


def everybody(ground: Ground) -> Iterator[str]:
    """Yield people of the shelf and people nobody has seen before, by turns."""
    for number, person in enumerate(ground.people):
        yield from (person, f"newcomer {number}")
    number = len(ground.people)
    while True:
        yield f"newcomer {number}"
        number += 1
