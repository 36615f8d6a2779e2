"""The text of an item, made of its columns by a template in the configuration."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from penchant.ingest import kinds
from penchant.language.normal import normal
from penchant.types import InvalidInput

REVIEWS = "reviews"
COLUMNS = ("title", "category", "tags", "description", "price", "item_id", REVIEWS)
_ATTRIBUTE = "attributes."
_ATTRIBUTE_NAME = re.compile(r"attributes\.[^\W\d]\w*")
_MOST_VALUES = 50


class TextConfig(BaseModel):
    """Section `text`: the `parts` of an item's text in order, and where it is cut.

    A part is literal text with columns in braces, `{title}`, `{attributes.director}`: it is left
    out when all its columns are empty. What identifies an item comes first, because encoders read
    the beginning of long texts only. The part `{reviews}` holds the newest `reviews` that people
    wrote of the item, one of each person, each cut at `review_characters`: the texts of events of
    `review_kinds`. Their vector is added to that of the other parts, each by its length, that of
    the reviews times `review_weight`. Without that part they are not read. Search by words reads
    the parts of `search`; without any, it reads these parts and all attributes that are texts, in
    whatever language. An item goes by its title, its id and the attributes `names`; without any, by
    those called like `title_zh`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: tuple[str, ...] = (
        "{title}",
        "{category}",
        "{tags}",
        "{description}",
        "{reviews}",
    )
    search: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    separator: str = ". "
    characters: int = Field(default=4096, gt=0)
    reviews: int = Field(default=3, ge=0, le=20)
    review_characters: int = Field(default=300, gt=0, le=4096)
    review_weight: float = Field(default=0.5, ge=0.0, le=10.0)
    review_kinds: tuple[str, ...] = kinds.REVIEWS

    @property
    def wants_reviews(self) -> bool:
        """Whether an item's text holds what people wrote of it."""
        read = (*self.parts, *self.search)
        return self.reviews > 0 and any(f"{{{REVIEWS}}}" in part for part in read)

    def attributes(self) -> set[str]:
        """Return the names of the attributes that texts and searches are made of."""
        pieces = [piece for part in (*self.parts, *self.search) for piece in _parse(part)]
        asked = {c.removeprefix(_ATTRIBUTE) for _, c in pieces if c and c.startswith(_ATTRIBUTE)}
        return asked | set(self.names)

    def split(self) -> tuple[TextConfig, TextConfig]:
        """Return the same twice: with the parts that hold no reviews, and with those that do."""
        written = tuple(part for part in self.parts if f"{{{REVIEWS}}}" in part)
        own = tuple(part for part in self.parts if part not in written)
        return self.model_copy(update={"parts": own}), self.model_copy(update={"parts": written})

    def content(self) -> str:
        """Return all that a vector depends on, as JSON: what no encoder reads is not in it."""
        unread = {"search", "names"}
        if not self.wants_reviews:
            unread |= {name for name in type(self).model_fields if name.startswith("review")}
        return self.model_dump_json(exclude=unread)


class Template:
    """Turns items into texts, the same text for the same columns, empty when nothing is known."""

    def __init__(self, config: TextConfig | None = None) -> None:
        self.config = config or TextConfig()
        self._parts = [_parse(part) for part in self.config.parts]
        self._columns = {c for part in self._parts for _, c in part if c is not None}

    def __call__(self, items: pl.DataFrame) -> list[str]:
        """Return one text per row of a frame with the columns of ITEMS, absent ones being empty."""
        wanted = {c.split(".")[0] for c in self._columns}
        frame = items.select([c for c in items.columns if c in wanted])
        if not frame.width:
            return [""] * items.height
        return [self.text(row) for row in frame.iter_rows(named=True)]

    def text(self, item: Mapping[str, Any]) -> str:
        """Return the text of one item given as a mapping of ITEMS columns."""
        values = self._values(item)
        parts: list[str] = []
        said = ""
        for pieces in self._parts:
            columns = [c for _, c in pieces if c is not None]
            if columns and not any(values[c] for c in columns):
                continue
            part = "".join(text + (values[c] if c else "") for text, c in pieces).strip()
            # Catalogues repeat the title as description, or the category as only tag.
            if not part or part.casefold() in said:
                continue
            parts.append(part.rstrip(". ") or part)
            said += "\n" + part.casefold()
        return normal(self.config.separator.join(parts), self.config.characters)

    def _values(self, item: Mapping[str, Any]) -> dict[str, str]:
        bound = 2 * self.config.characters
        attributes: Mapping[str, Any] = {}
        if any(c.startswith(_ATTRIBUTE) for c in self._columns):
            attributes = attributes_of(item)
        values = {
            c: _plain(
                attributes.get(c.removeprefix(_ATTRIBUTE))
                if c.startswith(_ATTRIBUTE)
                else item.get(c),
                bound,
            )
            for c in self._columns - {REVIEWS}
        }
        if REVIEWS in self._columns:
            # Sentences, not words of a list.
            said = (one.rstrip(". ") or one for one in item.get(REVIEWS) or ())
            values[REVIEWS] = self.config.separator.join(one for one in said if one)
        return values


def _parse(part: str) -> list[tuple[str, str | None]]:
    """Return the part as pieces: literal text, and the column that follows it (None: the end)."""
    try:
        pieces = list(string.Formatter().parse(part))
    except ValueError as error:
        raise InvalidInput(
            f"the text part {part!r} is not a template ({error}): write columns as {{title}}, and "
            "a brace itself twice"
        ) from error
    for _, column, layout, conversion in pieces:
        known = column is None or column in COLUMNS or _ATTRIBUTE_NAME.fullmatch(column)
        if not known or layout or conversion:
            raise InvalidInput(
                f"the text part {part!r} asks for {{{column}}}: expected one of {list(COLUMNS)} or "
                "{attributes.NAME}, without a format"
            )
    return [(literal, column) for literal, column, _, _ in pieces]


def attributes_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of an item, a mapping or JSON text; nothing where they are neither."""
    value = item.get("attributes")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}


def _plain(value: Any, bound: int) -> str:
    match value:
        case None | bool():
            return ""
        case str():
            return value[:bound].strip()
        case float():
            return f"{value:g}" if value == value else ""
        case int():
            return str(value)
        case Sequence():
            plain = (_plain(v, bound) for v in value[:_MOST_VALUES])
            return ", ".join(v for v in plain if v)[:bound]
    return ""
