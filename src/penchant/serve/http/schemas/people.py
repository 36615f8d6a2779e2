"""What is known of a person, and what they change about it."""

from __future__ import annotations

from typing import Any, Literal

from penchant.serve.http.schemas.shape import Closed, Id, Open, When


class Interest(Closed):
    """One interest: its share, and its change this week."""

    name: str
    strength: float
    trend: float
    evidence: list[str]
    kind: str
    adjusted: Literal["", "mute", "raise"]


class Window(Closed):
    """Where an interest points over a stretch of time, how sure that is, and how far it turned."""

    name: Literal["session", "week", "all"]
    sure: float
    turned: float | None
    interests: list[str]


class Prospect(Closed):
    """What a person may come to like and never had: how much that is believed, why, and by whom."""

    name: str
    weight: float
    why: str
    by: str


class Interests(Closed):
    """What a person is interested in, strongest first; `gone` is what they adjusted once."""

    user_id: str
    interests: list[Interest]
    windows: list[Window]
    prospects: list[Prospect]
    gone: list[str]


class Inquiry(Closed):
    """An item to ask about: how likely a yes is, what it would be worth, what an answer tells."""

    item_id: str
    title: str
    about: list[str]
    likely: float
    gain: float
    bits: float


class Inquiries(Closed):
    """What to ask a new person, the first first."""

    user_id: str
    inquiries: list[Inquiry]


class AdjustRequest(Closed):
    """What a person changes about one of their interests."""

    interest: str
    to: Literal["mute", "raise", "delete", "restore"] = "mute"
    now: When | None = None


class Export(Open):
    """Everything that is held about a person."""

    user_id: str
    attributes: dict[str, Any]
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]
    shown: list[dict[str, Any]]
    prospects: list[dict[str, Any]]
    kept_aside: list[dict[str, Any]]


class Forgotten(Closed):
    """How many events were removed."""

    removed: int


class MergeRequest(Closed):
    """Who a visitor turned out to be."""

    into: Id


class Moved(Closed):
    """How many events now belong to somebody else."""

    moved: int
