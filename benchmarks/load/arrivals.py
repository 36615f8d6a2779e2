"""Open-loop load: requests come when they are due, whether or not the last one was answered.

Latency counts from the moment a request was due, so that waiting for a free connection, or for a
generator that fell behind, is not hidden. Runs as a process: a plan as JSON comes in, and what
happened as JSON goes out.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from load.connections import Address, Crowd, part

LAST = 15.0  # seconds that answers still on their way may take after the last request was due


@dataclass(frozen=True)
class Plan:
    """What is sent: requests a second of each kind for so many seconds, arriving at random.

    `people` and `items` are ids that exist; `leaving` are people to be forgotten, once each, and
    do nothing else. `tag` makes the ids of what is new unique.
    """

    host: str
    port: int
    rates: Mapping[str, float]
    people: list[str]
    items: list[str]
    seconds: float = 60.0
    connections: int = 32
    leaving: list[str] = field(default_factory=list)
    tag: str = "load"
    key: str = ""
    seed: int = 0


class Requests:
    """Makes the requests of a plan, one kind after the other, from one seed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._rng = np.random.default_rng(plan.seed)
        self._made: Counter[str] = Counter()
        self._address = Address(plan.host, plan.port, plan.key)

    def make(self, kind: str) -> bytes:
        """Return the next request of a kind: the name of one of the methods below."""
        number = self._made[kind]
        self._made[kind] += 1
        return self._address.request(*getattr(self, kind)(number))

    def recommend(self, number: int) -> tuple[str, str]:
        return "GET", f"/v1/recommend/{part(self._person())}?k=10"

    def event(self, number: int) -> tuple[str, str, Any]:
        body = {"user_id": self._person(), "item_id": self._item(), "event": "click"}
        return "POST", "/v1/events", body

    def named(self, number: int) -> tuple[str, str, Any]:
        """An event that a retry would not double."""
        method, path, body = self.event(number)
        return method, path, body | {"event_id": f"{self.plan.tag}-{number}"}

    def rank(self, number: int) -> tuple[str, str, Any]:
        wanted = self._rng.choice(len(self.plan.items), 20, replace=False)
        items = [self.plan.items[one] for one in wanted]
        return "POST", f"/v1/rank/{part(self._person())}", {"items": items}

    def similar(self, number: int) -> tuple[str, str]:
        return "GET", f"/v1/similar/{part(self._item())}?k=10"

    def item(self, number: int) -> tuple[str, str, Any]:
        title = f"a {('red', 'blue', 'green')[number % 3]} lamp for the garden, number {number}"
        return "POST", "/v1/items", {"item_id": f"{self.plan.tag}-item-{number}", "title": title}

    def forget(self, number: int) -> tuple[str, str]:
        return "DELETE", f"/v1/users/{part(self.plan.leaving[number % len(self.plan.leaving)])}"

    def _person(self) -> str:
        return self.plan.people[self._rng.integers(len(self.plan.people))]

    def _item(self) -> str:
        # As popularity is: the tenth of the items that come first have half of the events.
        place = int(len(self.plan.items) * self._rng.random() ** 3.3)
        return self.plan.items[place]


@dataclass
class Found:
    """What became of the requests of one kind; times in milliseconds.

    `due` counts from when a request was due, `sent` from when it left on a free connection,
    `late` is how far the generator itself was behind when it handed a request on.
    """

    due: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    asked: int = 0


async def drive(plan: Plan, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Return what happened, as plain data."""
    moments, kinds = arrivals(plan)
    made = Requests(plan)
    payloads = [made.make(kind) for kind in kinds]
    found = {kind: Found() for kind in plan.rates}
    crowd = await Crowd(Address(plan.host, plan.port, plan.key), plan.connections).open()
    progress("ready")
    used = resource.getrusage(resource.RUSAGE_SELF)
    open_ones = 0

    def submit(kind: str, payload: bytes, due: float) -> None:
        nonlocal open_ones
        mine = found[kind]
        mine.asked += 1
        open_ones += 1
        mine.late.append(1000 * (time.monotonic() - due))
        left = [due]

        def sent() -> None:
            left[0] = time.monotonic()

        def answered(status: int, body: bytes) -> None:
            nonlocal open_ones
            now = time.monotonic()
            open_ones -= 1
            mine.statuses[status] += 1
            mine.due.append(1000 * (now - due))
            mine.sent.append(1000 * (now - left[0]))
            if status != 200 and len(mine.examples) < 5:
                mine.examples.append(body[:300].decode(errors="replace"))

        crowd.submit(payload, sent, answered)

    began = time.monotonic() + 0.2
    for moment, kind, payload in zip(moments.tolist(), kinds, payloads, strict=True):
        wait = began + moment - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        submit(kind, payload, began + moment)
    while open_ones and time.monotonic() < began + plan.seconds + LAST:
        await asyncio.sleep(0.01)
    took = max(time.monotonic() - began, plan.seconds)
    now = resource.getrusage(resource.RUSAGE_SELF)
    reopened = crowd.reopened
    crowd.close()
    for mine in found.values():
        if lost := mine.asked - sum(mine.statuses.values()):
            mine.statuses[-1] += lost  # never answered
    return {
        "kinds": {
            kind: asdict(one) | {"statuses": {str(k): v for k, v in one.statuses.items()}}
            for kind, one in found.items()
        },
        "seconds": took,
        "cpu": now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime,
        "reopened": reopened,
    }


def arrivals(plan: Plan) -> tuple[np.ndarray, list[str]]:
    """Return the seconds at which requests are due, in order, and the kind of each (Poisson)."""
    rng = np.random.default_rng((plan.seed, 1))
    moments, kinds = [], []
    for kind, rate in plan.rates.items():
        count = rng.poisson(rate * plan.seconds)
        moments.append(rng.random(count) * plan.seconds)
        kinds += [kind] * count
    joined = np.concatenate(moments) if moments else np.zeros(0)
    order = np.argsort(joined, kind="stable")
    return joined[order], [kinds[place] for place in order.tolist()]


def main() -> None:
    """Read a plan, say "ready" when connected, print what happened."""
    import uvloop

    plan = Plan(**json.loads(sys.stdin.readline()))

    def say(word: str) -> None:
        print(word, flush=True)

    found = uvloop.run(drive(plan, say))
    # With PYTHONUNBUFFERED, `print` loses the rest where a full pipe took a part and a signal came;
    # a buffer of its own writes until all is there.
    with open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False) as out:
        out.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
