"""A hard limit on how long something takes, whatever the other side does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

GRACE = 1.0  # seconds in which connections are closed


def within(seconds: float, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return what `work` does, on a thread of its own; raises TimeoutError after `seconds`.

    A timeout of reads alone lets a server trickle a byte at a time for ever, in the headers too; an
    event loop can drop work wherever it waits. What even that cannot drop (a name that is being
    looked up) is left behind on its thread.
    """
    done: Future[T] = Future()

    async def bounded() -> T:
        async with asyncio.timeout(seconds):
            return await work()

    def run() -> None:
        try:
            done.set_result(asyncio.run(bounded()))
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="penchant-generator", daemon=True).start()
    return done.result(seconds + GRACE)
