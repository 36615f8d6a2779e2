"""Routes about what a person is interested in: read it, change it, take an item out of it."""

from __future__ import annotations

from dataclasses import replace

import orjson
from starlette.responses import Response

from penchant.serve.http import examples, parameters
from penchant.serve.http.bodies import JSON, one_object
from penchant.serve.http.call import TEXT, TIME, Call, members, moment
from penchant.serve.http.people import export, forget
from penchant.serve.http.problems import Problem
from penchant.serve.http.reception import Reception, Route
from penchant.types import Profile


async def interests(reception: Reception, call: Call) -> Response:
    """Answer what a person is interested in."""
    call.known("user_id", "now")
    user, now = call.identity("user", of="user_id"), moment(call.one("now"))
    return await reception.answer(lambda: _told(user, reception.engine.interests(user, now=now)))


async def interests_beside(reception: Reception, call: Call) -> Response:
    """Answer the query form; without a query the path is that of a person with this id."""
    if any(name == "user_id" for name, _ in call.pairs):
        return await interests(reception, call)
    call.request.path_params["user"] = "interests"
    return await export(reception, call)


async def adjust(reception: Reception, call: Call) -> Response:
    """Mute, raise, delete or restore an interest."""
    call.known("user_id")
    user = call.identity("user", of="user_id")

    async def use(body: bytes) -> Response:
        given = members(one_object(body), {"interest": TEXT, "to": TEXT, "now": TIME})
        if "interest" not in given:
            raise Problem(422, "expected interest, the name of what is to be changed")

        def work() -> bytes:
            adjusted = reception.engine.adjust(
                user, given["interest"], given.get("to", "mute"), now=given.get("now")
            )
            return _told(user, adjusted)

        return Response(await reception.records.run(work), media_type=JSON)

    return await reception.body(call, use)


async def expand(reception: Reception, call: Call) -> Response:
    """Work out what a person may come to like."""
    call.known("user_id", "now")
    user, now = call.identity("user", of="user_id"), moment(call.one("now"))

    def work() -> bytes:
        # A generator is asked in the background only: nobody here waits for one.
        return _told(user, reception.engine.expand(user, now=now, local=True))

    return await reception.load(work)


async def withdraw(reception: Reception, call: Call) -> Response:
    """Take an item out of a person's history."""
    call.known("user_id", "item_id")
    user = call.identity("user", of="user_id")
    item = call.one("item_id")
    if item is None:
        raise Problem(422, "expected the id of the item as ?item_id=..., got none")

    def work() -> bytes:
        return orjson.dumps({"removed": reception.engine.withdraw(user, item)})

    return Response(await reception.records.run(work), media_type=JSON)


async def withdraw_beside(reception: Reception, call: Call) -> Response:
    """Take an item out of a history; without a query the path is that of a person with this id."""
    if call.pairs:
        return await withdraw(reception, call)
    call.request.path_params["user"] = "history"
    return await forget(reception, call)


def _told(user: str, found: Profile) -> bytes:
    said = {
        "interests": found.interests,
        "windows": found.windows,
        "prospects": found.prospects,
        "gone": found.gone,
    }
    return orjson.dumps({"user_id": user, **said})


def routes() -> tuple[Route, ...]:
    """Return the routes of this file."""
    interested = Route(
        method="GET",
        path="/users/{user}/interests",
        scope="read",
        handler=interests,
        summary="Interests of a person",
        about="What they want now by name, strongest first, with trend and evidence, and where "
        "that points in their last session, the last week, and all the time.",
        tag="people",
        answer="Interests",
        example=examples.INTERESTS,
        parameters=(parameters.USER, parameters.NOW),
    )
    changed = replace(
        interested,
        method="POST",
        scope="write",
        handler=adjust,
        summary="Change an interest of a person",
        about="What bears a muted interest is not recommended, what bears a raised one stands "
        "higher; a deleted one is as if it had never been. The next answer obeys. 422 for a name "
        "that nothing is called by.",
        body="AdjustRequest",
        examples={
            "not this": {"interest": "western", "to": "mute"},
            "more of this": {"interest": "western", "to": "raise"},
        },
        parameters=(parameters.USER,),
    )
    expanded = replace(
        interested,
        method="POST",
        path="/users/{user}/prospects",
        scope="write",
        handler=expand,
        summary="Work out what a person may come to like",
        about="The background does this by itself; whoever cannot wait asks for it. Done again "
        "only where the person changed enough.",
    )
    withdrawn = replace(
        interested,
        method="DELETE",
        path="/users/{user}/history",
        scope="write",
        handler=withdraw,
        summary="Take an item out of a person's history",
        about="Their events with the item are undone: answers are as if they had never been.",
        statuses=(404,),
        answer="Forgotten",
        example={"removed": 2},
        parameters=(parameters.USER, parameters.ITEM_QUERY),
    )
    beside = parameters.USER_QUERY
    return (
        replace(
            interested,
            path="/users/interests",
            handler=interests_beside,
            summary="Interests of a person, the id in the query",
            parameters=(beside, parameters.NOW),
        ),
        replace(
            changed,
            path="/users/interests",
            summary="Change an interest of a person, the id in the query",
            parameters=(beside,),
        ),
        replace(
            withdrawn,
            path="/users/history",
            handler=withdraw_beside,
            summary="Take an item out of a person's history, both ids in the query",
            parameters=(beside, parameters.ITEM_QUERY),
        ),
        replace(
            expanded,
            path="/users/prospects",
            summary="Work out what a person may come to like, the id in the query",
            parameters=(beside, parameters.NOW),
        ),
        interested,
        changed,
        expanded,
        withdrawn,
    )
