"""Routes that answer: recommend, rank, many at once, similar, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.responses import Response

from penchant.serve.http import examples, parameters
from penchant.serve.http.bodies import JSON, one_object
from penchant.serve.http.call import (
    ID,
    LIST,
    OBJECT,
    SWITCH,
    TEXT,
    TIME,
    WHOLE,
    Call,
    members,
    moment,
    switch,
    whole,
)
from penchant.serve.http.problems import Problem
from penchant.serve.http.questions import Question
from penchant.serve.http.reception import Reception, Route

MOST_USERS = 1_000  # of one batch; each is an answer

_ORDER = {
    "items": LIST,
    "context": OBJECT,
    "text": TEXT,
    "now": TIME,
    "history": LIST,
    "log": SWITCH,
}
_ASKED = {
    "k": WHOLE,
    "text": TEXT,
    "where": TEXT,
    "seen": TEXT,
    "exclude": LIST,
    "context": OBJECT,
    "now": TIME,
    "history": LIST,
    "log": SWITCH,
}
_MANY = {"user_ids": LIST, "k": WHOLE, "context": OBJECT, "seen": TEXT, "now": TIME}


async def recommend(reception: Reception, call: Call) -> Response:
    """Answer GET: everything is in the path and the query."""
    names = ("k", "text", "where", "seen", "exclude", "history", "now", "log", "user_id")
    call.known(*names, pairs_of="context")
    history = call.many("history")
    visitor = bool(history) and "user" not in call.request.path_params
    user = None if visitor and call.one("user_id") is None else call.identity("user", of="user_id")
    asked: dict[str, Any] = {
        "k": whole(call.one("k"), "k"),
        "text": call.one("text"),
        "where": call.one("where"),
        "seen": call.one("seen"),
        "exclude": call.many("exclude") or None,
        "history": history or None,
        "now": moment(call.one("now")),
        "context": call.context() or None,
        "log": switch(call.one("log"), "log", True),
    }
    return await _recommended(reception, user, {n: v for n, v in asked.items() if v is not None})


async def recommend_posted(reception: Reception, call: Call) -> Response:
    """Answer POST: the question is in the body."""
    call.known("user_id")

    async def use(body: bytes) -> Response:
        given = one_object(body) if body.strip() else {}
        if "user" in call.request.path_params:
            user: Any = call.identity("user", of="user_id")
            asked = members(given, _ASKED)
        else:
            asked = members(given, {"user_id": ID, **_ASKED})
            user = _either(asked.pop("user_id", None), call.one("user_id"))
        return await _recommended(reception, user, asked)

    return await reception.body(call, use)


async def _recommended(reception: Reception, user: Any, asked: Mapping[str, Any]) -> Response:
    return await reception.ask(Question("recommend", (user,), asked))


def _either(inside: Any, beside: str | None) -> Any:
    """Return the user_id of the body or of the query, whichever there is."""
    if inside is not None and beside is not None:
        raise Problem(422, "expected user_id in the query or in the body, got both; choose one")
    return beside if inside is None else inside


async def rank(reception: Reception, call: Call) -> Response:
    """Answer a list in the order this person wants it."""
    call.known("user_id")

    async def use(body: bytes) -> Response:
        given = one_object(body)
        if "user" in call.request.path_params:
            user: Any = call.identity("user", of="user_id")
            asked = members(given, _ORDER)
        else:
            asked = members(given, {"user_id": ID, **_ORDER})
            user = _either(asked.pop("user_id", None), call.one("user_id"))
        if "items" not in asked:
            raise Problem(422, "expected items, the list of ids to put in order, got none")
        items = asked.pop("items")
        return await reception.ask(Question("rank", (user, items), asked))

    return await reception.body(call, use)


async def recommend_batch(reception: Reception, call: Call) -> Response:
    """Answer for many people at once; nothing is logged as shown."""
    call.known()

    async def use(body: bytes) -> Response:
        asked = members(one_object(body), _MANY)
        people = asked.pop("user_ids", None)
        if people is None:
            raise Problem(422, "expected user_ids, a list of ids, got none")
        if len(people) > MOST_USERS:
            raise Problem(
                422,
                f"expected at most {MOST_USERS} user_ids at once, got {len(people)}; "
                "ask in several requests",
            )

        def work() -> bytes:
            frame = reception.engine.recommend_many(people, **asked)
            return orjson.dumps({"slates": _slates(people, frame.iter_rows())})

        return await reception.load(work)

    return await reception.body(call, use)


def _slates(people: list[Any], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return the rows of a frame by person, in the order asked; who got nothing has no lines."""
    slates: list[dict[str, Any]] = []
    waiting = iter(people)
    lines: list[dict[str, Any]] = []
    for user, item, score, rank in rows:
        if rank == 1:
            # Ids may come as numbers and go as text; the order of people is that of the question.
            while _text(person := next(waiting)) != user:
                slates.append({"user_id": _text(person), "recommendations": []})
            lines = []
            slates.append({"user_id": user, "recommendations": lines})
        lines.append({"item_id": item, "score": score, "rank": rank})
    slates += [{"user_id": _text(person), "recommendations": []} for person in waiting]
    return slates


def _text(person: Any) -> str:
    return person if isinstance(person, str) else str(int(person))


async def similar(reception: Reception, call: Call) -> Response:
    """Answer what is like an item."""
    call.known("k", "now", "item_id")
    item = call.identity("item", of="item_id")
    k, now = whole(call.one("k"), "k"), moment(call.one("now"))
    return await reception.ask(Question("similar", (item, 10 if k is None else k), {"now": now}))


async def reasons(reception: Reception, call: Call) -> Response:
    """Answer why items stood in a slate: one of them, or all that can be explained."""
    call.known("item_id")
    slate = call.identity("slate", of="slate_id")
    wanted = call.many("item_id")

    def work() -> bytes:
        engine = reception.engine
        one_by_one = (engine.explain(slate, item) for item in wanted)
        found = tuple(one_by_one) if wanted else engine.explanations(slate)
        return orjson.dumps({"slate_id": slate, "explanations": found})

    return Response(await reception.reasons.run(work), media_type=JSON)


def routes() -> tuple[Route, ...]:
    """Return the routes of this file."""
    ask = Route(
        method="GET",
        path="/recommend/{user}",
        scope="read",
        handler=recommend,
        summary="Recommend",
        about="What this person most likely wants now, best first, with reasons. The answer "
        "reflects every event that was acknowledged before.",
        tag="answers",
        answer="Slate",
        example=examples.SLATE,
        parameters=(parameters.USER, *parameters.QUESTION),
    )
    beside = replace(
        ask,
        path="/recommend",
        summary="Recommend, the id in the query",
        about="The same for ids that proxies spoil; or for the `history` of a visitor nobody "
        "stored, without a user_id.",
        parameters=(
            replace(parameters.USER_QUERY, required=False),
            parameters.HISTORY,
            *parameters.QUESTION,
        ),
    )
    posted = replace(
        ask,
        method="POST",
        handler=recommend_posted,
        summary="Recommend, the question in the body",
        parameters=(parameters.USER,),
        body="RecommendRequest",
        body_needed=False,
        examples={"with context": {"k": 5, "context": {"device": "tv"}}},
    )
    anyone = replace(
        posted,
        path="/recommend",
        summary="Recommend to anyone, the question in the body",
        about="For a `user_id`, in the body or in the query, or for the `history` of a visitor "
        "nobody stored.",
        parameters=(replace(parameters.USER_QUERY, required=False),),
        body_needed=True,
        examples={
            "somebody known": {"user_id": "u1", "k": 5},
            "a visitor": {"history": ["i3", "i5"], "k": 5, "text": "a red bicycle"},
        },
    )
    order = replace(
        posted,
        path="/rank/{user}",
        handler=rank,
        summary="Rank a list",
        about="The given items in the order this person wants them. Items the catalogue has never "
        "heard of come last, in the order given.",
        body="RankRequest",
        body_needed=True,
        examples={"a list": {"items": ["i3", "i5", "i9"]}},
    )
    return (
        ask,
        beside,
        posted,
        anyone,
        order,
        replace(
            order,
            path="/rank",
            summary="Rank a list, the id in the query or in the body",
            parameters=(replace(parameters.USER_QUERY, required=False),),
            examples={"a list": {"user_id": "u1", "items": ["i3", "i5", "i9"]}},
        ),
        Route(
            method="POST",
            path="/recommend:batch",
            scope="read",
            handler=recommend_batch,
            summary="Recommend to many",
            about="The slates of up to 1,000 people, for a newsletter; nothing is kept as shown.",
            tag="answers",
            answer="BatchAnswer",
            example=examples.BATCH,
            body="BatchRequest",
            examples={"two people": {"user_ids": ["u1", "u2"], "k": 5}},
        ),
        replace(
            ask,
            path="/similar/{item}",
            handler=similar,
            summary="Similar items",
            about="The items most like this one, by behaviour and by text.",
            parameters=(parameters.ITEM, parameters.K, parameters.NOW),
            statuses=(404,),
        ),
        replace(
            ask,
            path="/similar",
            handler=similar,
            summary="Similar items, the id in the query",
            about="The same for ids that proxies spoil.",
            parameters=(parameters.ITEM_QUERY, parameters.K, parameters.NOW),
            statuses=(404,),
        ),
        Route(
            method="GET",
            path="/slates/{slate}/reasons",
            scope="read",
            handler=reasons,
            summary="Explain a slate",
            about="Why items stood in a slate: a sentence and the data behind it.",
            tag="answers",
            answer="Explanations",
            example=examples.EXPLANATIONS,
            parameters=(parameters.SLATE, parameters.WHY),
            statuses=(404,),
        ),
    )
