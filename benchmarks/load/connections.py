"""Keep-alive connections that cost their process little: plain HTTP/1.1 over asyncio."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httptools

Answered = Callable[[int, bytes], None]
"""Told the status and the body; the status is 0 where the connection was lost."""

PATIENCE = 30.0  # seconds for an answer that somebody waits for


@dataclass(frozen=True)
class Address:
    """Where the service listens, and the key that everything is sent with."""

    host: str
    port: int
    key: str = ""

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        """Return a request as bytes; a body is anything JSON can hold."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        if self.key:
            lines.append(f"X-API-Key: {self.key}")
        content = b"" if body is None else json.dumps(body).encode()
        if content:
            lines.append("Content-Type: application/json")
        if method != "GET":
            lines.append(f"Content-Length: {len(content)}")
        return "\r\n".join([*lines, "", ""]).encode() + content


def part(text: str) -> str:
    """Return an id as one part of a path."""
    return quote(text, safe="")


class Connection(asyncio.Protocol):
    """One connection with at most one request on its way. It opens itself again when closed."""

    def __init__(self, address: Address, ready: Callable[[Connection], None] | None = None) -> None:
        self._address = address
        self._ready = ready
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._body = bytearray()
        self._answered: Answered | None = None
        self.reopened = -1

    async def open(self) -> Connection:
        """Return itself, connected."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, self._address.host, self._address.port)
        return self

    def close(self) -> None:
        """Close for good."""
        self._ready = None
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._parser = httptools.HttpResponseParser(self)
        self.reopened += 1
        if self._ready is not None:
            self._ready(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body.clear()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answered, self._answered = self._answered, None
        if answered is None:
            return
        answered(self._parser.get_status_code(), bytes(self._body))
        if not self._parser.should_keep_alive():
            assert self._transport is not None
            self._transport.close()
        elif self._ready is not None and self._answered is None:
            self._ready(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(0, str(error or "closed").encode())

    @property
    def usable(self) -> bool:
        """Return whether a request can be sent at this moment."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, payload: bytes, answered: Answered) -> None:
        """Send now, and tell `answered` once."""
        assert self._transport is not None
        assert self._answered is None, "one request at a time"
        self._answered = answered
        self._transport.write(payload)

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and JSON of the answer; opens the connection where it was closed."""
        if not self.usable:
            await self.open()
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

        def answered(status: int, content: bytes) -> None:
            if not future.done():
                future.set_result((status, content))

        self.send(self._address.request(method, path, body), answered)
        status, content = await asyncio.wait_for(future, PATIENCE)
        try:
            return status, json.loads(content or b"null")
        except ValueError:
            return status, content.decode(errors="replace")


class Crowd:
    """Many connections used in turn; what comes while all are busy waits in a line."""

    def __init__(self, address: Address, size: int) -> None:
        self._free: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, Answered, Callable[[], None]]] = deque()
        self._all = [Connection(address, self._ready) for _ in range(size)]
        self._opening: set[asyncio.Task[Connection]] = set()

    async def open(self) -> Crowd:
        """Return itself with all connections open."""
        for one in self._all:
            await one.open()
        return self

    def close(self) -> None:
        """Close every connection."""
        for one in self._all:
            one.close()

    @property
    def reopened(self) -> int:
        """Return how many times a connection had to be opened again."""
        return sum(one.reopened for one in self._all)

    def submit(self, payload: bytes, sent: Callable[[], None], answered: Answered) -> None:
        """Send on the connection that rested longest, or as soon as one is free."""
        self._waiting.append((payload, answered, sent))
        while self._free and self._waiting:
            self._use(self._free.popleft())

    def _ready(self, connection: Connection) -> None:
        if self._waiting:
            self._use(connection)
        else:
            self._free.append(connection)

    def _use(self, connection: Connection) -> None:
        if not connection.usable:  # closed while it rested
            task = asyncio.get_running_loop().create_task(connection.open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
            return
        payload, answered, sent = self._waiting.popleft()
        sent()
        connection.send(payload, self._once(connection, answered))

    def _once(self, connection: Connection, answered: Answered) -> Answered:
        def told(status: int, body: bytes) -> None:
            answered(status, body)
            if status == 0:
                task = asyncio.get_running_loop().create_task(connection.open())
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)

        return told


def query(path: str, values: Mapping[str, Any]) -> str:
    """Return a path with a query."""
    pairs = "&".join(f"{part(name)}={part(str(value))}" for name, value in values.items())
    return f"{path}?{pairs}" if pairs else path
