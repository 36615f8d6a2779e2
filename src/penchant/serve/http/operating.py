"""Routes for who runs the service: training, snapshots, status, health and metrics."""

from __future__ import annotations

from dataclasses import asdict, replace

import orjson
from starlette.responses import Response

import penchant
from penchant.serve.http import examples, parameters
from penchant.serve.http.bodies import JSON
from penchant.serve.http.call import Call, unquoted
from penchant.serve.http.problems import Problem
from penchant.serve.http.reception import Reception, Route
from penchant.serve.telemetry.observing import CONTENT_TYPE


async def train(reception: Reception, call: Call) -> Response:
    """Ask for a training; it goes on in the background."""
    call.known()

    def work() -> bytes:
        return orjson.dumps(reception.trainer.request())

    return Response(await reception.operations.run(work), status_code=202, media_type=JSON)


async def training(reception: Reception, call: Call) -> Response:
    """Answer how far a training is, and what the last one came to."""
    call.known()
    return Response(
        await reception.operations.run(lambda: orjson.dumps(reception.trainer.status())),
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

    return Response(await reception.operations.run(work), media_type=JSON)


async def live(reception: Reception, call: Call) -> Response:
    """Answer that this worker runs."""
    return Response(b'{"status":"live"}', media_type=JSON)


async def ready(reception: Reception, call: Call) -> Response:
    """Answer whether this worker can be sent requests: it is not stopping, and reads the store."""
    if reception.stopping:
        raise Problem(503, "this worker is stopping; send requests to another", retry_after=5)
    found = await reception.operations.run(reception.engine.status)
    return Response(
        orjson.dumps({"status": "ready", "snapshot": found.snapshot, "items": found.items}),
        media_type=JSON,
    )


async def metrics(reception: Reception, call: Call) -> Response:
    """Answer everything counted, for Prometheus."""
    return Response(
        await reception.operations.run(reception.telemetry.render), media_type=CONTENT_TYPE
    )


def routes() -> tuple[Route, ...]:
    """Return those about training, snapshots and the state of a worker."""
    state = Route(
        method="GET",
        path="/train",
        scope="read",
        handler=training,
        summary="State of training",
        about="idle, requested, training or failed; with the report of the last one.",
        tag="operation",
        answer="Training",
        example=examples.TRAINING,
    )
    return (
        state,
        replace(
            state,
            method="POST",
            scope="admin",
            handler=train,
            summary="Train",
            about="Asks for a training in the background; answers go on meanwhile, and the new "
            "snapshot serves unless it does worse.",
            example={"state": "requested"},
            status=202,
            statuses=(409,),
        ),
        replace(
            state,
            path="/snapshots",
            handler=snapshots,
            summary="List snapshots",
            about="What can be activated, oldest first, and which of them serves.",
            answer="Snapshots",
            example={"snapshots": [examples.SNAPSHOT]},
        ),
        replace(
            state,
            method="POST",
            path="/snapshots/{snapshot}:activate",
            scope="admin",
            handler=activate,
            summary="Activate a snapshot",
            about="Back to an older one, or forward again: it serves from the answer on.",
            answer="Snapshot",
            example=examples.SNAPSHOT,
            parameters=(parameters.SNAPSHOT,),
            statuses=(404, 409),
        ),
        replace(
            state,
            path="/status",
            handler=status,
            summary="Status of a worker",
            about="Which snapshot answers, up to where the log was read, and what went wrong.",
            answer="Status",
            example=examples.STATUS,
        ),
    )


def watching() -> tuple[Route, ...]:
    """Return those for machines that watch the service; they have no version."""
    alive = Route(
        method="GET",
        path="/health/live",
        scope=None,
        handler=live,
        summary="Is the worker alive",
        about="200 while it runs.",
        tag="operation",
        answer="Live",
        example={"status": "live"},
    )
    return (
        alive,
        replace(
            alive,
            path="/health/ready",
            handler=ready,
            summary="Can the worker be sent requests",
            about="503 while it stops, or cannot read the store.",
            answer="Ready",
            example={"status": "ready", "snapshot": "000002-5f2a9c01d3e4", "items": 20_000},
        ),
        replace(
            alive,
            path="/metrics",
            scope="read",
            open_here=True,
            handler=metrics,
            summary="Metrics",
            about="Everything counted, in the text format of Prometheus; from this machine "
            "without a key.",
            answer=None,
            media="text/plain",
            example="# HELP ...",
        ),
    )
