"""The generator as a process beside this one, and what came of its requests."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from load.arrivals import Plan
from load.ground import Ground
from load.service import Service


def planned(
    ground: Ground,
    service: Service,
    options: argparse.Namespace,
    rates: dict[str, float],
    seconds: float,
    seed: int | None = None,
    **more: Any,
) -> Plan:
    """Return the plan of a load on this ground."""
    return Plan(
        host=service.host,
        port=service.port,
        rates=rates,
        people=more.pop("people", ground.people),
        items=ground.items,
        seconds=seconds,
        connections=options.connections,
        seed=options.seed if seed is None else seed,
        **more,
    )


class Driving:
    """A generator at work in a process of its own."""

    def __init__(self, plan: Plan) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "load.arrivals"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[1],
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(asdict(plan)) + "\n")
        self._child.stdin.flush()
        if self._child.stdout.readline().strip() != "ready":
            raise RuntimeError("the generator did not connect")

    def result(self) -> dict[str, Any]:
        """Return what happened, when it is over."""
        assert self._child.stdout is not None
        told = self._child.stdout.read()
        if status := self._child.wait():
            raise RuntimeError(f"the generator ended with status {status} before it had told all")
        found: dict[str, Any] = json.loads(told)
        return found

    def __enter__(self) -> Driving:
        return self

    def __exit__(self, *error: object) -> None:
        if self._child.poll() is None:
            self._child.terminate()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()


def drive(plan: Plan) -> dict[str, Any]:
    """Return what became of a load."""
    with Driving(plan) as driving:
        return driving.result()


def verdicts(found: dict[str, Any], rates: Mapping[str, float], bars: Mapping[str, float]) -> bool:
    """Print the times of each kind of request; return whether all answered, within the bars."""
    good = True
    print(
        f"{'milliseconds since due':<24} {'median':>8} {'p95':>8} {'p99':>8} {'worst':>8}"
        f" {'p99 sent':>9} {'late':>6} {'errors':>7} {'a second':>9}"
    )
    for kind, one in found["kinds"].items():
        due = np.array(one["due"] or [np.nan])
        middle, late, last = np.quantile(due, (0.5, 0.95, 0.99))
        errors = sum(n for status, n in one["statuses"].items() if status != "200")
        reached = one["statuses"].get("200", 0) / found["seconds"]
        print(
            f"  {kind:<22} {middle:8.1f} {late:8.1f} {last:8.1f} {due.max():8.1f}"
            f" {np.quantile(one['sent'] or [np.nan], 0.99):9.1f}"
            f" {np.quantile(one['late'] or [np.nan], 0.99):6.1f} {errors:7} {reached:9.1f}"
        )
        for example in one["examples"]:
            print(f"    {example}")
        good &= errors == 0
        if (bar := bars.get(kind)) is not None:
            good &= bool(last < bar)
            verdict = "within" if last < bar else "OUTSIDE"
            print(f"    p99 {last:.1f} ms at {rates[kind]:g}/s: {verdict} the bar of {bar:g} ms")
    return good
