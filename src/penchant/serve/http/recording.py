"""Routes that take in: events, items, people and links, and what takes them back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.responses import Response

from penchant.ingest.cleaning import REFUSALS
from penchant.ingest.columns import match
from penchant.ingest.intake import Counts
from penchant.serve.http import examples, parameters
from penchant.serve.http.bodies import JSON, kind_of, rows
from penchant.serve.http.call import Call
from penchant.serve.http.limits import grant
from penchant.serve.http.problems import Problem
from penchant.serve.http.reception import SMALL, Reception, Route

IDS = ("user_id", "item_id", "event_id", "slate_id", "head", "relation", "tail")
EXACT = 2.0**53  # beyond it a number of JSON is no longer the number that was meant

Row = dict[str, Any]
Rows = Row | list[Row]


async def record(reception: Reception, call: Call) -> Response:
    """Take one event, which is refused loudly, or many; durable when answered."""
    call.known()
    kind = kind_of(call.request.headers)

    def parsed(body: bytes) -> Rows:
        found = rows(body, kind)
        _exact(found)
        if person := _one_person(found):
            cost = len(found) if isinstance(found, list) else 1
            grant(reception.events, person, time.monotonic(), "events of one user_id", cost)
        return found

    def stored(found: Rows) -> bytes:
        counts = reception.engine.record(found)
        reception.telemetry.recorded(counts)
        return counted(counts)

    async def use(body: bytes) -> Response:
        if len(body) > SMALL:
            return await reception.load(lambda: stored(parsed(body)))
        found = parsed(body)
        return Response(await reception.records.run(lambda: stored(found)), media_type=JSON)

    return await reception.body(call, use)


def _one_person(found: Rows) -> str | None:
    """Return whose events these are, None where they are those of several: an import.

    A client on somebody's own device sends their events alone; it is held to what a person can do.
    """
    several = found if isinstance(found, list) else [found]
    person = None
    for row in several:
        name = row.get("user_id")
        if name is None:
            source = match([str(key) for key in row], "events").source.get("user_id")
            name = None if source is None else row[source]
        if name is None or (person is not None and name != person):
            return None
        person = name
    return None if person is None else str(person)


async def add_items(reception: Reception, call: Call) -> Response:
    """Take items."""
    return await _added(reception, call, lambda found: reception.engine.add(found))


async def add_users(reception: Reception, call: Call) -> Response:
    """Take people."""
    return await _added(reception, call, lambda found: reception.engine.add(users=found))


async def add_links(reception: Reception, call: Call) -> Response:
    """Take links."""
    return await _added(reception, call, lambda found: reception.engine.add(links=found))


async def _added(reception: Reception, call: Call, add: Callable[[Rows], Counts]) -> Response:
    call.known()
    kind = kind_of(call.request.headers)

    def work(body: bytes) -> bytes:
        found = rows(body, kind)
        _exact(found)
        return counted(add(found))

    async def use(body: bytes) -> Response:
        return await reception.load(lambda: work(body))

    return await reception.body(call, use)


async def remove_item(reception: Reception, call: Call) -> Response:
    """Retire an item."""
    call.known("item_id")
    item = call.identity("item", of="item_id")
    return await _removed(reception, lambda: reception.engine.remove(item))


async def undo(reception: Reception, call: Call) -> Response:
    """Take an event back."""
    call.known("event_id")
    event = call.identity("event_id", of="event_id")
    return await _removed(reception, lambda: reception.engine.undo(event))


async def _removed(reception: Reception, remove: Callable[[], bool]) -> Response:
    def work() -> bytes:
        return orjson.dumps({"removed": remove()})

    return Response(await reception.records.run(work), media_type=JSON)


def counted(counts: Counts) -> bytes:
    """Return counts under the engine's names, the reasons of quarantine apart, and the mapping."""
    reasons = {name: n for name, n in counts.items() if _rule(name) in REFUSALS}
    said: Mapping[str, Any] = {**counts, "reasons": reasons, "mapping": counts.mapping}
    return orjson.dumps(said)


def _rule(name: str) -> str:
    return name.removeprefix("users_").removeprefix("links_")


def _exact(found: Rows) -> None:
    """Raise a problem 422 for an id that is a number too large to have come through unchanged."""
    for row in found if isinstance(found, list) else (found,):
        for name in IDS:
            value = row.get(name)
            if type(value) is float and abs(value) >= EXACT:
                raise Problem(
                    422,
                    f"expected {name} as text, got a number of which JSON keeps 16 digits; write "
                    f'it as text, "..."',
                )


def routes() -> tuple[Route, ...]:
    """Return the routes of this file."""
    take = Route(
        method="POST",
        path="/events",
        scope="write",
        handler=record,
        summary="Record events",
        about="One event, an array, or NDJSON. 200 means that it is on disk, and that the next "
        "answer at any worker reflects it. One wrong event alone is refused with 422; among "
        "several the bad ones are kept aside and counted. Sent again with the same event_id, "
        "an event is not counted twice.",
        tag="events",
        answer="Counts",
        example=examples.RECORDED,
        body="Event",
        rows=True,
        examples=examples.EVENTS,
    )
    removed = Route(
        method="DELETE",
        path="/events/{event_id}",
        scope="write",
        handler=undo,
        summary="Take an event back",
        about="Every answer is then as if the event had never been.",
        tag="events",
        answer="Removed",
        example={"removed": True},
        parameters=(parameters.EVENT,),
    )
    return (
        take,
        removed,
        replace(
            removed,
            path="/events",
            summary="Take an event back, the id in the query",
            parameters=(parameters.EVENT_QUERY,),
        ),
        replace(
            take,
            path="/items",
            handler=add_items,
            summary="Add or change items",
            about="One item, an array, or NDJSON; an item is replaced by its item_id and can be "
            "recommended from the answer on, through its text.",
            tag="catalogue",
            example=examples.ADDED,
            body="Item",
            examples=examples.ITEMS,
        ),
        replace(
            removed,
            path="/items/{item}",
            handler=remove_item,
            summary="Retire an item",
            about="It is never recommended again; its history stays.",
            tag="catalogue",
            parameters=(parameters.ITEM,),
        ),
        replace(
            removed,
            path="/items",
            handler=remove_item,
            summary="Retire an item, the id in the query",
            about="The same for ids that proxies spoil.",
            tag="catalogue",
            parameters=(parameters.ITEM_QUERY,),
        ),
        replace(
            take,
            path="/users",
            handler=add_users,
            summary="Add or change people",
            about="One person, an array, or NDJSON, with whatever is known about them.",
            tag="people",
            example=examples.ADDED_USERS,
            body="User",
            examples=examples.USERS,
        ),
        replace(
            take,
            path="/links",
            handler=add_links,
            summary="Add links",
            about="One link, an array, or NDJSON: prior knowledge about people, items and groups.",
            tag="catalogue",
            example=examples.ADDED_LINKS,
            body="Link",
            examples=examples.LINKS,
        ),
    )
