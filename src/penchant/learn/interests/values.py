"""What a catalogue says of its items in so many words: categories, tags, attributes and links.

A value is worth a name where several items share it and not nearly all of them do, and where it is
words: a number or a key of another database names nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from penchant.interests.concepts import Kind, folded, given, parts
from penchant.learn.view import Triple
from penchant.store.columns import ItemColumns

LEAST = 3  # items that share a value, from which on it is a concept
MOST = 0.5  # of all items; what more of them share tells them apart no longer
CONCEPTS = 2_000  # of given values, the commonest
CHARACTERS = 60  # of a value; what is longer is a text
SHARED = 0.2  # of the values of an attribute, by item, those that LEAST items share
_SEPARATORS = (", ", ",", " | ", "|", "; ", ";", " / ", "/")
_PARTED = 0.3  # of the categories, those that have several parts
_LETTERS = re.compile(r"[^\W\d_]")
_KEY = re.compile(r"(?=\S*\d)(?=\S*[^\W\d_])\S+")  # letters and digits in one: m.0gdp2w
_DECADE = re.compile(r"\d+s")


@dataclass(frozen=True, eq=False)
class Values:
    """Which items bear each value: `items` by folded name, `names` and `kinds` as they are shown.

    `hidden` are the folded names of what nearly all items bear; `separator` parts a category.
    """

    names: dict[str, str]
    kinds: dict[str, Kind]
    items: dict[str, list[int]]
    hidden: frozenset[str]
    separator: str


def collect(columns: ItemColumns, links: Iterable[Sequence[Triple]] = ()) -> Values:
    """Return the values that items share; `links` come in parts, so that they may be many."""
    n = columns.n
    separator = parting(columns.categories)
    items: dict[str, list[int]] = defaultdict(list)
    spelt: dict[str, Counter[str]] = defaultdict(Counter)
    kinds: dict[str, Kind] = {}

    def bear(item: int, kind: Kind, name: str) -> None:
        key = folded(name)
        if not key or len(name) > CHARACTERS:
            return
        if kind == "category" or key not in kinds:  # what is a category of one item is no mere tag
            kinds[key] = kind
        spelt[key][name] += 1
        if not items[key] or items[key][-1] != item:
            items[key].append(item)

    for item in range(n):
        for kind, name in given(columns, item, separator):
            bear(item, kind, name)
    for item, name in _attributes(columns):
        bear(item, "attribute", name)
    for item, name in _linked(columns, links):
        bear(item, "link", name)
    live = max(1, int((~columns.retired[:n]).sum()))
    for key, bearers in items.items():
        items[key] = sorted(set(bearers))
    most = max(LEAST, MOST * live)
    hidden = frozenset(key for key, bearers in items.items() if len(bearers) > most)
    kept = [
        key
        for key, bearers in items.items()
        if key not in hidden and (len(bearers) >= LEAST or kinds[key] == "category")
    ]
    kept = sorted(kept, key=lambda key: (-len(items[key]), key))[:CONCEPTS]
    names = {key: spelt[key].most_common(1)[0][0] for key in kept}
    return Values(
        names,
        {key: kinds[key] for key in kept},
        {key: items[key] for key in kept},
        hidden,
        separator,
    )


def parting(categories: Sequence[str]) -> str:
    """Return what parts categories that are several, as in "Action, Comedy"; "" where none are.

    It is taken for that only where the parts come back: those of a third of all categories stand in
    other categories, too, or alone.
    """
    for separator in _SEPARATORS:
        several = [c for c in categories if separator in c]
        if len(several) < max(3, _PARTED * len(categories)):
            continue
        stands = Counter(folded(part) for c in categories for part in parts(c, separator))
        again = [
            c for c in several if all(stands[folded(part)] > 1 for part in parts(c, separator))
        ]
        if 2 * len(again) >= len(several):
            return separator
    return ""


def readable(value: str) -> bool:
    """Return whether a value is words, mostly letters, and no key; "1960s" is spoken of, too."""
    if _DECADE.fullmatch(value):
        return True
    if any(_KEY.fullmatch(word) and not _DECADE.fullmatch(word) for word in value.split()):
        return False
    letters = len(_LETTERS.findall(value))
    return letters >= (2 if value.isascii() else 1) and letters >= 0.6 * len(value.replace(" ", ""))


def _attributes(columns: ItemColumns) -> Iterator[tuple[int, str]]:
    """Yield items and the values of attributes that items share."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for item, text in enumerate(columns.attributes(columns.n)):
        if not text:
            continue
        try:
            said = json.loads(text)
        except ValueError:
            continue
        for key, value in said.items() if isinstance(said, dict) else ():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str) and len(one) <= CHARACTERS and readable(one):
                    found[key][one.strip()].append(item)
    for values in found.values():
        borne = sum(map(len, values.values()))
        shared = sum(len(items) for items in values.values() if len(items) >= LEAST)
        if shared >= SHARED * borne:
            for value, items in values.items():
                if len(items) >= LEAST:
                    yield from ((item, value) for item in items)


def _linked(columns: ItemColumns, links: Iterable[Sequence[Triple]]) -> Iterator[tuple[int, str]]:
    """Yield items and the values that links tie to them, without the kind in "kind:value"."""
    for part in links:
        for head, _, tail, _ in part:
            for one, other in ((head, tail), (tail, head)):
                item = columns.number_of.get(one)
                if item is not None and other not in columns.number_of:
                    value = other.rpartition(":")[2].strip()
                    if readable(value):
                        yield item, value


def chunks(rows: Iterable[Triple], size: int = 20_000) -> Iterator[list[Triple]]:
    """Yield rows in lists of at most `size`."""
    rows = iter(rows)
    while part := list(islice(rows, size)):
        yield part
