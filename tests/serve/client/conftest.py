"""A real service on a free port of this machine, and the same recommender beside it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import penchant
from penchant.serve.client import Client
from penchant.serve.http.app import build
from penchant.serve.http.config import HttpConfig
from penchant.serve.service.control import Control, Trainer
from penchant.serve.telemetry.observing import Telemetry
from penchant.types import Slate
from shelves import filled


@contextmanager
def serving(
    engine: penchant.Engine,
    settings: HttpConfig | None = None,
    *,
    trainer: Trainer | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Give the address of a service around an engine, in a thread of this process."""
    app = build(
        engine,
        settings or HttpConfig(rate_loopback=0.0),
        trainer=trainer or Control(engine.directory),
        telemetry=Telemetry(),
        environment=environment or {},
    )
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_keep_alive=5)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@dataclass
class Pair:
    """The same recommender twice: in this process, and behind a service."""

    embedded: penchant.Engine
    client: Client
    served: penchant.Engine


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two copies of the tiny world, of which one is served."""
    shelf = filled(tmp_path / "embedded")
    shutil.copytree(shelf, tmp_path / "served")
    with (
        penchant.open(shelf) as embedded,
        penchant.open(tmp_path / "served") as served,
        serving(served) as url,
        penchant.connect(url) as client,
    ):
        yield Pair(embedded, client, served)


def comparable(value: Any) -> Any:
    """Return an answer without what two recommenders cannot have in common: the ids of slates."""
    if isinstance(value, Slate):
        return (value.recommendations, value.snapshot, value.user_id, value.now)
    return value
