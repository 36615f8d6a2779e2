"""The tools: what a language model can ask, each a verb of the engine."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from penchant.serve.mcp.fields import (
    Answer,
    Because,
    Context,
    Exclude,
    History,
    Interest,
    Interests,
    ItemId,
    K,
    Line,
    ManyItems,
    Named,
    Recorded,
    Seen,
    Text,
    UserId,
    Where,
    Why,
)
from penchant.types import Error, Event, Item, Reason, Slate

if TYPE_CHECKING:
    from penchant.engine import Engine
    from penchant.serve.client import Client

WORDS = 240  # characters of a description

T = TypeVar("T")


class Tools:
    """The tools, around an engine in this process or a service elsewhere."""

    def __init__(self, asked: Engine | Client) -> None:
        self._asked = asked

    def recommend(
        self,
        user_id: UserId = "",
        text: Text = "",
        k: K = 10,
        where: Where = "",
        exclude: Exclude = [],  # noqa: B006  the schema shows it, and nobody writes to it
        history: History = [],  # noqa: B006
        seen: Seen = "hide",
        context: Context = {},  # noqa: B006
    ) -> Answer:
        """Find the items that a person most likely wants now, best first, with the reasons.

        Give user_id for a known person; with text it is a search in the order of their taste.
        Without user_id it answers for a visitor: by text, by history, or what is popular now.
        For more of the same, ask again with exclude= the items already shown.
        """
        return self._told(
            lambda: self._asked.recommend(
                user_id or None,
                k,
                text=text or None,
                where=where or None,
                exclude=exclude,
                history=history if history or not user_id else None,
                seen=seen,
                context=context,
            )
        )

    def rank(
        self,
        items: ManyItems,
        user_id: UserId = "",
        text: Text = "",
        history: History = [],  # noqa: B006
        context: Context = {},  # noqa: B006
    ) -> Answer:
        """Put items you already have into the order in which a person wants them.

        Nothing is added and nothing left out; ids that the catalogue does not know come last.
        """
        return self._told(
            lambda: self._asked.rank(
                user_id or None,
                items,
                text=text or None,
                history=history if history or not user_id else None,
                context=context,
            )
        )

    def similar(self, item_id: ItemId, k: K = 10) -> Answer:
        """Find the items most like one item, by what people do with them and by their text."""
        return self._told(lambda: self._asked.similar(item_id, k))

    def interests(
        self, user_id: Annotated[str, Field(min_length=1, description="The person's id.")]
    ) -> Interests:
        """Tell what a person is interested in, by name, strongest first, and what shows it."""
        found = _tried(lambda: self._asked.interests(user_id))
        known = self._items(item for one in found for item in one.evidence)
        return Interests(
            user_id=user_id,
            interests=[
                Interest(
                    name=one.name,
                    strength=one.strength,
                    trend=one.trend,
                    evidence=[
                        Named(item_id=item, title=_title(known, item))
                        for item in dict.fromkeys(one.evidence)
                    ],
                )
                for one in found
            ],
        )

    def explain(
        self,
        slate_id: Annotated[
            str, Field(min_length=1, description="Of an answer of recommend or rank.")
        ],
        item_id: ItemId,
    ) -> Why:
        """Tell why an item stood in an answer of recommend or rank, in words and in numbers."""
        found = _tried(lambda: self._asked.explain(slate_id, item_id))
        return Why(
            item_id=item_id,
            title=_title(self._items([item_id]), item_id),
            sentence=found.sentence,
            causes=[_because(one) for one in found.contributions],
            events=[_because(one) for one in found.events],
        )

    def record(
        self,
        user_id: Annotated[str, Field(min_length=1, description="Who did it.")],
        item_id: Annotated[
            str, Field(description="What it was about. Empty only where text says it.")
        ] = "",
        event: Annotated[
            str,
            Field(
                min_length=1,
                description="What they did: view, click, like, dislike, save, share, purchase, "
                "rating, review, search or another kind that the log uses.",
            ),
        ] = "click",
        value: Annotated[
            float | None,
            Field(description="Its size: stars of a rating, money of a purchase, seconds watched."),
        ] = None,
        text: Annotated[str, Field(description="Words of a search or a review.")] = "",
        slate_id: Annotated[
            str, Field(description="The answer that led to it, if it was one.")
        ] = "",
        context: Context = {},  # noqa: B006
    ) -> Recorded:
        """Record that a person did something; the next answer to them reflects it.

        Record only what the person really did or said, never a guess of what they may like.
        """
        event_id = uuid.uuid4().hex
        done = _tried(
            lambda: self._asked.record(
                Event(
                    user_id=user_id,
                    item_id=item_id or None,
                    event=event,
                    value=value,
                    event_id=event_id,
                    slate_id=slate_id or None,
                    text=text or None,
                    context=context,
                )
            )
        )
        # Through a service a repetition of ours after a lost answer counts as known.
        return Recorded(recorded=done["new"] + done["known"] > 0, event_id=event_id)

    def _told(self, ask: Callable[[], Slate]) -> Answer:
        slate = _tried(ask)
        known = self._items(line.item_id for line in slate)
        lines = []
        for line in slate:
            item = known.get(line.item_id, Item(line.item_id))
            lines.append(
                Line(
                    rank=line.rank,
                    item_id=line.item_id,
                    title=item.title or line.item_id,
                    category=item.category or "",
                    description=_shortened(item.description),
                    price=item.price if item.price is None or math.isfinite(item.price) else None,
                    score=line.score,
                    because=[_because(reason) for reason in line.reasons],
                )
            )
        return Answer(slate_id=slate.id, user_id=slate.user_id, items=lines)

    def _items(self, item_ids: Iterable[str]) -> Mapping[str, Item]:
        wanted = list(dict.fromkeys(item_ids))
        return {one.item_id: one for one in _tried(lambda: self._asked.items(wanted))}


def _tried(ask: Callable[[], T]) -> T:
    """Return the answer; an error of ours says what to do, and goes to the model as it is."""
    try:
        return ask()
    except Error as error:
        raise ToolError(str(error)) from error


def _because(reason: Reason) -> Because:
    return Because(kind=reason.kind, name=reason.name, weight=reason.weight, item_id=reason.item_id)


def _title(known: Mapping[str, Item], item_id: str) -> str:
    return known[item_id].title or item_id if item_id in known else item_id


def _shortened(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= WORDS else plain[: WORDS - 1].rstrip() + "…"
