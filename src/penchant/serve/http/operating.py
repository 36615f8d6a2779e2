"""Routes for who runs the service: training, snapshots, status, health and metrics."""

from __future__ import annotations

from dataclasses import asdict

import orjson
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

import penchant
from penchant.serve.http.bodies import JSON
from penchant.serve.http.call import Call, unquoted
from penchant.serve.http.desk import Desk
from penchant.serve.http.problems import Problem


async def train(desk: Desk, call: Call) -> Response:
    """Ask for a training; it goes on in the background."""
    call.known()

    def work() -> bytes:
        return orjson.dumps(desk.trainer.request())

    return Response(await desk.records.run(work), status_code=202, media_type=JSON)


async def training(desk: Desk, call: Call) -> Response:
    """Answer how far a training is, and what the last one came to."""
    call.known()
    return Response(
        await desk.records.run(lambda: orjson.dumps(desk.trainer.status())), media_type=JSON
    )


async def snapshots(desk: Desk, call: Call) -> Response:
    """Answer what can be activated."""
    call.known()
    return await desk.load(lambda: orjson.dumps({"snapshots": desk.engine.snapshots()}))


async def activate(desk: Desk, call: Call) -> Response:
    """Make a snapshot the one that serves."""
    call.known()
    wanted = unquoted(call.request.path_params["snapshot"])

    def work() -> bytes:
        known = [one.id for one in desk.engine.snapshots()]
        if wanted not in known:
            raise Problem(
                404,
                f"there is no sound snapshot {wanted!r:.80}; there are {known or 'none yet'}",
            )
        return orjson.dumps(desk.engine.activate(wanted))

    return await desk.load(work)


async def status(desk: Desk, call: Call) -> Response:
    """Answer what this worker knows at this moment."""
    call.known()

    def work() -> bytes:
        return orjson.dumps({**asdict(desk.engine.status()), "version": penchant.__version__})

    return Response(await desk.records.run(work), media_type=JSON)


async def live(desk: Desk, call: Call) -> Response:
    """Answer that this worker runs."""
    return Response(b'{"status":"live"}', media_type=JSON)


async def ready(desk: Desk, call: Call) -> Response:
    """Answer whether this worker can be sent requests: it is not stopping, and reads the store."""
    if desk.stopping:
        raise Problem(503, "this worker is stopping; send requests to another", retry_after=5)
    found = await desk.records.run(desk.engine.status)
    return Response(
        orjson.dumps({"status": "ready", "snapshot": found.snapshot, "items": found.items}),
        media_type=JSON,
    )


async def metrics(desk: Desk, call: Call) -> Response:
    """Answer everything counted, for Prometheus."""
    return Response(await desk.records.run(desk.telemetry.render), media_type=CONTENT_TYPE_LATEST)
