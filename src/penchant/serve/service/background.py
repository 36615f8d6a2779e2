"""`python -m penchant.serve.service.background`: one process that learns and tidies up.

Of all services on a directory the background of one does this, the one that holds the lock; the
others wait until it ends. What it starts ends with it.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penchant.serve.service.plan import (
    REFUSED,
    Plan,
    end_with_parent,
    end_within,
    received,
    say,
)
from penchant.types import Error

if TYPE_CHECKING:
    from penchant.serve.service.control import Control
    from penchant.serve.telemetry.observing import Telemetry
    from penchant.store.open import Store

NICE = 10  # who answers comes before who learns
BEAT = 0.25  # seconds between two looks at what is due
_LOCK_EVERY = 1.0
_AFTER_TROUBLE = 5.0
_LEAVE = 3.0

_log = logging.getLogger("penchant.background")


@dataclass(slots=True)
class Duty:
    """Something that is done every so many seconds."""

    name: str
    every: float
    do: Callable[[], Any]
    _at: float = 0.0

    def __call__(self, telemetry: Telemetry) -> None:
        """Do it if it is due; what goes wrong is told, and tried again a little later."""
        if time.monotonic() < self._at:
            return
        pause = self.every
        try:
            self.do()
        except Exception as error:  # one duty must not end the others
            telemetry.trouble(self.name, error)
            pause = max(pause, _AFTER_TROUBLE)
        self._at = time.monotonic() + pause


def main() -> int:
    """Return the exit status: 0 stopped, 2 refused to start."""
    plan = received()
    from penchant.serve.telemetry import logs
    from penchant.serve.telemetry.observing import shared

    with suppress(OSError):
        os.nice(NICE)
    ended = threading.Event()

    def stop(*_: object) -> None:
        # What it does may take long, and may be cut off anywhere.
        ended.set()
        end_within(_LEAVE, status=0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)

    def orphaned() -> None:
        # The parent cannot remove what the processes of the service shared.
        shutil.rmtree(plan.runtime, ignore_errors=True)
        ended.set()

    with logs.written(plan.name, plan.log_level, plan.log_format):
        end_with_parent(orphaned, _LEAVE)
        try:
            plan.check()
            run(plan, shared(plan.runtime, plan.name), ended)
        except Error as error:
            say(refused=str(error))
            return REFUSED
    return 0


def run(plan: Plan, telemetry: Telemetry, ended: threading.Event) -> None:
    """Do what is due until `ended`."""
    from penchant.interests.expansion.expanding import InterestsConfig
    from penchant.serve.service import expanding as expansion
    from penchant.serve.service.control import Control
    from penchant.serve.service.expanding import Expansions
    from penchant.serve.service.watching import EVERY, Watching
    from penchant.store.lock import Held
    from penchant.store.open import open_store

    control = Control(plan.shelf)
    with open_store(plan.directory, plan.url) as store, ExitStack() as stack:
        lock = stack.enter_context(closing(control.lock()))
        duties = [Duty("gauges", 5.0, lambda: measure(store, control, telemetry))]
        alone, said, asked = False, False, 0.0
        say(ready=plan.name)
        while not ended.is_set():
            if not alone and time.monotonic() >= asked:
                asked = time.monotonic() + _LOCK_EVERY
                try:
                    stack.enter_context(lock.held(wait=False))
                    alone = True
                    duties += apart(plan, store, control, telemetry)
                    watching = stack.enter_context(
                        closing(Watching(plan.shelf, plan.url, telemetry.found))
                    )
                    duties.append(Duty("watch", EVERY, watching))
                    interests = store.settings.section("interests", InterestsConfig)
                    expanding = stack.enter_context(closing(Expansions(store, interests)))
                    duties.append(Duty("expansion", expansion.EVERY, expanding))
                    _log.info("learning here", extra={"fields": {"every": plan.learn_every}})
                except Held:
                    if not said:
                        _log.warning(
                            "another service learns in this directory; this one takes over "
                            "when that one ends"
                        )
                    said = True
            for duty in duties:
                duty(telemetry)
            ended.wait(BEAT)


def apart(plan: Plan, store: Store, control: Control, telemetry: Telemetry) -> list[Duty]:
    """Return what only one background of a directory does, besides watching the log."""
    from penchant.serve.service import guarding
    from penchant.serve.service.training import Trainings
    from penchant.serve.service.upkeep import Retention, Settling

    trainings = Trainings(plan, store, control, telemetry.trained)
    return [
        Duty("training", BEAT, trainings),
        Duty("experiments", guarding.EVERY, guarding.Guarding(store)),
        Duty("settling", 60.0, Settling(store)),
        Duty("retention", 3600.0, Retention(store, plan.keep_impressions_days)),
    ]


def measure(store: Store, control: Control, telemetry: Telemetry) -> None:
    """Tell what is the same for all processes of the directory."""
    current = store.snapshots.current()
    created = None if current is None else float(current.manifest.get("created", 0.0))
    telemetry.held(
        items=len(store.catalogue),
        events=store.log.last(),
        snapshot_created=created,
        quarantined=store.quarantine.counts(),
        state=str(control.status()["state"]),
        sizes=sizes(store),
    )


def sizes(store: Store) -> Mapping[str, int]:
    """Return the bytes of each file of the databases, by name."""
    found = {}
    for database in store.databases:
        if database.file is not None:
            for path in (database.file, database.file.with_name(f"{database.file.name}-wal")):
                with suppress(OSError):
                    found[path.name] = path.stat().st_size
    return found


if __name__ == "__main__":
    sys.exit(main())
