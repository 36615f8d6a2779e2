"""Accepting connections by turns: a new one goes to the worker that holds the fewest.

All workers share one listening socket. Left to themselves, whoever wakes first takes nearly all of
those that arrive together (of 32 at once over three workers: 1, 13 and 18); with a socket each
(SO_REUSEPORT) chance decides (7, 9, 16), and what waits at a worker that dies is lost. So a worker
that holds more than another leaves a connection alone for a moment; only if it still waits then,
because the other is busy, does it take it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from penchant.serve.http.head import Head
from penchant.serve.service.board import Board

QUEUE = 2048  # connections that the kernel holds until somebody accepts them
MOST = 4096  # connections of one worker
PATIENCE = 0.005  # seconds a connection is left for another worker
SLACK = 1  # so many more than another a worker may hold: waiting for exact equality costs more
DRAIN = 0.05  # seconds in which what was accepted last may say what it wants
HEADERS = 10.0  # seconds for the head of a request
_FULL = 0.1


class Connection(Head):
    """One connection; a client that does not finish the head of a request loses it."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin; the first request may not take for ever to arrive."""
        super().connection_made(transport)
        self._expect()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._expect()

    def on_headers_complete(self) -> None:
        """Let the body take its own time: the application limits it."""
        self._settle()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._settle()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADERS, self._late)

    def _late(self) -> None:
        self._deadline = None
        if self.transport is not None:
            self.transport.abort()

    def _settle(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Server(uvicorn.Server):
    """A uvicorn server that takes its connections from a shared socket, in turn with others.

    Signals are left to the caller, who sets `should_exit`.
    """

    def __init__(
        self, config: uvicorn.Config, listening: socket.socket, board: Board, slot: int
    ) -> None:
        super().__init__(config)
        self._listening, self._board, self._slot = listening, board, slot
        self._made: set[asyncio.Task[Any]] = set()
        self._watching = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup([])
        self._listening.setblocking(False)
        self._note()
        self._watch()

    async def on_tick(self, counter: int) -> bool:
        """Say that the loop turns."""
        self._note()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was accepted, and what the kernel holds already; then accept no more."""
        self._board.clear(self._slot)
        self._unwatch()
        while self._take():
            pass
        self._listening.close()
        if self._made:
            await asyncio.wait(self._made)
        await asyncio.sleep(DRAIN)
        await super().shutdown([])

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self.server_state.connections) + len(self._made)

    def _note(self) -> None:
        if not self.should_exit:
            self._board.write(self._slot, self.connections)

    def _watch(self) -> None:
        if not self._watching and not self.should_exit:
            self._watching = True
            asyncio.get_running_loop().add_reader(self._listening, self._ready)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            asyncio.get_running_loop().remove_reader(self._listening)

    def _ready(self) -> None:
        """Take one connection, or leave it to a worker with fewer."""
        mine, fewest = self.connections, self._board.fewest(self._slot)
        loop = asyncio.get_running_loop()
        if mine >= MOST:
            self._unwatch()
            loop.call_later(_FULL, self._watch)
        elif fewest is None or mine <= fewest + SLACK:
            self._take()
        else:
            self._unwatch()
            loop.call_later(PATIENCE, self._again)

    def _again(self) -> None:
        """Take what was left alone and still waits."""
        if not self.should_exit:
            self._take()
            self._watch()

    def _take(self) -> bool:
        """Return whether a connection was there to be taken."""
        try:
            taken, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError:  # no file number is left: those who are here come first
            self._unwatch()
            asyncio.get_running_loop().call_later(1.0, self._watch)
            return False
        taken.setblocking(False)
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        made = loop.create_task(loop.connect_accepted_socket(self._protocol, taken))
        self._made.add(made)
        made.add_done_callback(self._served)
        self._note()
        return True

    def _served(self, made: asyncio.Task[Any]) -> None:
        self._made.discard(made)
        if not made.cancelled():
            made.exception()  # a client that was gone before it was greeted
        self._note()

    def _protocol(self) -> Connection:
        return Connection(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
