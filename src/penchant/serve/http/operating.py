"""Routes for who runs the service: training, snapshots, status, health and metrics."""

from __future__ import annotations

from dataclasses import asdict

import orjson
from starlette.responses import Response

import penchant
from penchant.serve.http.bodies import JSON
from penchant.serve.http.call import Call, unquoted
from penchant.serve.http.problems import Problem
from penchant.serve.http.reception import Reception

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def train(reception: Reception, call: Call) -> Response:
    """Ask for a training; it goes on in the background."""
    call.known()

    def work() -> bytes:
        return orjson.dumps(reception.trainer.request())

    return Response(await reception.records.run(work), status_code=202, media_type=JSON)


async def training(reception: Reception, call: Call) -> Response:
    """Answer how far a training is, and what the last one came to."""
    call.known()
    return Response(
        await reception.records.run(lambda: orjson.dumps(reception.trainer.status())),
        media_type=JSON,
    )


async def snapshots(reception: Reception, call: Call) -> Response:
    """Answer what can be activated."""
    call.known()
    return await reception.load(lambda: orjson.dumps({"snapshots": reception.engine.snapshots()}))


async def activate(reception: Reception, call: Call) -> Response:
    """Make a snapshot the one that serves."""
    call.known()
    wanted = unquoted(call.request.path_params["snapshot"])

    def work() -> bytes:
        known = [one.id for one in reception.engine.snapshots()]
        if wanted not in known:
            raise Problem(
                404,
                f"there is no sound snapshot {wanted!r:.80}; there are {known or 'none yet'}",
            )
        return orjson.dumps(reception.engine.activate(wanted))

    return await reception.load(work)


async def status(reception: Reception, call: Call) -> Response:
    """Answer what this worker knows at this moment."""
    call.known()

    def work() -> bytes:
        return orjson.dumps({**asdict(reception.engine.status()), "version": penchant.__version__})

    return Response(await reception.records.run(work), media_type=JSON)


async def live(reception: Reception, call: Call) -> Response:
    """Answer that this worker runs."""
    return Response(b'{"status":"live"}', media_type=JSON)


async def ready(reception: Reception, call: Call) -> Response:
    """Answer whether this worker can be sent requests: it is not stopping, and reads the store."""
    if reception.stopping:
        raise Problem(503, "this worker is stopping; send requests to another", retry_after=5)
    found = await reception.records.run(reception.engine.status)
    return Response(
        orjson.dumps({"status": "ready", "snapshot": found.snapshot, "items": found.items}),
        media_type=JSON,
    )


async def metrics(reception: Reception, call: Call) -> Response:
    """Answer everything counted, for Prometheus."""
    return Response(
        await reception.records.run(reception.telemetry.render), media_type=CONTENT_TYPE
    )
