"""What tests of several folders share: the encoder, an embedding server, a trained shelf."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import penchant
import penchant.rank.pipeline as pipeline
from penchant.evaluate.simulate import Simulation, simulate
from penchant.language.encoder.exported import ensure_onnx
from penchant.serve.demo import story

# The same cases on every run that decides whether a change is taken; new ones everywhere else. No
# deadline: a busy machine is no failure.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")
# Nor does it make an answer do without a source.
pipeline.DEADLINE = 60.0


@pytest.fixture(scope="session")
def encoder_folder() -> Path:
    """The default encoder's export; made once for this user, half a minute."""
    return ensure_onnx()


class EmbeddingServer:
    """An OpenAI-compatible embedding endpoint on loopback; `faults` are answered first."""

    dimension = 24

    def __init__(self) -> None:
        self.faults: list[int | str] = []
        self.requests: list[dict] = []
        self.keys: list[str] = []
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Without it every answer waits for the delayed acknowledgement of its headers.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.requests.append(body)
                    outer.keys.append(self.headers["Authorization"])
                    fault = outer.faults.pop(0) if outer.faults else None
                if isinstance(fault, int):
                    return self.answer(fault, {"error": {"message": "on purpose"}})
                if fault == "slow":
                    time.sleep(1.5)
                rows = [outer.vector(text) for text in body["input"]]
                if fault == "nan":
                    rows[0][0] = float("nan")
                if fault == "short":
                    rows = rows[:-1]
                if fault == "wide":
                    rows = [[*row, 1.0] for row in rows]
                if self.path != "/v1/embeddings" or fault == "other":
                    return self.answer(200, {"hello": "world"})
                data = [
                    {"object": "embedding", "index": i, "embedding": r} for i, r in enumerate(rows)
                ]
                # Order is by index, not by place.
                answer = {"object": "list", "model": body["model"], "data": data[::-1]}
                return self.answer(200, answer | {"usage": {"prompt_tokens": 0, "total_tokens": 0}})

            def answer(self, status: int, content: dict) -> None:
                payload = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.send_header("retry-after-ms", "1")
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that gave up waiting is part of the tests."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def vector(self, text: str) -> list[float]:
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
        return np.random.default_rng(seed).normal(size=self.dimension).tolist()


@pytest.fixture
def embedding_server() -> Iterator[EmbeddingServer]:
    server = EmbeddingServer()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture(scope="session")
def viewers() -> Simulation:
    """A small world of the demo: 120 simulated viewers, what they searched for or came for."""
    return story.unled(simulate(0, n_users=120, n_events=9_000))


@pytest.fixture(scope="session")
def closed_shelf(
    viewers: Simulation, tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path
) -> Path:
    """A shelf of `viewers` that has learned, made once for all workers: only copy it.

    Who opens a shelf makes and takes away SQLite's side files, which a copy made at that moment
    by another worker finds listed and then gone.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    shelf = root / "closed-shelf"
    with (root / "closed-shelf.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shelf / "done").exists():
            with penchant.open(shelf, effort="fast") as engine:
                engine.add(viewers.items, users=viewers.users, links=viewers.links)
                engine.record(viewers.events, now=viewers.end)
                engine.train()
            (shelf / "done").touch()
    return shelf


@pytest.fixture(scope="session")
def trained_shelf(closed_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This worker's copy of `closed_shelf`, for tests that open it and only read."""
    return Path(shutil.copytree(closed_shelf, tmp_path_factory.mktemp("trained") / "shelf"))


@pytest.fixture
def own_shelf(closed_shelf: Path, tmp_path: Path) -> Path:
    """A copy of `closed_shelf` to write to."""
    return Path(shutil.copytree(closed_shelf, tmp_path / "shelf"))
