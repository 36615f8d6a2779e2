"""What is written: items, people, links and events, and what became of them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from penchant.serve.http.schemas.shape import Closed, Id, Open, When


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


class Changed(Closed):
    """Whether it was otherwise before."""

    changed: bool
