"""Waiting for a training that a service does in its background."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from penchant.measure.reports import TrainReport
from penchant.serve.client.problems import Conflict
from penchant.store.child import ChildFailed
from penchant.types import Tell

LOOK = 0.5  # seconds between two looks
# Looks in a row at which nobody was there to train: a background process may be starting anew.
ALONE = 20

State = Mapping[str, Any]


def awaited(before: State, look: Callable[[], State], tell: Tell | None) -> TrainReport:
    """Return the report of the training that was asked for after the state `before`.

    `tell` is told each step and the share of it that is done. Raises ChildFailed where the training
    failed, Conflict where nobody is there to train.
    """
    told: tuple[str, float] | None = None
    alone = 0
    while not _over(state := look(), before):
        if state["state"] == "training" and state.get("step") is not None:
            step = (str(state["step"]), float(state.get("share") or 0.0))
            if tell is not None and step != told:
                tell(*step)
            told = step
        alone = alone + 1 if state["state"] == "requested" and state.get("error") else 0
        if alone > ALONE:
            raise Conflict(f"the training was asked for, and nobody does it: {state['error']}")
        time.sleep(LOOK)
    report = state.get("report")
    if state["state"] == "failed" or not isinstance(report, Mapping):
        raise ChildFailed(str(state.get("error") or "the training ended without a report"))
    return TrainReport(report["snapshot"], dict(report))


def _over(state: State, before: State) -> bool:
    """Return whether a training has ended since: another one than `before` tells of, or that one.

    Between the request and its beginning the state can look as it did before.
    """
    if state["state"] not in ("idle", "failed"):
        return False
    moments = [(one.get("started"), one.get("ended")) for one in (state, before)]
    lost = state["state"] == "failed" and before["state"] == "training"
    return moments[0] != moments[1] or lost
