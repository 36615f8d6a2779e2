"""What the machine and the generator take alone: the same load on a server that does nothing.

On a machine that others use, requests wait for a core; nothing that is measured can be below this.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from load.arrivals import Plan
from load.driving import drive
from load.service import free_port

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
SECONDS = 5.0


class Nothing(asyncio.Protocol):
    """Answers whatever comes, at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(EMPTY)  # type: ignore[attr-defined]


@contextmanager
def nothing() -> Iterator[int]:
    """Yield the port of such a server, on a thread of its own."""
    port, loop = free_port(), asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Nothing, "127.0.0.1", port))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()


def floor(plan: Plan) -> tuple[float, float]:
    """Return the median and 99 of 100 of the milliseconds since due, of all kinds together."""
    with nothing() as port:
        found = drive(replace(plan, port=port, seconds=SECONDS))
    times = np.concatenate([one["due"] for one in found["kinds"].values()])
    middle, last = np.quantile(times, (0.5, 0.99))
    return float(middle), float(last)
