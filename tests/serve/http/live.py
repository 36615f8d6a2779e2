"""A service for tests: the real application around a real engine, behind a real socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

import penchant
from penchant.serve.http.app import build
from penchant.serve.http.config import HttpConfig
from penchant.serve.http.head import Head
from penchant.serve.http.reception import Reception
from penchant.serve.service.control import Control
from penchant.serve.service.sharing import Sharing
from penchant.serve.telemetry.observing import Telemetry

FREE = HttpConfig(rate=0, rate_loopback=0, user_rate=0)
"""Settings without limits on rates."""


@dataclass
class Live:
    """A running service: where it is, and what it is made of."""

    port: int
    engine: penchant.Engine
    app: FastAPI

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def reception(self) -> Reception:
        found: Reception = self.app.state.reception
        return found

    def client(self, **given: Any) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=30, **given)

    def raw(self, sent: bytes, *, patience: float = 10.0) -> bytes:
        """Return everything that comes back for these bytes until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as line:
            line.sendall(sent)
            return drained(line)


def drained(line: socket.socket) -> bytes:
    """Return what arrives until the other side closes, or says nothing more for a second."""
    found = b""
    line.settimeout(1.0)
    try:
        while part := line.recv(65_536):
            found += part
    except (TimeoutError, ConnectionResetError):
        pass
    return found


def made(
    engine: penchant.Engine,
    settings: HttpConfig = FREE,
    environment: Mapping[str, str] | None = None,
    sharing: Sharing | None = None,
) -> FastAPI:
    """Return the application with the service's own trainer and telemetry."""
    return build(
        engine,
        settings,
        trainer=Control(engine.directory),
        telemetry=Telemetry(),
        environment=environment or {},
        sharing=sharing,
    )


@contextmanager
def served(
    engine: penchant.Engine,
    settings: HttpConfig = FREE,
    environment: Mapping[str, str] | None = None,
    sharing: Sharing | None = None,
) -> Iterator[Live]:
    """Serve an engine on a free port of loopback until the block ends."""
    app = made(engine, settings, environment, sharing)
    config = uvicorn.Config(
        app,
        port=0,
        loop="uvloop",
        http=Head,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until and thread.is_alive():
        time.sleep(0.005)
    assert server.started
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Live(port, engine, app)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
