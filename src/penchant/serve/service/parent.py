"""The parent: one listening socket, workers that accept from it, one background, and nothing else.

It holds the socket, so that what knocks while a worker is replaced waits instead of being refused.
It answers nothing and opens no engine: what it does is start, watch, replace and end the others.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from penchant.serve.service.board import Board
from penchant.serve.service.pauses import Pauses
from penchant.serve.service.plan import BACKGROUND, Plan
from penchant.serve.telemetry import metrics
from penchant.types import Error

WORKER_MODULE = "penchant.serve.service.worker"
BACKGROUND_MODULE = "penchant.serve.service.background"
THREADS: Mapping[str, str] = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ONNX_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # glibc gives every thread a heap of its own, none of which shrinks.
    "MALLOC_ARENA_MAX": "2",
}
"""What a worker's libraries are told before they are loaded: one thread for each request."""

QUEUE = 2048
TRIES = 3  # starts of processes that may fail before the first time that all answer
STUCK = 60.0  # seconds after which a worker whose loop does not turn is replaced
FLUSH = 5.0  # seconds beyond `stop_seconds` for what waits to be written
_LINE = 1 << 20
_LOOK = 1.0

_log = logging.getLogger("penchant.service")


class CannotServe(Error):
    """The service cannot start."""


class Parent:
    """Keeps the processes of one service alive, from `run` until a signal to stop.

    `ready` is called once, when every worker answers.
    """

    def __init__(self, plan: Plan, ready: Callable[[], None]) -> None:
        self._plan, self._ready = plan, ready
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._answering: set[str] = set()
        self._refused: str | None = None
        self._began = False
        self._failed = 0
        self._board: Board | None = None

    def run(self) -> int:
        """Return the exit status: 0 stopped, and everything accepted was finished; 1 not in time.

        Raises `CannotServe` where a process refuses to start.
        """
        runtime = Path(tempfile.mkdtemp(prefix="penchant-serve-"))
        self._plan = replace(self._plan, runtime=str(runtime))
        try:
            self._board = Board(runtime, self._plan.workers, create=True)
            return asyncio.run(self._run())
        finally:
            shutil.rmtree(runtime, ignore_errors=True)

    async def _run(self) -> int:
        self._stopping, self._killing = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled)
        kept = [
            loop.create_task(self._keep(replace(self._plan, name=f"worker-{slot}", slot=slot)))
            for slot in range(self._plan.workers)
        ]
        kept.append(loop.create_task(self._keep(replace(self._plan, name=BACKGROUND))))
        looking = loop.create_task(self._look())
        await self._stopping.wait()
        looking.cancel()
        return await self._stop(kept)

    def _signalled(self) -> None:
        """Stop; asked twice, at once."""
        if self._stopping.is_set():
            self._killing.set()
        self._stopping.set()

    async def _stop(self, kept: list[asyncio.Task[None]]) -> int:
        _log.info("stopping")
        with suppress(OSError):
            os.close(self._plan.socket)
        self._signal(signal.SIGTERM)
        ended = asyncio.ensure_future(asyncio.gather(*kept))
        killed = asyncio.ensure_future(self._killing.wait())
        limit = self._plan.stop_seconds + FLUSH
        await asyncio.wait((ended, killed), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        killed.cancel()
        late = sorted(self._children)
        if late:
            _log.error("ended by force", extra={"fields": {"processes": late}})
            self._signal(signal.SIGKILL)
        await ended
        if self._refused is not None:
            raise CannotServe(self._refused)
        _log.info("stopped")
        return 1 if late else 0

    def _signal(self, number: signal.Signals) -> None:
        for process in self._children.values():
            with suppress(ProcessLookupError, PermissionError):
                if number == signal.SIGKILL:  # with what it started itself
                    os.killpg(process.pid, number)
                else:
                    process.send_signal(number)

    async def _keep(self, plan: Plan) -> None:
        """Start a process, and start it again when it ends."""
        pauses = Pauses()
        while not self._stopping.is_set():
            began = time.monotonic()
            status = await self._once(replace(plan, began=self._began))
            self._answering.discard(plan.name)
            if plan.name != BACKGROUND:
                assert self._board is not None
                self._board.clear(plan.slot)
            metrics.ended(Path(plan.runtime) / metrics.FOLDER, plan.name)
            if self._stopping.is_set():
                return
            self._failed += 1
            if not self._began and self._failed >= TRIES:
                self._give_up(
                    f"{plan.name} ended with status {status} before it could do anything, and "
                    "others before it; the lines of the log before this one say why"
                )
                return
            pause = pauses.after(time.monotonic() - began)
            fields = {"process": plan.name, "status": status, "again_in": round(pause, 2)}
            _log.error("a process ended", extra={"fields": fields})
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _once(self, plan: Plan) -> int:
        worker = plan.name != BACKGROUND
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            WORKER_MODULE if worker else BACKGROUND_MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(plan.socket,) if worker else (),
            env={**os.environ, **THREADS} if worker else None,
            limit=_LINE,
            # Ctrl-C in a terminal is for the parent, who tells the others.
            process_group=0,
        )
        self._children[plan.name] = process
        assert process.stdin is not None
        assert process.stdout is not None
        if self._stopping.is_set():
            process.terminate()
        listening = asyncio.ensure_future(self._listen(plan.name, process.stdout))
        with suppress(ConnectionError):
            process.stdin.write(plan.line())
            await process.stdin.drain()
        status = await process.wait()
        with suppress(TimeoutError):  # what it said last
            await asyncio.wait_for(listening, 1.0)
        del self._children[plan.name]
        process.stdin.close()
        return status

    async def _listen(self, name: str, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            try:
                said: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            if not isinstance(said, dict):
                continue
            if "refused" in said and not self._began:
                self._give_up(said["refused"])
            elif "refused" in said:
                _log.error("refused", extra={"fields": {"process": name, "why": said["refused"]}})
            elif "ready" in said:
                self._answers(name)

    def _answers(self, name: str) -> None:
        self._answering.add(name)
        _log.info("ready", extra={"fields": {"process": name}})
        workers = {one for one in self._answering if one != BACKGROUND}
        if not self._began and len(workers) == self._plan.workers:
            self._began = True
            self._ready()

    def _give_up(self, why: str) -> None:
        self._refused = self._refused or why
        self._stopping.set()

    async def _look(self) -> None:
        """Replace a worker whose loop has stopped turning: it would never answer again."""
        assert self._board is not None
        while True:
            await asyncio.sleep(_LOOK)
            for slot in range(self._plan.workers):
                beat, name = self._board.beat(slot), f"worker-{slot}"
                process = self._children.get(name)
                if beat and process is not None and time.monotonic() - beat > STUCK:
                    _log.error("stuck", extra={"fields": {"process": name}})
                    with suppress(ProcessLookupError):
                        process.kill()


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; CannotServe where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
        listening.listen(QUEUE)
    except (OSError, OverflowError) as error:
        listening.close()
        raise CannotServe(
            f"cannot listen on {host} port {port}: {error}; choose another with --port or --host, "
            "or end what listens there"
        ) from error
    listening.setblocking(False)
    return listening
