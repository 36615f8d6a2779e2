"""What is asked and what is answered, and why."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from penchant.serve.http.schemas.shape import Closed, Id, When


class Reason(Closed):
    """One cause and its share."""

    kind: str
    name: str
    weight: float
    item_id: str | None


class Recommendation(Closed):
    """One line of a slate."""

    item_id: str
    score: float
    rank: int
    reasons: list[Reason]
    headline: str
    probability: float | None
    value: float | None


class Slate(Closed):
    """An ordered answer, best first."""

    slate_id: str
    snapshot: str
    user_id: str | None
    now: float
    recommendations: list[Recommendation]


class RecommendRequest(Closed):
    """A question: for a `user_id`, or for the `history` of a visitor nobody stored."""

    user_id: Id | None = None
    k: int | None = Field(default=None, ge=1, le=10_000, description="10 where it is left out.")
    text: str | None = Field(default=None, description="Words the person asks with.")
    where: str | None = Field(default=None, description="A comparison of item columns.")
    seen: Literal["hide", "keep"] | None = None
    exclude: list[Id] | None = None
    context: dict[str, Any] | None = None
    now: When | None = None
    history: list[Id] | None = Field(default=None, description="Item ids, oldest first.")
    log: bool | None = Field(default=None, description="Whether the slate is kept as shown.")


class RankRequest(Closed):
    """A list somebody else made, to be put in order."""

    user_id: Id | None = None
    items: list[Id]
    context: dict[str, Any] | None = None
    text: str | None = None
    now: When | None = None
    history: list[Id] | None = None
    log: bool | None = None


class BatchRequest(Closed):
    """A question for many people."""

    user_ids: list[Id] = Field(max_length=1_000)
    k: int | None = Field(default=None, ge=1, le=10_000)
    context: dict[str, Any] | None = None
    seen: Literal["hide", "keep"] | None = None
    now: When | None = None


class Line(Closed):
    """One line of an answer to many."""

    item_id: str
    score: float
    rank: int


class BatchSlate(Closed):
    """What one of many people gets."""

    user_id: str
    recommendations: list[Line]


class BatchAnswer(Closed):
    """What each of many people gets, in the order asked."""

    slates: list[BatchSlate]


class Explanation(Closed):
    """Why an item stood in a slate."""

    item_id: str
    sentence: str
    contributions: list[Reason]
    events: list[Reason]
    trace: list[str]


class Explanations(Closed):
    """Why items stood in a slate."""

    slate_id: str
    explanations: list[Explanation]
