"""Examples of bodies and answers, as they stand in the description of the API."""

from __future__ import annotations

from typing import Any

_RECOMMENDATION = {
    "item_id": "i9",
    "score": 1.27,
    "rank": 1,
    "reasons": [
        {"kind": "source", "name": "sequence", "weight": 0.6, "item_id": None},
        {"kind": "event", "name": "click", "weight": 0.4, "item_id": "i3"},
    ],
    "headline": "",
    "probability": 0.12,
    "value": None,
}
SLATE: dict[str, Any] = {
    "slate_id": "5d0f4ad0b7e94b0f9f0c6f1a2b3c4d5e",
    "snapshot": "000002-5f2a9c01d3e4",
    "user_id": "u1",
    "now": 1_714_566_600.0,
    "recommendations": [_RECOMMENDATION],
}
BATCH: dict[str, Any] = {
    "slates": [
        {"user_id": "u1", "recommendations": [{"item_id": "i9", "score": 1.27, "rank": 1}]},
        {"user_id": "u2", "recommendations": []},
    ]
}
EXPLANATIONS: dict[str, Any] = {
    "slate_id": SLATE["slate_id"],
    "explanations": [
        {
            "item_id": "i9",
            "sentence": "Because of 'A Rope for the Marshal', which you chose of late.",
            "contributions": [
                {"kind": "cause", "name": "what follows what", "weight": 0.9, "item_id": None}
            ],
            "events": [{"kind": "event", "name": "click", "weight": 1.0, "item_id": "i3"}],
            "trace": ["recall 20000 -> 400", "ranker 400 -> 400"],
        }
    ],
}
EVENTS: dict[str, Any] = {
    "a click": {"user_id": "u1", "item_id": "i9", "event": "click"},
    "a purchase that may be sent again": {
        "user_id": "u1",
        "item_id": "i9",
        "event": "purchase",
        "value": 19.9,
        "event_id": "order-17-1",
        "slate_id": SLATE["slate_id"],
        "context": {"device": "phone"},
    },
    "several": [
        {"user_id": "u1", "item_id": "i9", "event": "click"},
        {"user_id": "u2", "event": "search", "text": "a red bicycle"},
    ],
}
ITEMS: dict[str, Any] = {
    "an item": {
        "item_id": "i9",
        "title": "A Rope for the Marshal",
        "description": "A marshal is framed by a crooked rancher.",
        "category": "western",
        "tags": ["prairie", "law"],
        "price": 4.99,
        "director": "somebody",
    },
    "several": [{"item_id": "i9", "title": "A Rope"}, {"item_id": "i10", "title": "A Saddle"}],
}
ITEM: dict[str, Any] = {
    "item_id": "i9",
    "title": "A Rope for the Marshal",
    "description": "A marshal is framed by a crooked rancher.",
    "category": "western",
    "tags": ["prairie", "law"],
    "price": 4.99,
    "released": 1714521600.0,
    "stock": None,
    "attributes": {"director": "somebody"},
}
USERS: dict[str, Any] = {"a person": {"user_id": "u1", "country": "NZ", "language": "en"}}
LINKS: dict[str, Any] = {
    "a link": {"head": "i9", "relation": "directed_by", "tail": "somebody", "weight": 1.0}
}
RECORDED: dict[str, Any] = {"new": 1, "known": 0, "reasons": {}, "mapping": ""}
ADDED: dict[str, Any] = {
    "rows": 2,
    "accepted": 1,
    "quarantined": 1,
    "duplicates": 0,
    "new": 1,
    "changed": 0,
    "same": 0,
    "item_id_missing": 1,
    "reasons": {"item_id_missing": 1},
    "mapping": "items:\n  item_id      <- item_id",
}
ADDED_USERS: dict[str, Any] = {
    "users_rows": 1,
    "users_accepted": 1,
    "users_quarantined": 0,
    "users_duplicates": 0,
    "users_new": 1,
    "users_changed": 0,
    "users_same": 0,
    "reasons": {},
    "mapping": "users:\n  user_id      <- user_id\n  attributes   <- country, language",
}
ADDED_LINKS: dict[str, Any] = {
    "links_rows": 1,
    "links_accepted": 1,
    "links_quarantined": 0,
    "links_duplicates": 0,
    "links_new": 1,
    "links_changed": 0,
    "links_same": 0,
    "reasons": {},
    "mapping": "links:\n  head         <- head",
}
EXPORT: dict[str, Any] = {
    "user_id": "u1",
    "attributes": {"country": "NZ"},
    "events": [
        {
            "item_id": "i9",
            "event": "click",
            "timestamp": 1_714_566_600.0,
            "value": None,
            "slate_id": None,
            "text": None,
            "context": {},
        }
    ],
    "links": [],
    "shown": [],
    "prospects": [],
    "kept_aside": [],
}
INTERESTS: dict[str, Any] = {
    "user_id": "u1",
    "interests": [
        {
            "name": "western",
            "strength": 0.7,
            "trend": 0.1,
            "evidence": ["i9", "i3"],
            "kind": "category",
            "adjusted": "",
        }
    ],
    "windows": [{"name": "session", "sure": 0.4, "turned": 0.8, "interests": ["western"]}],
    "prospects": [{"name": "samurai", "weight": 1.0, "why": "goes with western", "by": "graph"}],
    "gone": [],
}
INQUIRIES: dict[str, Any] = {
    "user_id": "u1",
    "inquiries": [
        {
            "item_id": "i9",
            "title": "Rio Bravo",
            "about": ["western", "gunfighters"],
            "likely": 0.3,
            "gain": 0.8,
            "bits": 0.2,
        }
    ],
}
TRAINING: dict[str, Any] = {
    "state": "training",
    "step": "ranker",
    "share": 0.4,
    "started": 1_714_566_600.0,
    "ended": None,
    "report": None,
    "error": None,
    "next": None,
}
SNAPSHOT: dict[str, Any] = {
    "id": "000002-5f2a9c01d3e4",
    "created": 1_714_566_600.0,
    "current": True,
    "ndcg": 0.127,
    "events": 49_834,
}
STATUS: dict[str, Any] = {
    "snapshot": "000002-5f2a9c01d3e4",
    "items": 20_000,
    "offset": 49_834,
    "lag": 0,
    "waiting": 0,
    "failed": 0,
    "warnings": [],
    "version": "0.1.0",
}
EXPERIMENTS: dict[str, Any] = {
    "experiments": [
        {
            "name": "doors",
            "state": "running",
            "now": 1_714_566_600.0,
            "start": None,
            "end": None,
            "people": {"control": 1204, "closed": 1187},
            "shares": {"control": 0.5, "closed": 0.5},
            "ratio_p": 0.73,
            "trusted": True,
            "crossed": 0,
            "comparisons": [],
            "stops": {},
            "why": "",
        }
    ]
}
