"""Asking for a training and hearing of it, from any process: two small files in the directory.

The directory is what all processes of a service share, and those of a second service on it; a file
there needs neither a connection nor a table, outlives every process, and can be read while the
database is locked. Each is replaced as a whole, so nobody reads half of one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

from penchant.store.faults import fault
from penchant.store.lock import FileLock, Held

FOLDER = "service"
IDLE, REQUESTED, TRAINING, FAILED = "idle", "requested", "training", "failed"
_LOCK, _STATE, _REQUEST = "background.lock", "training.json", "request.json"


class Trainer(Protocol):
    """Who trains in the background."""

    def request(self) -> Mapping[str, Any]:
        """Return the state after a training was asked for; asking twice is one training."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Return state, step, share, started, ended, report, error and next."""
        ...


class Control:
    """Where trainings of a directory are asked for, and where the background says what it does.

    A state is idle, requested, training or failed. `started`, `ended` and `next` are seconds since
    the epoch, `report` what the last training learned, `error` why the last one failed.
    """

    def __init__(self, shelf: Path) -> None:
        self.folder = shelf / FOLDER

    def request(self) -> dict[str, Any]:
        """Return the state after a training was asked for.

        While one is at work it is the answer; what came since is learned by the next. The request
        is written even so: whether it is at work nobody knows for certain, the process may just
        have been ended. One that ends by itself lets go of it.
        """
        self._write(_REQUEST, {"asked": time.time()})
        return self.status()

    def status(self) -> dict[str, Any]:
        """Return what is known of trainings now."""
        state = {**_blank(), **self._read(_STATE)}
        wanted, served = self.requested(), self.held()
        if state["state"] == TRAINING and not served:
            state |= {"state": FAILED, "step": None, "share": None, "error": _LOST}
        if state["state"] != TRAINING and wanted:
            state["state"] = REQUESTED
            if not served:
                state["error"] = _NOBODY
        return state

    def requested(self) -> bool:
        """Return whether somebody waits for a training."""
        return (self.folder / _REQUEST).exists()

    def taken(self) -> None:
        """Let go of the request: the training that it asked for has begun, or came to its end."""
        with suppress(FileNotFoundError):
            (self.folder / _REQUEST).unlink()

    def tell(self, state: Mapping[str, Any]) -> None:
        """Replace what everybody reads. Of the background alone."""
        self._write(_STATE, state)

    def told(self) -> dict[str, Any]:
        """Return what the background said last, whether it lives or not."""
        return {**_blank(), **self._read(_STATE)}

    def lock(self) -> FileLock:
        """Return the lock that at most one background process of the directory holds."""
        self.folder.mkdir(exist_ok=True)
        return FileLock(self.folder / _LOCK)

    def held(self) -> bool:
        """Return whether a background process is at work."""
        if not (self.folder / _LOCK).exists():
            return False
        with closing(self.lock()) as lock:
            try:
                with lock.held(wait=False):
                    return False
            except Held:
                return True

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / name).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        fresh = self.folder / f".{name}.{os.getpid()}.{time.monotonic_ns()}"
        try:
            self.folder.mkdir(exist_ok=True)
            fresh.write_text(json.dumps(content), encoding="utf-8")
            fresh.replace(self.folder / name)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            raise fault(error, str(self.folder)) from error


_NOBODY = (
    "no background process is at work in this directory; it begins when `penchant serve` starts one"
)
_LOST = "the process that trained was ended; the snapshot before it goes on serving"


def _blank() -> dict[str, Any]:
    return {
        "state": IDLE,
        "step": None,
        "share": None,
        "started": None,
        "ended": None,
        "report": None,
        "error": None,
        "next": None,
    }
