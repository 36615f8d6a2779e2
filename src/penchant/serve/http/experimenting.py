"""Routes about experiments: what they showed so far, and stopping a variant by hand."""

from __future__ import annotations

import time
from dataclasses import replace

import orjson
from starlette.responses import Response

from penchant.evaluate.experiment.measured import read_results
from penchant.rank.answer.experiments import CONTROL, experiments
from penchant.rank.answer.stops import Stop, Stops
from penchant.serve.http import examples, parameters
from penchant.serve.http.bodies import JSON, one_object
from penchant.serve.http.call import TEXT, Call, members, unquoted
from penchant.serve.http.problems import Problem
from penchant.serve.http.reception import Reception, Route
from penchant.store.settings import FILE, Settings
from penchant.types import Policy


async def listed(reception: Reception, call: Call) -> Response:
    """Answer what the background process counted last, for each experiment."""
    call.known()
    directory = reception.engine.directory
    return Response(
        await reception.records.run(lambda: orjson.dumps({"experiments": read_results(directory)})),
        media_type=JSON,
    )


async def stop(reception: Reception, call: Call) -> Response:
    """Stop a variant: everybody in it is asked as the control is, from the next request on."""
    call.known()
    experiment, variant = _named(reception, call)

    async def use(body: bytes) -> Response:
        given = members(one_object(body), {"why": TEXT}) if body.strip() else {}
        why = given.get("why") or "by hand"

        def work() -> bytes:
            stops = Stops(reception.engine.directory)
            done = stops.stop(experiment, variant, Stop(time.time(), "hand", why))
            return orjson.dumps({"changed": done})

        return Response(await reception.records.run(work), media_type=JSON)

    return await reception.body(call, use)


async def lift(reception: Reception, call: Call) -> Response:
    """Let a stopped variant run again; its experiment counts anew."""
    call.known()
    experiment, variant = _named(reception, call)

    def work() -> bytes:
        stops = Stops(reception.engine.directory)
        return orjson.dumps({"changed": stops.lift(experiment, variant, time.time())})

    return Response(await reception.records.run(work), media_type=JSON)


def _named(reception: Reception, call: Call) -> tuple[str, str]:
    """Return the experiment and the variant that a path names; a problem where there is none."""
    path = call.request.path_params
    experiment, variant = unquoted(path["experiment"]), unquoted(path["variant"])
    settings = Settings(reception.engine.directory / FILE)
    known = experiments(settings, settings.section("recommend", Policy))
    if experiment not in known:
        raise Problem(
            404,
            f"there is no experiment {experiment!r:.80} in penchant.toml; there are "
            f"{sorted(known) or 'none'}",
        )
    variants = sorted(known[experiment].variants)
    if variant not in variants:
        raise Problem(
            404,
            f"experiment {experiment!r} has no variant {variant!r:.80}; it has {variants}"
            + (", and the control cannot be stopped" if variant == CONTROL else ""),
        )
    return experiment, variant


def routes() -> tuple[Route, ...]:
    """Return the routes of this file."""
    shown = Route(
        method="GET",
        path="/experiments",
        scope="read",
        handler=listed,
        summary="Results of experiments",
        about="What each experiment showed when it was counted last, some seconds ago: people, "
        "metrics with intervals, whether the split can be trusted, and what was stopped.",
        tag="experiments",
        answer="Experiments",
        example=examples.EXPERIMENTS,
    )
    stopped = replace(
        shown,
        method="POST",
        path="/experiments/{experiment}/{variant}:stop",
        scope="admin",
        handler=stop,
        summary="Stop a variant",
        about="Everybody in it is asked as the control is, from the next request on, at every "
        "worker. `changed` is false where it was stopped before.",
        answer="Changed",
        example={"changed": True},
        parameters=(parameters.EXPERIMENT, parameters.VARIANT),
        body="StopRequest",
        body_needed=False,
        examples={"by hand": {"why": "the new row confuses people"}},
        statuses=(404,),
    )
    lifted = replace(
        stopped,
        path="/experiments/{experiment}/{variant}:lift",
        handler=lift,
        summary="Let a variant run again",
        about="Its experiment counts anew from now. `changed` is false where it was not stopped.",
        body=None,
        examples={},
    )
    return shown, stopped, lifted
