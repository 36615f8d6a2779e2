"""Routes about a person: what is held, forgetting, who a visitor turned out to be."""

from __future__ import annotations

from dataclasses import replace

import orjson
from starlette.responses import Response

from penchant.serve.http import examples, parameters
from penchant.serve.http.bodies import JSON, one_object
from penchant.serve.http.call import ID, Call, members
from penchant.serve.http.problems import Problem
from penchant.serve.http.reception import Reception, Route


async def export(reception: Reception, call: Call) -> Response:
    """Answer everything that is held about a person."""
    call.known("user_id")
    user = call.identity("user", of="user_id")
    return await reception.load(lambda: orjson.dumps(reception.engine.export(user)))


async def forget(reception: Reception, call: Call) -> Response:
    """Remove a person."""
    call.known("user_id")
    user = call.identity("user", of="user_id")

    def work() -> bytes:
        return orjson.dumps({"removed": reception.engine.forget(user)})

    return Response(await reception.records.run(work), media_type=JSON)


async def merge(reception: Reception, call: Call) -> Response:
    """Give the events of a visitor to who it turned out to be."""
    call.known("user_id")
    user = call.identity("user", of="user_id")

    async def use(body: bytes) -> Response:
        into = members(one_object(body), {"into": ID}).get("into")
        if into is None:
            raise Problem(422, "expected into, the id of who the visitor turned out to be")
        if str(into) == user:
            raise Problem(422, f"expected two people, got {user!r:.80} as visitor and as into")

        def work() -> bytes:
            return orjson.dumps({"moved": reception.engine.merge(user, into=into)})

        return Response(await reception.records.run(work), media_type=JSON)

    return await reception.body(call, use)


def routes() -> tuple[Route, ...]:
    """Return the routes of this file."""
    exported = Route(
        method="GET",
        path="/users/{user}",
        scope="read",
        handler=export,
        summary="Export a person",
        about="Everything that is held about a person, as plain data.",
        tag="people",
        answer="Export",
        example=examples.EXPORT,
        parameters=(parameters.USER,),
    )
    forgotten = replace(
        exported,
        method="DELETE",
        scope="write",
        handler=forget,
        summary="Forget a person",
        about="Their events go, with all else that is theirs; what models learned from many "
        "people stays until the next training.",
        answer="Forgotten",
        example={"removed": 12},
    )
    merged = replace(
        forgotten,
        method="POST",
        path="/users/{user}/merge",
        handler=merge,
        summary="Merge a visitor into a person",
        about="The events of a visitor belong from now on to who it turned out to be.",
        answer="Moved",
        example={"moved": 3},
        body="MergeRequest",
        examples={"signed in": {"into": "u1"}},
    )
    beside = (parameters.USER_QUERY,)
    return (
        replace(
            merged,
            path="/users/merge",
            summary="Merge a visitor into a person, the id in the query",
            parameters=beside,
        ),
        exported,
        replace(
            exported,
            path="/users",
            summary="Export a person, the id in the query",
            parameters=beside,
        ),
        forgotten,
        replace(
            forgotten,
            path="/users",
            summary="Forget a person, the id in the query",
            parameters=beside,
        ),
        merged,
    )
