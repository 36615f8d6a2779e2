"""Training in the background: asked for or due, in a process of its own, and told to all.

What fails, is killed or does worse leaves the snapshot that serves as it was.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select

from penchant.serve.service.control import FAILED, IDLE, TRAINING, Control
from penchant.serve.service.plan import Plan
from penchant.serve.service.schedule import Schedule
from penchant.store import schema
from penchant.store.child import run_child
from penchant.store.faults import StoreError
from penchant.store.open import Store
from penchant.types import Error, Tell

PUBLISHED, REFUSED = "published", "refused"
_TELL = 0.5  # seconds between two lines about the same step
_LEAST = 60.0  # seconds after a start before a training is due
_LONGEST = 2000  # characters of what a training said before it failed
_INTERRUPTED = (
    "the service was stopped, or ended, while it trained; the snapshot before it goes on serving"
)

_log = logging.getLogger("penchant.training")
Told = Callable[[Mapping[str, Any], str | None], None]


class Trainings:
    """One training after the other, never two. `told` hears each change of the state, and at the
    end of a training its outcome: published, refused or failed."""

    def __init__(self, plan: Plan, store: Store, control: Control, told: Told) -> None:
        self._plan, self._store, self._control, self._told = plan, store, control, told
        self._thread: threading.Thread | None = None
        self._learned: tuple[Any, ...] | None = None  # how far the log went when it was last read
        self._guard = threading.Lock()
        self._unwritten = False
        self._state = control.told()
        began = self._state["started"]
        ago = None if began is None else time.time() - began
        self._schedule = Schedule(plan.learn_every, ago, least=_LEAST)
        if self._state["state"] == TRAINING:
            self._end(FAILED, None, error=_INTERRUPTED)
        else:
            self._say(next=self._next())

    @property
    def at_work(self) -> bool:
        """Return whether a training is at work."""
        return self._thread is not None and self._thread.is_alive()

    def __call__(self) -> None:
        """Begin a training if one was asked for or is due, and none is at work."""
        if self._unwritten:
            self._say()
        if self.at_work:
            return
        asked = self._control.requested()
        if not asked and not self._schedule.due():
            return
        self._schedule.begun()
        heads = self._heads()
        if not asked and heads == self._learned:
            _log.info("skipped", extra={"fields": {"why": "nothing new was recorded"}})
            self._say(next=self._next())
            return
        self._learned = heads
        self._say(
            state=TRAINING,
            step="starting",
            share=0.0,
            started=time.time(),
            ended=None,
            error=None,
            next=self._next(),
        )
        self._control.taken()  # only now: in between, somebody who waits would see an idle one
        _log.info("started", extra={"fields": {"asked": asked, "effort": self._plan.effort}})
        self._thread = threading.Thread(target=self._train, name="penchant-train", daemon=True)
        self._thread.start()

    def _train(self) -> None:
        plan, began = self._plan, time.monotonic()
        url = [] if plan.url is None else ["--url", plan.url]
        arguments = [plan.directory, "--effort", plan.effort, *url]
        what: dict[str, Any]
        try:
            # What `Engine.train` does, without reading the log into this process afterwards.
            report = run_child("penchant.learn", arguments, _seldom(self._progress))
        except (Error, OSError, ValueError) as error:
            outcome, what = FAILED, {"error": str(error)[-_LONGEST:]}
        else:
            outcome, report = _judged(report)
            what = {"report": report}
        self._control.taken()  # whoever asked meanwhile was told of this one
        self._end(outcome, began, **what)

    def _progress(self, step: str, share: float) -> None:
        self._say(step=step, share=share)

    def _end(self, outcome: str, began: float | None, **what: Any) -> None:
        report = what.get("report") or {}
        fields = {
            "outcome": outcome,
            "seconds": None if began is None else round(time.monotonic() - began, 1),
            "snapshot": report.get("snapshot"),
            "reason": report.get("reason") or what.get("error"),
        }
        level = logging.INFO if outcome == PUBLISHED else logging.WARNING
        _log.log(level, "ended", extra={"fields": {k: v for k, v in fields.items() if v}})
        state = FAILED if outcome == FAILED else IDLE
        end = {"state": state, "step": None, "share": None, "ended": time.time()}
        self._say(outcome, **end, next=self._next(), **what)

    def _say(self, outcome: str | None = None, **what: Any) -> None:
        with self._guard:
            self._state = {**self._state, **what}
            self._told(self._state, outcome)
            try:
                self._control.tell(self._state)
                self._unwritten = False
            except StoreError as error:  # a full disk must not end what is being learned
                self._unwritten = True
                _log.warning("unwritten", extra={"fields": {"error": str(error)}})

    def _next(self) -> float | None:
        left = self._schedule.left()
        return None if left is None else time.time() + max(left, 0.0)

    def _heads(self) -> tuple[Any, ...]:
        return tuple(self._store.databases[0].rows(select(schema.heads))[0])


def _judged(report: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what came of a training that ended, and its report with that in it."""
    if report.get("published", True):
        return PUBLISHED, {**report, "published": True}
    why = str((report.get("gate") or {}).get("reason", "it did worse"))
    return REFUSED, {**report, "published": False, "reason": why}


def _seldom(tell: Tell) -> Tell:
    """Return the same, told of a step at most every `_TELL` seconds."""
    step, at = "", 0.0

    def told(name: str, share: float) -> None:
        nonlocal step, at
        if name != step or time.monotonic() - at > _TELL:
            step, at = name, time.monotonic()
            tell(name, share)

    return told
