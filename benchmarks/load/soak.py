"""A mixed load for minutes, and what must hold after it: no error, no growth, nothing forgotten."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import penchant
from load.connections import part
from load.driving import Driving, planned, verdicts
from load.ground import Ground
from load.service import SKIPPED, Service, serving
from penchant.types import Slate

RATES = {
    "recommend": 40.0,
    "named": 40.0,
    "rank": 8.0,
    "similar": 8.0,
    "item": 0.5,
    "forget": 0.2,
}
"""Requests a second of each kind: half of what a service is asked for when it is measured."""

# Slates that a process remembers: so few that they are all there after the warm-up. By default
# they are 100,000, half a kilobyte each, and it would grow by that for as long as a short soak.
REMEMBERED = "\n[feedback]\nslates = 10000\n"
GROWTH = 0.05  # of a process, between the warm-up and the end
GUESTS = 3_000  # people whom the shelf had not seen before
LATE = ("late", "hangs")  # why an answer is given without a source, where a machine is held up
TRIES = 5  # answers asked for until no source was
EVERY = 5.0  # seconds between two looks at the memory


@dataclass
class Memory:
    """Megabytes of each process over time: what it holds (rss), and what is its own (uss)."""

    seconds: list[float] = field(default_factory=list)
    samples: list[dict[str, tuple[float, float]]] = field(default_factory=list)

    def look(self, service: Service, at: float) -> None:
        """Note what every process holds now."""
        self.seconds.append(at)
        self.samples.append(service.memory())

    def course(self, name: str, every: float = 60.0) -> list[int]:
        """Return a process's own megabytes every so many seconds."""
        found: list[int] = []
        for at, one in zip(self.seconds, self.samples, strict=True):
            if name in one and at >= every * len(found):
                found.append(round(one[name][1]))
        return found

    def growth(self, since: float) -> dict[str, tuple[float, float, float]]:
        """Return for each process its own megabytes after `since` and at the end, and the rss.

        Medians of the first and the last fifth of what was seen since.
        """
        late = [one for at, one in zip(self.seconds, self.samples, strict=True) if at >= since]
        part = max(1, len(late) // 5)
        found = {}
        for name in late[0] if late else ():
            if all(name in one for one in late):
                own = [one[name][1] for one in late]
                found[name] = (
                    float(np.median(own[:part])),
                    float(np.median(own[-part:])),
                    float(np.median([one[name][0] for one in late[-part:]])),
                )
        return found


@dataclass
class Training:
    """Follows a training that is asked for while the load goes on."""

    asked: float | None = None
    ended: float | None = None
    states: list[str] = field(default_factory=list)
    last: Any = None

    def ask(self, service: Service, at: float) -> None:
        """Ask for it."""
        status, answer = service.ask("POST", "/v1/train")
        self.asked, self.last = at, answer
        self.states.append(str(status))

    def follow(self, service: Service, at: float) -> None:
        """Look how far it is."""
        if self.asked is None or self.ended is not None:
            return
        _, answer = service.ask("GET", "/v1/train")
        self.last = answer
        state = answer.get("state", "?")
        if not self.states or self.states[-1] != state:
            self.states.append(state)
        if state in ("idle", "failed") and at - self.asked > EVERY:
            self.ended = at


def answers(service: Service, people: list[str], now: float) -> dict[str, list[tuple[str, float]]]:
    """Return what the service shows these people at one moment; nothing of it is logged.

    An answer without a source that was late says nothing of the state: it is asked for again.
    """
    found = {}
    without = late(service)
    for person in people:
        body = {"k": 10, "now": now, "log": False}
        for _ in range(TRIES):
            status, slate = service.ask("POST", f"/v1/recommend/{part(person)}", body)
            assert status == 200, (status, slate)
            before, without = without, late(service)
            if without == before:
                break
        found[person] = [(line["item_id"], line["score"]) for line in slate["recommendations"]]
    return found


def different(
    ground: Ground, found: dict[str, list[tuple[str, float]]], now: float
) -> list[tuple[str, Any, Any]]:
    """Return the people whom a fresh engine on the same directory answers differently, and how."""
    out = []
    with penchant.open(ground.folder) as engine:
        for person, shown in found.items():
            for _ in range(TRIES):
                slate = engine.recommend(person, 10, now=now, log=False)
                if not was_late(slate):
                    break
            fresh = [(line.item_id, line.score) for line in slate]
            same = [item for item, _ in fresh] == [item for item, _ in shown]
            if not same or not np.allclose([s for _, s in fresh], [s for _, s in shown], atol=1e-5):
                out.append((person, shown[:3], fresh[:3]))
    return out


def late(service: Service) -> float:
    """Return how many sources were late for an answer of the service so far."""
    return service.metrics().total(SKIPPED, "reason", LATE)


def was_late(slate: Slate) -> bool:
    """Return whether a source was late for this answer."""
    notes = [note for stage in slate.trace.stages for note in stage.notes.values()]
    return any(str(note).partition(":")[0] in LATE for note in notes)


def wait(seconds: float, began: float) -> float:
    """Return the seconds since `began`, after some more of them."""
    time.sleep(seconds)
    return time.monotonic() - began


def soaked(ground: Ground, options: argparse.Namespace) -> bool:
    """Print what minutes of everything did to the service; return whether all of it held."""
    seconds = 60 * options.soak
    quarter = len(ground.people) // 4
    leaving, staying = ground.people[:quarter], ground.people[quarter:]
    guests = [f"guest {number}" for number in range(GUESTS)]
    rates = RATES | {"forget": min(RATES["forget"], len(leaving) / seconds)}
    memory, training, good = Memory(), Training(), True
    with (ground.folder / "penchant.toml").open("a", encoding="utf-8") as settings:
        settings.write(REMEMBERED)
    with serving(ground.folder, options.workers, "--effort", options.effort) as service:
        plan = planned(
            ground,
            service,
            options,
            rates,
            seconds,
            people=staying + guests,
            leaving=leaving,
            tag="soak",
        )
        began = time.monotonic()
        with Driving(plan) as driving:
            at = 0.0
            while (at := wait(EVERY, began)) < seconds:
                memory.look(service, at)
                if training.asked is None and at > 0.1 * seconds:
                    training.ask(service, at)
                training.follow(service, at)
            found = driving.result()
        good &= verdicts(found, rates, {})
        while training.asked is not None and training.ended is None:
            training.follow(service, wait(EVERY, began))
        took = f"{training.asked or 0:.0f} to {training.ended or 0:.0f} s"
        print(f"training, {took}: {' > '.join(training.states)}; {json.dumps(training.last)[:500]}")
        good &= training.ended is not None and "failed" not in training.states
        now = time.time()
        shown = answers(service, staying[:200], now)
        gone = [service.ask("GET", f"/v1/users/{part(one)}")[1] for one in leaving[:20]]
    warm = max(0.25 * seconds, 60 + (training.ended or 0.0))
    held = memory.growth(warm)
    if not held:
        good = False
        print(f"  memory was not judged: the soak ended before {warm:.0f} s; let it take longer")
    for name, (first, last, whole) in held.items():
        grown = last / first - 1
        verdict = "within" if grown < GROWTH else "OUTSIDE"
        good &= grown < GROWTH
        print(
            f"  {name:<12} {first:7.1f} > {last:7.1f} MB of its own ({whole:.0f} MB held) after "
            f"{warm:.0f} s: {100 * grown:+.1f}%, {verdict} the bar of {100 * GROWTH:.0f}%"
        )
        print(f"    minute by minute: {memory.course(name)}")
    other = different(ground, shown, now)
    for person, here, there in other[:3]:
        print(f"    {person}: served {here}, a fresh engine {there}")
    print(f"answers that a fresh engine does not give: {len(other)} of {len(shown)}")
    left = Ground.of(ground.folder)
    forgotten = leaving[: found["kinds"]["forget"]["asked"]]
    statuses = found["kinds"]["named"]["statuses"]
    told = statuses.get("200", 0)
    # What was given up on may have been recorded all the same.
    unsure = sum(statuses.values()) - told
    expected = ground.events + told - sum(ground.done[one] for one in forgotten)
    remaining = sum(bool(one["events"]) for one in gone[: len(forgotten)])
    extra = left.events - expected
    print(f"events in the log: {left.events:,}, {extra:+} of expected, {unsure} not acknowledged")
    print(f"forgotten people of whom something is left: {remaining}")
    return good and not (other or remaining) and 0 <= extra <= unsure
