"""Ending with the process that started this one, however that one ended.

The caller holds one end of a pipe and never writes to it. The kernel closes it when the caller
dies, even by a signal that no program can catch; whoever reads the other end learns of it at once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

VARIABLE = "PENCHANT_LIFELINE"
GRACE = 10.0  # seconds in which a process that lost its caller may clean up


def follow(descriptor: int, ended: Callable[[], None]) -> None:
    """Call `ended`, in a thread of its own, once nobody holds the other end of the pipe."""

    def wait() -> None:
        with suppress(OSError):  # which is as good as closed
            while os.read(descriptor, 4096):
                continue
        ended()

    threading.Thread(target=wait, name="penchant-lifeline", daemon=True).start()


def held(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process whose standard input is such a pipe."""
    return {**environment, VARIABLE: "stdin"}


def end_with_caller() -> None:
    """End this process when its caller dies, if its standard input is such a pipe.

    It is interrupted first, which removes what it built; after `GRACE` seconds it is gone.
    """
    if os.environ.get(VARIABLE) == "stdin":
        # Of jobs in the background of a shell it is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        follow(sys.stdin.fileno(), _leave)


def _leave() -> None:
    # A real signal: it also ends what waits in the kernel.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    time.sleep(GRACE)
    os._exit(1)
