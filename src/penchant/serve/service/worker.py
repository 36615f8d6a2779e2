"""`python -m penchant.serve.service.worker`: one process that answers, with an engine of its own.

The parent sets how many threads the libraries take before this process begins; several processes
answer better than several threads.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from penchant.serve.service.plan import (
    REFUSED,
    Plan,
    end_with_parent,
    end_within,
    received,
    say,
)
from penchant.types import Error

if TYPE_CHECKING:
    from penchant.engine import Engine
    from penchant.serve.http.config import HttpConfig
    from penchant.serve.service.accepting import Server
    from penchant.serve.telemetry.observing import Telemetry

TICK = 1.0  # seconds between two looks at the log by a worker that nobody asks
TRIM = 60.0  # seconds after which what answers have let go of is given back
# Seconds for which a thread that computes keeps the interpreter's lock from those that wait. An
# answer gives it up some hundred times: with 5 ms, what Python takes itself, one beside a thread
# that loads a snapshot took 650 ms and takes 50 so. The other loses nothing by it.
SWITCH = 0.0001
KEEP_ALIVE = 75  # seconds; longer than those of a proxy before it (nginx: 60)


def main() -> int:
    """Return the exit status: 0 stopped, 2 refused to start."""
    plan = received()
    sys.setswitchinterval(SWITCH)
    gc.disable()  # what is loaded stays: there is nothing to find yet
    from penchant.engine import Engine
    from penchant.serve.telemetry import logs
    from penchant.serve.telemetry.observing import shared

    with logs.written(plan.name, plan.log_level, plan.log_format):
        try:
            plan.check()
            telemetry = shared(plan.runtime, plan.name)
            with Engine(plan.directory, effort=plan.effort, url=plan.url) as engine:
                engine.status()  # everything is read before the first question
                keep_what_stays()
                answer(plan, engine, telemetry)
            telemetry.close()
        except Error as error:
            say(refused=str(error))
            return REFUSED
    return 0


def answer(plan: Plan, engine: Engine, telemetry: Telemetry) -> None:
    """Answer until told to stop; what was accepted is finished."""
    import uvicorn

    from penchant.serve.http.app import build
    from penchant.serve.service.accepting import Connection, Server
    from penchant.serve.service.board import Board
    from penchant.serve.service.control import Control
    from penchant.serve.service.sharing import Sharing

    board = Board(plan.runtime_folder, plan.workers)
    listening = socket.socket(fileno=plan.socket)
    sharing = Sharing(plan.runtime_folder, board, plan.slot) if plan.workers > 1 else None
    app = build(
        engine, listens(plan), trainer=Control(plan.shelf), telemetry=telemetry, sharing=sharing
    )
    config = uvicorn.Config(
        telemetry.traced(app),
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(plan.stop_seconds)),
    )
    server = Server(config, listening, board, plan.slot)
    ended = threading.Event()

    def stop(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    end_with_parent(stop, plan.stop_seconds)
    watching = threading.Thread(
        target=watch, args=(engine, telemetry, server, ended), name="penchant-watch", daemon=True
    )

    async def serve() -> None:
        asyncio.get_running_loop().call_soon(watching.start)
        running = asyncio.ensure_future(server.serve())
        while not (server.started or running.done()):
            await asyncio.sleep(0.005)
        if not running.done():
            say(ready=plan.name)
        await running

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(serve())
    ended.set()
    # Writing out what waits must end as well.
    end_within(plan.stop_seconds)


def keep_what_stays() -> None:
    """Have the collector of garbage pass over what is loaded from now on.

    Looking at all of it takes a tenth of a second, in which nobody is answered. What was loaded
    before, and is garbage now, is looked at once more.
    """
    from penchant.store.heap import give_back

    gc.unfreeze()
    give_back()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


def listens(plan: Plan) -> HttpConfig:
    """Return section `http` of the shelf, with the address that the parent listens on."""
    from penchant.serve.http.config import HttpConfig
    from penchant.store.settings import FILE, Settings

    settings = Settings(plan.shelf / FILE).section("http", HttpConfig)
    return replace(settings, host=plan.host, port=plan.port)


def watch(engine: Engine, telemetry: Telemetry, server: Server, ended: threading.Event) -> None:
    """Follow the log while nobody asks, and tell for how long this process was behind it."""
    from penchant.store.heap import trim

    level = trimmed = time.monotonic()  # when it knew everything the last time
    loaded: str | None = None
    while not ended.wait(TICK):
        try:
            # A new snapshot, and what others wrote, are taken in before somebody has to wait.
            status = engine.status()
            if loaded not in (None, status.snapshot):
                keep_what_stays()
            loaded = status.snapshot
            if not status.lag:
                level = time.monotonic()
            telemetry.observe(status, time.monotonic() - level, server.connections)
            if time.monotonic() - trimmed >= TRIM:
                trimmed = time.monotonic()
                trim()
        except Error as error:
            telemetry.trouble("follow", error)


if __name__ == "__main__":
    sys.exit(main())
