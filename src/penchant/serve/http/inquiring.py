"""Routes about what to ask a new person."""

from __future__ import annotations

from dataclasses import replace

import orjson
from starlette.responses import Response

from penchant.serve.http import examples, parameters
from penchant.serve.http.call import Call, moment, whole
from penchant.serve.http.people import export
from penchant.serve.http.reception import Reception, Route

FEW = 5


async def ask(reception: Reception, call: Call) -> Response:
    """Answer which items to ask a person about."""
    call.known("user_id", "k", "exclude", "now")
    user, now = call.identity("user", of="user_id"), moment(call.one("now"))
    k, exclude = whole(call.one("k"), "k"), call.many("exclude")

    def work() -> bytes:
        asked = reception.engine.ask(user, FEW if k is None else k, exclude=exclude, now=now)
        return orjson.dumps({"user_id": user, "inquiries": asked})

    return await reception.answer(work)


async def ask_beside(reception: Reception, call: Call) -> Response:
    """Answer the query form; without a query the path is that of a person with this id."""
    if any(name == "user_id" for name, _ in call.pairs):
        return await ask(reception, call)
    call.request.path_params["user"] = "inquiries"
    return await export(reception, call)


def routes() -> tuple[Route, ...]:
    """Return the routes of this file."""
    asked = Route(
        method="GET",
        path="/users/{user}/inquiries",
        scope="read",
        handler=ask,
        summary="What to ask a new person",
        about="The items whose answer would help most, the first first, each chosen with those "
        "before it in mind. A yes is an event like any other; what was asked without one goes into "
        "exclude.",
        tag="people",
        answer="Inquiries",
        example=examples.INQUIRIES,
        parameters=(parameters.USER, parameters.FEW, parameters.EXCLUDE, parameters.NOW),
    )
    beside = replace(
        asked,
        path="/users/inquiries",
        handler=ask_beside,
        summary="What to ask a new person, the id in the query",
        parameters=(parameters.USER_QUERY, *asked.parameters[1:]),
    )
    return beside, asked
