"""Schemas: what goes over the wire, as models that describe it in the OpenAPI document.

No answer is built from them: the engine's own dataclasses are written as they are, and a test holds
the two against each other.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = str | int
When = float | str


class Closed(BaseModel):
    """What has these members and no others."""

    model_config = ConfigDict(extra="forbid")


class Open(BaseModel):
    """What may have members of the caller's own."""

    model_config = ConfigDict(extra="allow")


class Problem(Open):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="What kind of problem it is: urn:penchant:problem:...")
    title: str
    status: int
    detail: str = Field(description="What was expected, what came, and what to do.")
    instance: str = Field(description="The id of the request, as in X-Request-ID.")


class Item(Open):
    """One thing that can be recommended; members nobody named become attributes."""

    item_id: Id
    title: str | None = None
    description: str | None = None
    category: str | list[str] | None = None
    tags: str | list[str] | None = None
    price: float | str | None = None
    released: When | None = None
    stock_from: When | None = None
    stock_until: When | None = None
    attributes: dict[str, Any] | None = None


class CatalogueItem(Closed):
    """What the catalogue holds of an item; times are seconds since the epoch in UTC."""

    item_id: str
    title: str
    description: str
    category: str | None
    tags: list[str]
    price: float | None
    released: float | None
    stock: tuple[float | None, float | None] | None = Field(
        description="From when and until when it may be shown."
    )
    attributes: dict[str, Any]


class CatalogueItems(Closed):
    """Several items, in the order in which they were asked for."""

    items: list[CatalogueItem]


class User(Open):
    """One person; members nobody named become attributes."""

    user_id: Id
    attributes: dict[str, Any] | None = None


class Link(Open):
    """One edge of prior knowledge between people, items, groups or plain values."""

    head: Id
    relation: Id | None = None
    tail: Id
    weight: float | None = None


class Event(Open):
    """One thing a person did; members nobody named become part of the context.

    `event_id` makes sending it again harmless; without `timestamp` it happens now.
    """

    user_id: Id
    item_id: Id | None = None
    event: str | None = Field(default=None, description="The kind; 'click' where it is left out.")
    timestamp: When | None = None
    value: float | str | None = None
    event_id: Id | None = None
    slate_id: Id | None = None
    text: str | None = None
    context: dict[str, Any] | None = None


class Counts(BaseModel):
    """What became of the rows: counts by name, each rule that applied among them.

    For people and links the names begin with `users_` and `links_`.
    """

    model_config = ConfigDict(json_schema_extra={"additionalProperties": {"type": "integer"}})

    reasons: dict[str, int] = Field(description="Why rows were kept aside, and how many.")
    mapping: str = Field(description="Which member was taken for what, to be read.")


class Removed(Closed):
    """Whether it was there."""

    removed: bool


class Forgotten(Closed):
    """How many events were removed."""

    removed: int


class Moved(Closed):
    """How many events now belong to somebody else."""

    moved: int


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


class MergeRequest(Closed):
    """Who a visitor turned out to be."""

    into: Id


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


class Training(Open):
    """How far a training is, and what the last one came to; times are seconds."""

    state: str = Field(description="idle, requested, training or failed")


class Snapshot(Closed):
    """One trained state that can serve; `ndcg` is NDCG@10 on the newest requests before it."""

    id: str
    created: float
    current: bool
    ndcg: float | None
    events: int | None


class Snapshots(Closed):
    """What can be activated, oldest first."""

    snapshots: list[Snapshot]


class Experiment(Closed):
    """What an experiment showed by `now`; with `trusted` false nothing of it is to be believed.

    `comparisons` hold, for each metric of each variant, the difference to the control with an
    interval that holds at every look, and one for a single look at the end.
    """

    name: str
    state: str
    now: float
    start: float | None
    end: float | None
    people: dict[str, int]
    shares: dict[str, float]
    ratio_p: float | None
    trusted: bool
    crossed: int
    comparisons: list[dict[str, Any]]
    stops: dict[str, dict[str, Any]]
    why: str


class Experiments(Closed):
    """Every experiment of the settings, as it was counted last."""

    experiments: list[Experiment]


class StopRequest(Closed):
    """Why a variant is stopped."""

    why: str | None = None


class Changed(Closed):
    """Whether it was otherwise before."""

    changed: bool


class Status(Closed):
    """What this worker knows: `lag` is how many events the log holds beyond what it has read."""

    snapshot: str
    items: int
    offset: int
    lag: int
    waiting: int
    failed: int
    warnings: list[str]
    version: str


class Live(Closed):
    """The worker runs."""

    status: Literal["live"]


class Ready(Closed):
    """The worker can be sent requests."""

    status: Literal["ready"]
    snapshot: str
    items: int


MODELS: tuple[type[BaseModel], ...] = (
    *(Problem, Item, User, Link, Event, Counts, Removed, Forgotten, Moved, Slate),
    *(RecommendRequest, RankRequest, BatchRequest, BatchAnswer, Interests, AdjustRequest),
    *(Export, MergeRequest),
    *(
        CatalogueItem,
        CatalogueItems,
        Explanations,
        Training,
        Snapshot,
        Snapshots,
        Experiments,
        StopRequest,
        Changed,
        Status,
        Live,
        Ready,
    ),
)
"""Those that a route names; the ones inside them come with them."""
