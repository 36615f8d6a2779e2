"""What tools take and give, described for the model that reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

MOST = 50  # items in one answer: more is more than a model reads with care

# Text that may be left out is "" rather than null: the SDK would read JSON out of a text that may
# also be something else, and the id "null" would be none.
UserId = Annotated[
    str,
    Field(description="The person's id. Empty: somebody unknown; then history may say something."),
]
ItemId = Annotated[
    str, Field(min_length=1, description="An item's id, as another tool gave it, never its title.")
]
ManyItems = Annotated[
    list[str],
    Field(min_length=1, max_length=500, description="Item ids, as another tool gave them."),
]
K = Annotated[int, Field(ge=1, le=MOST, description="How many items.")]
Text = Annotated[
    str,
    Field(
        description="What is looked for, in the person's words, such as 'a quiet film about the "
        "sea'. Matches titles and descriptions by meaning and by word. Empty: by behaviour alone."
    ),
]
Where = Annotated[
    str,
    Field(
        description="Which items may be answered at all: comparisons of columns joined by and, or, "
        "not. Columns: item_id, title, category, tags, price, released and attributes of the "
        "catalogue. Examples: price < 20; category == 'western' and not price > 5."
    ),
]
History = Annotated[
    list[str],
    Field(
        max_length=200,
        description="Only without user_id: item ids that this visitor chose, oldest first.",
    ),
]
Exclude = Annotated[
    list[str], Field(max_length=1_000, description="Item ids that must not be answered.")
]
Seen = Annotated[
    Literal["hide", "keep"],
    Field(description="Whether items the person already chose are left out (hide) or may come."),
]
Context = Annotated[
    dict[str, str | int | float | bool],
    Field(description='What is known of the moment, such as {"device": "tv"}. Usually empty.'),
]


class Named(BaseModel):
    """An item by id and title."""

    item_id: str
    title: str = Field(description="From the catalogue; the id where it has none.")


class Because(BaseModel):
    """One reason of a recommendation."""

    kind: str = Field(
        description="event: something the person did; source: a part of the recommender that "
        "proposed the item; cause: what raised or lowered it; start: where every item starts."
    )
    name: str = Field(description="Of an event the title of its item; else what it is called.")
    weight: float = Field(description="Its share; below 0 where it spoke against the item.")
    item_id: str | None = None


class Line(BaseModel):
    """One item of an answer."""

    rank: int = Field(description="1 is the best.")
    item_id: str
    title: str = Field(description="From the catalogue; the id where it has none.")
    category: str = Field(description="From the catalogue, may be empty.")
    description: str = Field(description="From the catalogue, its beginning, may be empty.")
    price: float | None = None
    score: float = Field(description="Orders this answer; means nothing beside another one.")
    because: list[Because]


class Answer(BaseModel):
    """Items, best first."""

    slate_id: str = Field(description="Give it to explain, and to record with an event.")
    user_id: str | None
    items: list[Line]


class Interest(BaseModel):
    """Something a person is interested in."""

    name: str
    strength: float = Field(description="Its share of all interests, from 0 to 1.")
    trend: float = Field(description="Change of the share within the last week.")
    evidence: list[Named] = Field(description="Items that show it.")


class Interests(BaseModel):
    """What a person is interested in, strongest first; empty for somebody who did nothing."""

    user_id: str
    interests: list[Interest]


class Why(BaseModel):
    """Why an item stood in an answer."""

    item_id: str
    title: str
    sentence: str = Field(description="The reasons in words; it quotes titles of the catalogue.")
    causes: list[Because] = Field(
        description="What raised or lowered it; they add up to its score."
    )
    events: list[Because] = Field(description="What the person did that mattered, with shares.")


class Recorded(BaseModel):
    """What became of an event."""

    recorded: bool = Field(description="It is in the log, and the next answer reflects it.")
    event_id: str
