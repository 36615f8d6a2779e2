"""What a process of the service is told by the one that starts it, and how the two stay in touch.

The plan is one line of JSON on standard input: an address of a database may hold a password, and
arguments of a command are for everybody to see. The pipe stays open afterwards; when it closes, the
parent is gone. On standard output a process says in lines of JSON that it is ready, or why it
refuses.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from penchant.serve.service.config import Format, Level
from penchant.store.faults import StoreError
from penchant.store.lifeline import follow

BACKGROUND = "background"
LOG_FILE = "penchant.db"
REFUSED, KILLED = 2, 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process does. `slot` is its place among `workers`, `socket` the number of the file
    it accepts from, `runtime` a folder that all processes of this service share while it runs.

    `began` says that the service has answered before, so that there is a shelf.
    """

    name: str
    directory: str
    runtime: str
    host: str = "127.0.0.1"
    port: int = 0
    workers: int = 1
    slot: int = 0
    socket: int = -1
    url: str | None = None
    effort: str = "balanced"
    learn_every: float = 0.0
    stop_seconds: float = 30.0
    keep_impressions_days: float = 0.0
    log_level: Level = "info"
    log_format: Format = "json"
    began: bool = False

    @property
    def shelf(self) -> Path:
        """Return the directory that is served."""
        return Path(self.directory)

    @property
    def runtime_folder(self) -> Path:
        """Return the folder that the processes of this service share."""
        return Path(self.runtime)

    def check(self) -> None:
        """Raise where a shelf that was there is gone: another, made in its place, would be empty,
        and take what is meant for the first."""
        wanted = self.shelf / LOG_FILE if self.url is None else self.shelf
        if self.began and not wanted.exists():
            raise StoreError(
                f"{wanted} is gone, though it was served before; bring it back (is the disk "
                "mounted?), or end the service"
            )

    def line(self) -> bytes:
        """Return the plan as one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"


def received() -> Plan:
    """Return the plan on standard input."""
    line = bytearray()
    # Byte by byte: nothing behind the line may be swallowed by a buffer.
    while not line.endswith(b"\n"):
        if not (byte := os.read(sys.stdin.fileno(), 1)):
            raise SystemExit("expected a plan on standard input; `penchant serve` writes it")
        line += byte
    return Plan(**json.loads(line))


def say(**content: Any) -> None:
    """Write one line to the parent; one that is gone does not hear it."""
    try:
        os.write(sys.stdout.fileno(), json.dumps(content).encode() + b"\n")
    except OSError:
        return


def end_with_parent(stop: Callable[[], None], within: float) -> None:
    """Call `stop` when the parent dies; after `within` seconds the process is gone regardless."""

    def lost() -> None:
        stop()
        end_within(within)

    follow(sys.stdin.fileno(), lost)


def end_within(seconds: float, status: int = KILLED) -> None:
    """End this process after so many seconds, whatever it does by then."""

    def end() -> None:
        time.sleep(seconds)
        os._exit(status)

    threading.Thread(target=end, name="penchant-end", daemon=True).start()
