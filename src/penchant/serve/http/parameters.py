"""Parameters that several routes share, as the description of the API tells them."""

from __future__ import annotations

from penchant.serve.http.reception import Parameter

_ID = {"type": "string", "minLength": 1, "maxLength": 512}

USER = Parameter("user", _ID, "The user_id, percent-encoded (`%2F` for a slash).", "u1", True)
ITEM = Parameter("item", _ID, "The item_id, percent-encoded (`%2F` for a slash).", "i9", True)
EVENT = Parameter("event_id", _ID, "The event_id, percent-encoded.", "e-20240501-17", True)
SLATE = Parameter("slate", _ID, "The slate_id of an answer.", "0b6c2f7e9d7a4c1f8f0a", True)
SNAPSHOT = Parameter("snapshot", _ID, "The id of a snapshot.", "000002-5f2a9c01d3e4", True)
EXPERIMENT = Parameter("experiment", _ID, "The name of an experiment.", "doors", True)
VARIANT = Parameter("variant", _ID, "The name of one of its variants.", "closed", True)

USER_QUERY = Parameter("user_id", _ID, "The user_id, for ids that proxies spoil.", "shop/u1", True)
ITEM_QUERY = Parameter("item_id", _ID, "The item_id, for ids that proxies spoil.", "a/b", True)
EVENT_QUERY = Parameter("event_id", _ID, "The event_id, for ids that proxies spoil.", "e/1", True)

NOW = Parameter(
    "now",
    {"type": "string"},
    "The moment taken as now: seconds since the epoch in UTC, or ISO text; the clock if absent.",
    "2024-05-01T12:30:00Z",
)
K = Parameter(
    "k", {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 10}, "How many items.", 10
)
FEW = Parameter(
    "k", {"type": "integer", "minimum": 1, "maximum": 20, "default": 5}, "How many items.", 5
)
TEXT = Parameter("text", {"type": "string"}, "Words the person asks with.", "a red bicycle")
WHERE = Parameter(
    "where",
    {"type": "string"},
    "A comparison of item columns.",
    "price < 20 and category == 'toys'",
)
SEEN = Parameter(
    "seen", {"type": "string", "enum": ["hide", "keep"]}, "Whether what was seen is left out."
)
_IDS = {"type": "array", "items": _ID}
EXCLUDE = Parameter("exclude", _IDS, "Item ids to leave out; repeated.", ["i1", "i2"])
HISTORY = Parameter(
    "history", _IDS, "Item ids of a visitor nobody stored, oldest first; repeated.", ["i3", "i5"]
)
CONTEXT = Parameter(
    "context",
    {"type": "object", "additionalProperties": {"type": "string"}},
    "The circumstances, as context[key]=value; numbers, true and false become that.",
    {"device": "tv"},
)
LOG = Parameter("log", {"type": "boolean", "default": True}, "Whether the slate is kept as shown.")
WHY = Parameter(
    "item_id", _IDS, "Which items of the slate; all of them where it is absent.", ["i9"]
)

WHICH = Parameter("item_id", _IDS, "Which items, once for each.", ["i9"], True)

QUESTION = (K, TEXT, WHERE, SEEN, EXCLUDE, CONTEXT, NOW, LOG)
