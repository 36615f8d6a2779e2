"""Pools: the engine blocks, so it is asked in threads, a few at once, and few more wait for one."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from penchant.serve.http.problems import Problem

T = TypeVar("T")


class Pool:
    """`threads` that work and `waiting` places before them; `timeout` seconds for both together."""

    def __init__(self, name: str, threads: int, waiting: int, timeout: float) -> None:
        self.name = name
        self.timeout = timeout
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"penchant-{name}")
        self._most = threads + waiting
        self._inside = 0
        self._guard = threading.Lock()

    @property
    def inside(self) -> int:
        """Return how many are worked on or wait."""
        return self._inside

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise a problem: 429 at once when full, 503 when late.

        What is late and not begun is dropped; what is begun ends, and holds its place until then.
        """
        with self._guard:
            if self._inside >= self._most:
                raise Problem(
                    429,
                    f"{self._inside} {self.name} are worked on or wait already, and no more may; "
                    "ask again in a second, or add workers",
                    retry_after=1,
                )
            self._inside += 1
        try:
            # With what is known of the request where it came in: the span that a trace hangs on.
            done = self._threads.submit(contextvars.copy_context().run, work)
        except RuntimeError as error:  # the pool is closed
            self._left(None)
            raise Problem(
                503, "the service is stopping; ask again in a moment", retry_after=2
            ) from error
        done.add_done_callback(self._left)
        try:
            async with asyncio.timeout(self.timeout):
                return await asyncio.wrap_future(done)
        except TimeoutError as error:
            if not done.cancelled() and done.done() and isinstance(done.exception(), TimeoutError):
                raise  # of the work itself
            raise Problem(
                503,
                f"no answer within {self.timeout:g} s; ask again in a moment (an event with an "
                "event_id can be sent again without being counted twice)",
                retry_after=2,
            ) from error

    def close(self) -> None:
        """Finish what was begun and what waits."""
        self._threads.shutdown(wait=True)

    def _left(self, done: Future[Any] | None) -> None:
        with self._guard:
            self._inside -= 1
