"""What search by words reads of an item: the names it goes by, and its texts in any language.

More than what an encoder reads: an encoder of one language is spoilt by the sentences of another,
words are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from penchant.language.template import REVIEWS, Template, TextConfig, attributes_of

_COLUMNS = ("item_id", "title", "category", "tags", "description", "price", "attributes", REVIEWS)
_MOST_VALUES = 50
_CHARACTERS = 20_000
# title_zh, name_pt_BR, chinese_title, original_name, aliases; not brand_name, not subtitle.
_TAG = r"[a-z]{2}(?:[_-][a-z]{2,4})*"
_WHICH = "original|native|local|international|alternative|alternate|alt|other|short|full"
_WHICH += "|english|chinese|japanese|korean|french|german|spanish|portuguese|italian|russian|arabic"
_NAME = re.compile(
    rf"(?:titles?|names?)[_-](?:{_TAG}|{_WHICH})|(?:{_WHICH}|{_TAG})[_-]titles?"
    rf"|(?:{_WHICH})[_-]names?|aliases|alias|aka|also[_-]known[_-]as"
)
# An address says nothing in words.
_ADDRESS = re.compile(
    r"\s*(?:[a-z][a-z0-9+.-]*:\S|www\.|[^\s@]+@[^\s@]+\s*$|[./~\\]\S*[/\\])", re.I
)


@dataclass(frozen=True, slots=True)
class Words:
    """One item for search by words: its `names`, the title first, and its `text`, names in it."""

    names: tuple[str, ...]
    text: str


class Searchable:
    """Turns items into what is searched in them by words: see section `text`."""

    def __init__(self, config: TextConfig | None = None) -> None:
        config = config or TextConfig()
        parts = config.search or config.parts
        self._template = Template(config.model_copy(update={"parts": parts}))
        self._all = not config.search
        self._names = frozenset(config.names)

    def __call__(self, items: pl.DataFrame) -> list[Words]:
        """Return the words of each row of a frame with the columns of ITEMS."""
        frame = items.select([c for c in items.columns if c in _COLUMNS])
        return [self.words(row) for row in frame.iter_rows(named=True)]

    def words(self, item: Mapping[str, Any]) -> Words:
        """Return the words of one item given as a mapping of ITEMS columns."""
        attributes = attributes_of(item)
        names = [item.get("title") or ""]
        text = self._template.text(item)
        said = [text]
        seen = f"{names[0]}\n{text}".casefold()
        for key, value in attributes.items():
            named = key in self._names if self._names else bool(_NAME.fullmatch(key.lower()))
            if not named and not self._all:
                continue
            for one in _texts(value):
                if named:
                    names.append(one)
                if self._all and one.casefold() not in seen:
                    said.append(one)
                    seen += "\n" + one.casefold()
        # The names beside the text: their words count for more, and where the parts omit them.
        return Words(tuple(names), "\n".join((*names, *said)))


def _texts(value: Any) -> Iterator[str]:
    """Yield what of an attribute is a text: has letters, and is no address."""
    if isinstance(value, str):
        values: Sequence[Any] = (value,)
    elif isinstance(value, Sequence):
        values = value[:_MOST_VALUES]
    else:
        return
    for one in values:
        if isinstance(one, str) and not _ADDRESS.match(one[:200]):
            text = one[:_CHARACTERS].strip()
            if any(c.isalpha() for c in text):
                yield text
