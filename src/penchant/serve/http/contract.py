"""The contract: every route of the API, with its scope, its description and its examples."""

from __future__ import annotations

from dataclasses import replace

from penchant.serve.http import examples, operating, parameters, people, recommending, recording
from penchant.serve.http.catalogue import SHOWN
from penchant.serve.http.reception import Route

PREFIX = "/v1"


def _asking() -> tuple[Route, ...]:
    ask = Route(
        method="GET",
        path="/recommend/{user}",
        scope="read",
        handler=recommending.recommend,
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
        handler=recommending.recommend_posted,
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
        handler=recommending.rank,
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
            handler=recommending.recommend_batch,
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
            handler=recommending.similar,
            summary="Similar items",
            about="The items most like this one, by behaviour and by text.",
            parameters=(parameters.ITEM, parameters.K, parameters.NOW),
            statuses=(404,),
        ),
        replace(
            ask,
            path="/similar",
            handler=recommending.similar,
            summary="Similar items, the id in the query",
            about="The same for ids that proxies spoil.",
            parameters=(parameters.ITEM_QUERY, parameters.K, parameters.NOW),
            statuses=(404,),
        ),
        Route(
            method="GET",
            path="/slates/{slate}/reasons",
            scope="read",
            handler=recommending.reasons,
            summary="Explain a slate",
            about="Why items stood in a slate: a sentence and the data behind it.",
            tag="answers",
            answer="Explanations",
            example=examples.EXPLANATIONS,
            parameters=(parameters.SLATE, parameters.WHY),
            statuses=(404,),
        ),
    )


def _taking() -> tuple[Route, ...]:
    take = Route(
        method="POST",
        path="/events",
        scope="write",
        handler=recording.record,
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
        handler=recording.undo,
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
            handler=recording.add_items,
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
            handler=recording.remove_item,
            summary="Retire an item",
            about="It is never recommended again; its history stays.",
            tag="catalogue",
            parameters=(parameters.ITEM,),
        ),
        replace(
            removed,
            path="/items",
            handler=recording.remove_item,
            summary="Retire an item, the id in the query",
            about="The same for ids that proxies spoil.",
            tag="catalogue",
            parameters=(parameters.ITEM_QUERY,),
        ),
        replace(
            take,
            path="/users",
            handler=recording.add_users,
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
            handler=recording.add_links,
            summary="Add links",
            about="One link, an array, or NDJSON: prior knowledge about people, items and groups.",
            tag="catalogue",
            example=examples.ADDED_LINKS,
            body="Link",
            examples=examples.LINKS,
        ),
    )


def _about_people() -> tuple[Route, ...]:
    export = Route(
        method="GET",
        path="/users/{user}",
        scope="read",
        handler=people.export,
        summary="Export a person",
        about="Everything that is held about a person, as plain data.",
        tag="people",
        answer="Export",
        example=examples.EXPORT,
        parameters=(parameters.USER,),
    )
    forget = replace(
        export,
        method="DELETE",
        scope="write",
        handler=people.forget,
        summary="Forget a person",
        about="Their events go, with all else that is theirs; what models learned from many "
        "people stays until the next training.",
        answer="Forgotten",
        example={"removed": 12},
    )
    interests = replace(
        export,
        path="/users/{user}/interests",
        handler=people.interests,
        summary="Interests of a person",
        about="What they want now by name, strongest first, with trend and evidence.",
        answer="Interests",
        example=examples.INTERESTS,
        parameters=(parameters.USER, parameters.NOW),
    )
    merge = replace(
        forget,
        method="POST",
        path="/users/{user}/merge",
        handler=people.merge,
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
            interests,
            path="/users/interests",
            handler=people.interests_beside,
            summary="Interests of a person, the id in the query",
            parameters=(parameters.USER_QUERY, parameters.NOW),
        ),
        replace(
            merge,
            path="/users/merge",
            summary="Merge a visitor into a person, the id in the query",
            parameters=beside,
        ),
        export,
        replace(
            export, path="/users", summary="Export a person, the id in the query", parameters=beside
        ),
        forget,
        replace(
            forget, path="/users", summary="Forget a person, the id in the query", parameters=beside
        ),
        interests,
        merge,
    )


def _learning() -> tuple[Route, ...]:
    state = Route(
        method="GET",
        path="/train",
        scope="read",
        handler=operating.training,
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
            handler=operating.train,
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
            handler=operating.snapshots,
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
            handler=operating.activate,
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
            handler=operating.status,
            summary="Status of a worker",
            about="Which snapshot answers, up to where the log was read, and what went wrong.",
            answer="Status",
            example=examples.STATUS,
        ),
    )


def _watching() -> tuple[Route, ...]:
    live = Route(
        method="GET",
        path="/health/live",
        scope=None,
        handler=operating.live,
        summary="Is the worker alive",
        about="200 while it runs.",
        tag="operation",
        answer="Live",
        example={"status": "live"},
    )
    return (
        live,
        replace(
            live,
            path="/health/ready",
            handler=operating.ready,
            summary="Can the worker be sent requests",
            about="503 while it stops, or cannot read the store.",
            answer="Ready",
            example={"status": "ready", "snapshot": "000002-5f2a9c01d3e4", "items": 20_000},
        ),
        replace(
            live,
            path="/metrics",
            scope="read",
            open_here=True,
            handler=operating.metrics,
            summary="Metrics",
            about="Everything counted, in the text format of Prometheus; from this machine "
            "without a key.",
            answer=None,
            media="text/plain",
            example="# HELP ...",
        ),
    )


def routes() -> tuple[Route, ...]:
    """Return every route; where two paths fit, the first answers.

    They are tried in this order, so those that are asked for most come first.
    """
    prefixed = (*_taking()[:1], *_asking(), *_taking()[1:], *SHOWN, *_about_people(), *_learning())
    return (*(replace(one, path=PREFIX + one.path) for one in prefixed), *_watching())
