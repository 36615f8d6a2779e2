"""What a service answers, as the nouns that the engine returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penchant.types import (
    Explanation,
    Inquiry,
    Interest,
    Item,
    Profile,
    Prospect,
    Reason,
    Recommendation,
    Release,
    Slate,
    Status,
    Window,
)

if TYPE_CHECKING:
    import polars as pl


def slate(
    data: Mapping[str, Any], further: Callable[[int], Slate], shown: Sequence[str] = ()
) -> Slate:
    """Return a slate whose ranks begin after what was `shown` before it.

    Its trace is empty: the path of a request stays with the service, and explain() tells of it.
    """
    lines = tuple(
        Recommendation(
            line["item_id"],
            float(line["score"]),
            len(shown) + int(line["rank"]),
            reasons(line.get("reasons") or ()),
            line.get("headline", ""),
            line.get("probability"),
            line.get("value"),
        )
        for line in data["recommendations"]
    )
    return Slate(
        lines,
        data["slate_id"],
        data["snapshot"],
        data.get("user_id"),
        float(data["now"]),
        continuation=further,
    )


def reasons(data: Sequence[Mapping[str, Any]]) -> tuple[Reason, ...]:
    """Return causes of a recommendation."""
    return tuple(
        Reason(one["kind"], one["name"], float(one["weight"]), one.get("item_id")) for one in data
    )


def explanation(data: Mapping[str, Any]) -> Explanation:
    """Return why one item stood in a slate."""
    return Explanation(
        data["item_id"],
        data["sentence"],
        reasons(data["contributions"]),
        reasons(data["events"]),
        tuple(data.get("trace") or ()),
    )


def profile(data: Mapping[str, Any]) -> Profile:
    """Return what a person is interested in."""
    interests = (
        Interest(
            one["name"],
            float(one["strength"]),
            float(one["trend"]),
            tuple(one["evidence"]),
            one["kind"],
            one["adjusted"],
        )
        for one in data["interests"]
    )
    windows = (
        Window(one["name"], float(one["sure"]), one["turned"], tuple(one["interests"]))
        for one in data["windows"]
    )
    prospects = (
        Prospect(one["name"], float(one["weight"]), one["why"], one["by"])
        for one in data["prospects"]
    )
    return Profile(tuple(interests), tuple(windows), tuple(prospects), tuple(data["gone"]))


def inquiries(data: Mapping[str, Any]) -> tuple[Inquiry, ...]:
    """Return what to ask a person."""
    return tuple(
        Inquiry(
            one["item_id"],
            one["title"],
            tuple(one["about"]),
            float(one["likely"]),
            float(one["gain"]),
            float(one["bits"]),
        )
        for one in data["inquiries"]
    )


def item(data: Mapping[str, Any]) -> Item:
    """Return one item of the catalogue."""
    stock = data.get("stock")
    return Item(
        item_id=data["item_id"],
        title=data["title"],
        description=data["description"],
        category=data.get("category"),
        tags=tuple(data.get("tags") or ()),
        price=data.get("price"),
        released=data.get("released"),
        stock=None if stock is None else (stock[0], stock[1]),
        attributes=data.get("attributes") or {},
    )


def release(data: Mapping[str, Any]) -> Release:
    """Return one snapshot that can be activated."""
    return Release(
        id=data["id"],
        created=float(data["created"]),
        current=bool(data["current"]),
        ndcg=data.get("ndcg"),
        events=data.get("events"),
    )


def status(data: Mapping[str, Any]) -> Status:
    """Return what the process that answered knows."""
    return Status(
        snapshot=data["snapshot"],
        items=data["items"],
        offset=data["offset"],
        lag=data["lag"],
        waiting=data["waiting"],
        failed=data.get("failed", 0),
        warnings=tuple(data.get("warnings") or ()),
    )


def frame(slates: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return the slates of many people as one frame: user_id, item_id, score, rank (from 1)."""
    import polars as pl

    lines = [(one["user_id"], line) for one in slates for line in one["recommendations"]]
    return pl.DataFrame(
        {
            "user_id": [user for user, _ in lines],
            "item_id": [line["item_id"] for _, line in lines],
            "score": [line["score"] for _, line in lines],
            "rank": [line["rank"] for _, line in lines],
        },
        schema={
            "user_id": pl.String,
            "item_id": pl.String,
            "score": pl.Float64,
            "rank": pl.Int64,
        },
    )
