"""Sharing: a question that would wait here is answered by a worker that has less to do.

Each worker answers one question after the other, and its connections are its own. So while one has
three that wait, another may rest: with a line before each of three workers the 99th percentile is
about twice that of one line before all (docs/decisions.md). A question that finds another at work
goes to whoever has the fewest; the answer comes back on the same way. It is a plain question to an
engine on the same store, so what was acknowledged anywhere shows in it wherever it is answered.

Workers speak over a socket of the runtime folder, which only this user may enter: frames of a
number, a length and a kind. Whatever goes wrong there, the question is answered here after all: it
changes nothing to ask it twice.
"""

from __future__ import annotations

import asyncio
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from penchant.serve.service.board import Board

STALE = 1.0  # seconds after which a worker whose loop does not turn is waited for no longer
_HEAD = struct.Struct("=IIB")  # number of the question, bytes that follow, and what they are
_QUESTION, _ANSWER, _UNDONE = 0, 1, 2
_MOST = 1 << 24  # bytes of one frame: slates are small

Answer = Callable[[bytes], Awaitable[bytes | None]]
"""Answers a packed question; None where whoever asked should answer it."""


class Sharing:
    """The ways from one worker, `slot`, to the others and from them to it."""

    def __init__(self, runtime: Path, board: Board, slot: int) -> None:
        self._runtime, self._board, self._slot = runtime, board, slot
        self._ways: dict[int, _Way] = {}
        self._server: asyncio.AbstractServer | None = None
        self._lines: set[_Line] = set()
        self._watching: asyncio.TimerHandle | None = None

    async def open(self, answer: Answer) -> None:
        """Answer what other workers ask from now on."""
        path = self._path(self._slot)
        path.unlink(missing_ok=True)  # of a process that had this place before
        self.inside(0)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Desk(answer, self._lines), str(path))

    async def close(self) -> None:
        """Answer no more; what is being answered here for others is answered by them."""
        if self._server is not None:
            self._server.close()
        if self._watching is not None:
            self._watching.cancel()
        for way in self._ways.values():
            way.close()
        for line in tuple(self._lines):
            line.close()

    def inside(self, many: int) -> None:
        """Tell the others how many questions are worked on here or wait."""
        self._board.questions(self._slot, many)

    async def ask(self, question: bytes, mine: int) -> bytes | None:
        """Return the answer of the worker with the fewest questions; None where it is to be given
        here: nobody has fewer than `mine`, or whoever had did not answer it."""
        slot = self._idlest(mine)
        if slot is None:
            return None
        way = self._ways.get(slot)
        if way is None or way.lost:
            # On this one nobody waits for the way to be there.
            self._ways[slot] = way = _Way(self._path(slot))
        if not way.usable:
            return None
        self._watch()
        return await way.ask(question)

    def _idlest(self, mine: int) -> int | None:
        """Return who has the fewest questions, and fewer than `mine`."""
        now = time.monotonic()
        found, fewest = None, mine
        for slot in range(self._board.workers):
            if slot == self._slot or now - self._board.beat(slot) > STALE:
                continue
            # What was handed over this moment may not stand on the board yet.
            way = self._ways.get(slot)
            many = max(self._board.asked(slot), 0 if way is None else way.waiting)
            if many < fewest:
                found, fewest = slot, many
        return found

    def _watch(self) -> None:
        if self._watching is None:
            self._watching = asyncio.get_running_loop().call_later(STALE / 4, self._look)

    def _look(self) -> None:
        """Give up the ways to workers that stand still; what they were asked is answered here."""
        self._watching = None
        now = time.monotonic()
        for slot, way in self._ways.items():
            if way.waiting and now - self._board.beat(slot) > STALE:
                way.close()
        if any(way.waiting for way in self._ways.values()):
            self._watch()

    def _path(self, slot: int) -> Path:
        return self._runtime / f"worker-{slot}.socket"


class _Line(asyncio.Protocol, ABC):
    """One end of a way: takes bytes apart into frames."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._came = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        came = self._came
        came += data
        at = 0
        while len(came) - at >= _HEAD.size:
            number, size, kind = _HEAD.unpack_from(came, at)
            if size > _MOST:
                self.close()
                return
            if len(came) - at - _HEAD.size < size:
                break
            at += _HEAD.size
            self.take(number, kind, bytes(came[at : at + size]))
            at += size
        del came[:at]

    def send(self, number: int, kind: int, content: bytes) -> None:
        """Send one frame, where the other end is still there."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_HEAD.pack(number, len(content), kind) + content)

    def close(self) -> None:
        """Cut the line."""
        if self._transport is not None:
            self._transport.abort()

    @abstractmethod
    def take(self, number: int, kind: int, content: bytes) -> None:
        """Take one frame."""


class _Desk(_Line):
    """The end where questions of another worker come in."""

    def __init__(self, answer: Answer, lines: set[_Line]) -> None:
        super().__init__()
        self._answer, self._lines = answer, lines
        self._working: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._lines.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._lines.discard(self)

    def take(self, number: int, kind: int, content: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._work(number, content))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _work(self, number: int, content: bytes) -> None:
        found = await self._answer(content)
        self.send(number, _UNDONE if found is None else _ANSWER, found or b"")


class _Way(_Line):
    """The end where this worker asks another."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.lost = False
        self._asked: dict[int, asyncio.Future[bytes | None]] = {}
        self._number = 0
        self._opening = asyncio.get_running_loop().create_task(self._open(path))

    @property
    def usable(self) -> bool:
        """Return whether it leads there by now."""
        return self._transport is not None and not self.lost

    @property
    def waiting(self) -> int:
        """Return how many questions have no answer yet."""
        return len(self._asked)

    async def ask(self, question: bytes) -> bytes | None:
        """Return the answer, None where there is none."""
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        self.send(number, _QUESTION, question)
        try:
            return await future
        finally:
            self._asked.pop(number, None)

    def take(self, number: int, kind: int, content: bytes) -> None:
        future = self._asked.pop(number, None)
        if future is not None and not future.done():
            future.set_result(content if kind == _ANSWER else None)

    def connection_lost(self, error: Exception | None) -> None:
        self.close()

    def close(self) -> None:
        """Cut it; who waits is told that there is no answer."""
        self.lost = True
        self._opening.cancel()
        super().close()
        for future in self._asked.values():
            if not future.done():
                future.set_result(None)
        self._asked.clear()

    async def _open(self, path: Path) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(lambda: self, str(path))
        except OSError:  # it is not there yet, or not any more
            self.lost = True
