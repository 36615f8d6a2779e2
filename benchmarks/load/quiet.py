"""What one request costs when nothing else happens, and how soon an event changes an answer."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

import numpy as np

from load.connections import Address, Connection, part
from load.ground import Ground
from load.service import SKIPPED, Service

CHANGED = 20.0
"""Milliseconds from an event to the answer it changes, the median."""

STAGES, STAGE = "penchant_stage_seconds", "stage"
TRIES = 100  # answers asked for until one reflects an event; more is never


def quiet(service: Service, address: Address, ground: Ground, options: argparse.Namespace) -> bool:
    """Print what single requests cost when nothing else happens, and event to changed answer."""
    rng = np.random.default_rng(options.seed + 2)
    costs = {}
    for kind in ("recommend", "event"):
        before, held = service.cpu(), service.metrics()
        times = asyncio.run(in_turn(address, ground, kind, options.quiet, rng))
        costs[kind] = difference(service.cpu(), before)
        middle, last = np.quantile(times, (0.5, 0.99))
        print(
            f"quiet {kind}: median {middle:.1f}, p99 {last:.1f} ms; CPU "
            + each(costs[kind], options.quiet)
        )
        if kind == "recommend":
            stages(service, held)
    times, asked = asyncio.run(changed(address, ground, options.quiet, rng))
    middle, late, last = np.quantile(times, (0.5, 0.95, 0.99))
    good = bool(middle < CHANGED)
    print(
        f"event to changed answer: median {middle:.1f}, p95 {late:.1f}, p99 {last:.1f} ms, "
        f"{asked / len(times):.2f} answers asked for each; "
        f"{'within' if good else 'OUTSIDE'} the bar of {CHANGED:g} ms"
    )
    return good


async def in_turn(
    address: Address, ground: Ground, kind: str, times: int, rng: np.random.Generator
) -> list[float]:
    """Return the milliseconds of requests of one kind, one after the other."""
    connection = await Connection(address).open()
    took = []
    for _ in range(times):
        person, item = str(rng.choice(ground.people)), str(rng.choice(ground.items[:1000]))
        began = time.perf_counter()
        if kind == "recommend":
            status, answer = await connection.ask("GET", f"/v1/recommend/{part(person)}?k=10")
        else:
            event = {"user_id": person, "item_id": item, "event": "click"}
            status, answer = await connection.ask("POST", "/v1/events", event)
        took.append(1000 * (time.perf_counter() - began))
        assert status == 200, (status, answer)
    connection.close()
    return took


async def changed(
    address: Address, ground: Ground, times: int, rng: np.random.Generator
) -> tuple[list[float], int]:
    """Return the milliseconds from each event to an answer that reflects it, and answers asked for.

    The event is a click on what was shown first; an answer that reflects it no longer shows that.
    """
    tell, hear = await Connection(address).open(), await Connection(address).open()
    took, asked = [], 0
    for _ in range(times):
        person = str(rng.choice(ground.people))
        _, slate = await hear.ask("GET", f"/v1/recommend/{part(person)}?k=10")
        item = slate["recommendations"][0]["item_id"]
        event = {"user_id": person, "item_id": item, "slate_id": slate["slate_id"]}
        began = time.perf_counter()
        status, told = await tell.ask("POST", "/v1/events", event | {"event": "click"})
        assert status == 200, (status, told)
        for _ in range(TRIES):
            asked += 1
            _, slate = await hear.ask("GET", f"/v1/recommend/{part(person)}?k=10")
            if item not in {one["item_id"] for one in slate["recommendations"]}:
                break
        else:
            raise AssertionError(f"{TRIES} answers ignored an event that was acknowledged")
        took.append(1000 * (time.perf_counter() - began))
    tell.close()
    hear.close()
    return took, asked


def stages(service: Service, before: Any) -> None:
    """Print how long the stages of a request took since `before`, from /metrics."""
    means = service.metrics().means(STAGES, STAGE, before)
    if means:
        print(
            "  milliseconds of each stage, by the wall: "
            + ", ".join(f"{name} {1000 * mean:.2f}" for name, (mean, _) in sorted(means.items()))
        )


def skipped(service: Service, before: Any) -> None:
    """Print how many answers since `before` were given without a source, because it was late."""
    now, earlier = (one.samples.get(SKIPPED, {}) for one in (service.metrics(), before))
    found = {labels: count - earlier.get(labels, 0.0) for labels, count in now.items()}
    print(
        "answers without a source: "
        + (
            ", ".join(
                f"{dict(labels)['source']} {count:.0f} ({dict(labels)['reason']})"
                for labels, count in sorted(found.items())
                if count
            )
            or "none"
        )
    )


def difference(now: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    """Return what each process used meanwhile."""
    return {name: used - before.get(name, 0.0) for name, used in now.items()}


def each(spent: dict[str, float], requests: int) -> str:
    """Return milliseconds a request, of each process and of all of them."""
    parts = [f"{name} {1000 * used / requests:.2f}" for name, used in spent.items()]
    return f"{1000 * sum(spent.values()) / requests:.2f} ({', '.join(parts)})"
