"""Pools: the engine blocks, so it is asked in threads, a few at once, and few more wait for one.

Answers compute, and two that compute at once in one process take more than twice as long as one:
at every operation they hand each other the interpreter's lock. So they go one after the other, and
a further one begins only beside those that take so long that they must be waiting for something.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from penchant.serve.http.problems import Problem

T = TypeVar("T")

PATIENCE = 0.1  # seconds after which what is worked on no longer keeps others from being begun


class Pool:
    """`threads` that work and `waiting` places before them; `timeout` seconds for both together.

    `together` of the threads work at once (all, left out); those that have worked on one thing for
    longer than `PATIENCE` are not counted. `tell` hears how many are inside when that changes.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        waiting: int,
        timeout: float,
        together: int | None = None,
        tell: Callable[[int], None] = lambda inside: None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"penchant-{name}")
        self._many = threads
        self._together = threads if together is None else together
        self._tell = tell
        self._most = threads + waiting
        self._inside = 0
        self._line: deque[_Task] = deque()
        self._working: dict[_Task, float] = {}  # since when
        self._closed = False
        self._changed = threading.Condition()
        self._looking: asyncio.TimerHandle | None = None

    @property
    def inside(self) -> int:
        """Return how many are worked on or wait."""
        return self._inside

    async def run(self, work: Callable[[], T], waited: float = 0.0) -> T:
        """Return what `work` returns, or raise a problem: 429 at once when full, 503 when late.

        What is late and not begun is dropped; what is begun ends, and holds its place until then.
        Of the time there is, `waited` seconds have passed already.
        """
        left = self.timeout - waited
        if left <= 0:
            raise self._late()
        done: Future[T] = self._submit(work).done
        self._look_later()
        try:
            async with asyncio.timeout(left):
                return await asyncio.wrap_future(done)
        except TimeoutError as error:
            if not done.cancelled() and done.done() and isinstance(done.exception(), TimeoutError):
                raise  # of the work itself
            raise self._late() from error

    def close(self) -> None:
        """Finish what was begun and what waits."""
        with self._changed:
            self._closed = True
            while self._line or self._working:
                self._begin()
                self._changed.wait(PATIENCE)
        self._threads.shutdown(wait=True)

    def _late(self) -> Problem:
        return Problem(
            503,
            f"no answer within {self.timeout:g} s; ask again in a moment (an event with an "
            "event_id can be sent again without being counted twice)",
            retry_after=2,
        )

    def _submit(self, work: Callable[[], Any]) -> _Task:
        with self._changed:
            if self._closed:
                raise Problem(503, "the service is stopping; ask again in a moment", retry_after=2)
            if self._inside >= self._most:
                raise Problem(
                    429,
                    f"{self._inside} {self.name} are worked on or wait already, and no more may; "
                    "ask again in a second, or add workers",
                    retry_after=1,
                )
            self._inside += 1
            self._tell(self._inside)
            task = _Task(work)
            self._line.append(task)
            self._begin()
        task.done.add_done_callback(self._left)
        return task

    def _look_later(self) -> None:
        """Look again in a while, where something waits: what it waits for may be hanging."""
        if self._line and self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(PATIENCE, self._look)

    def _look(self) -> None:
        self._looking = None
        with self._changed:
            self._begin()
        self._look_later()

    def _begin(self) -> None:
        """Give threads what waits, as many as may work now; the lock is held."""
        while (task := self._next()) is not None:
            self._threads.submit(self._work, task)

    def _next(self) -> _Task | None:
        """Take the next that may be worked on out of the line; the lock is held."""
        now = time.monotonic()
        brisk = sum(now - since <= PATIENCE for since in self._working.values())
        while self._line and brisk < self._together and len(self._working) < self._many:
            task = self._line.popleft()
            if task.done.set_running_or_notify_cancel():
                self._working[task] = now
                return task
        return None

    def _work(self, task: _Task) -> None:
        """Work on a task, and then on those that waited for it."""
        following: _Task | None = task
        while following is not None:
            task = following
            task.work()
            with self._changed:
                del self._working[task]
                following = self._next()
                self._changed.notify_all()

    def _left(self, done: Future[Any]) -> None:
        with self._changed:
            self._inside -= 1
            self._tell(self._inside)


class _Task:
    """What is to be done, with what is known of the request where it came in: the span of a trace
    hangs on that."""

    __slots__ = ("_context", "_work", "done")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.done: Future[Any] = Future()
        self._work = work
        self._context = contextvars.copy_context()

    def work(self) -> None:
        try:
            found = self._context.run(self._work)
        except BaseException as error:
            self.done.set_exception(error)
        else:
            self.done.set_result(found)
