"""Concepts: what the items of a catalogue are about, by name, and which of them each item bears.

A concept is something that a person can be interested in and call by its name: a category, a tag, a
value that several items share, a phrase of their titles, or a cluster of items that the same people
want. What a catalogue says of its items is read from it as it is now; the rest was learned, and an
item that came since is given the cluster that its text is nearest to.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.types import Floats, Ids, Mask

Kind = Literal["category", "tag", "attribute", "link", "phrase", "cluster"]
GIVEN: tuple[Kind, ...] = ("category", "tag")
BROAD: frozenset[Kind] = frozenset(("category", "cluster"))
"""Kinds of which every item has few: who touched none of an item's is new to what it is."""
NAME = "concepts"
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Learned:
    """A vocabulary as a training found it, and which concepts each item of its day bears.

    `members[starts[i] : starts[i + 1]]` int32 are the concepts of item i, by number. `separator`
    parts a category that is several ("Action, Comedy"), "" for none. `centres` float32[c, d] are
    unit vectors, NaN for what is no cluster, in the space of the item vectors of the snapshot.
    `hidden` are folded names of what every item has, or hardly any: it tells nothing.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    starts: Numbers
    members: Ids
    centres: Floats
    separator: str = ""
    hidden: frozenset[str] = frozenset()

    def save(self, folder: Artefacts) -> None:
        """Write it into the folder of a snapshot."""
        content = {
            "names": list(self.names),
            "kinds": list(self.kinds),
            "separator": self.separator,
            "hidden": sorted(self.hidden),
        }
        folder.write_json(NAME, content)
        folder.write_array(f"{NAME}.starts", self.starts)
        folder.write_array(f"{NAME}.members", self.members)
        folder.write_array(f"{NAME}.centres", self.centres)

    @classmethod
    def load(cls, folder: Artefacts) -> Learned | None:
        """Return the vocabulary of a snapshot, None where it was made without one."""
        if not folder.has(f"{NAME}.json"):
            return None
        content = folder.json(NAME)
        return cls(
            tuple(content["names"]),
            tuple(content["kinds"]),
            np.asarray(folder.array(f"{NAME}.starts")),
            np.asarray(folder.array(f"{NAME}.members")),
            np.asarray(folder.array(f"{NAME}.centres")),
            content["separator"],
            frozenset(content["hidden"]),
        )


def folded(name: str) -> str:
    """Return what all ways to write a name have in common; "C", "C#" and "C++" stay apart."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


class Concepts:
    """The concepts of a catalogue that grows. Safe to read while it learns.

    Numbers are those of `learned`, then of names that the catalogue has gained since, in the order
    in which they were met.
    """

    def __init__(self, columns: ItemColumns, learned: Learned | None = None) -> None:
        self._columns, self._learned = columns, learned
        self._lock = threading.Lock()
        self.names: list[str] = [] if learned is None else list(learned.names)
        self.kinds: list[Kind] = [] if learned is None else list(learned.kinds)
        self._number_of = {folded(name): number for number, name in enumerate(self.names)}
        self._known = 0 if learned is None else len(learned.starts) - 1
        self._changed: set[int] = set()  # items that say something else than the training read
        self._cluster_of: dict[int, int] = {}  # of items that came or changed since
        clusters = [n for n, kind in enumerate(self.kinds) if kind == "cluster"]
        self._clusters = np.array(clusters, dtype=np.int32)
        self._inverted: tuple[Numbers, Ids] | None = None
        counts = (
            np.zeros(0)
            if learned is None
            else np.bincount(learned.members, minlength=len(self.names))
        )
        self._rare = np.log1p(self._known / np.maximum(counts, 1)).astype(np.float32)
        self._since: tuple[int, dict[int, list[int]]] = (-1, {})

    def __len__(self) -> int:
        return len(self.names)

    def of(self, item: int) -> Ids:
        """Return the numbers of the concepts that an item bears, int32[m]."""
        learned = self._learned
        if learned is not None and item < self._known and item not in self._changed:
            return learned.members[learned.starts[item] : learned.starts[item + 1]]
        found = dict.fromkeys(self._given(item))
        if learned is not None and item < self._known:  # what was learned of it still holds
            old = learned.members[learned.starts[item] : learned.starts[item + 1]]
            for number in old.tolist():
                if self.kinds[number] not in GIVEN:
                    found[number] = None
        elif item in self._cluster_of:
            found[self._cluster_of[item]] = None
        return np.fromiter(found, dtype=np.int32, count=len(found))

    def named(self, item: int) -> tuple[str, ...]:
        """Return the names of what an item is about."""
        return tuple(self.names[number] for number in self.of(item).tolist())

    def number(self, name: str) -> int | None:
        """Return the number of a name, however it is written; None where nothing is called so."""
        key = folded(name)
        found = self._number_of.get(key)
        if found is None:
            self._late()  # what items say that nobody asked about yet has no number
            found = self._number_of.get(key)
        return found

    def broad(self) -> Mask:
        """Return bool[c]: which concepts are of a kind that every item has one of, or few."""
        return np.array([kind in BROAD for kind in self.kinds], dtype=np.bool_)

    def telling(self, concepts: Ids) -> Floats:
        """Return float32[m]: how much each concept tells of what bears it, log(1 + n / bearers).

        1 for those that came since the training, and for all before any.
        """
        rare = self._rare
        known = concepts < len(rare)
        out: Floats = np.ones(len(concepts), dtype=np.float32)
        out[known] = rare[concepts[known]]
        return out

    def borne(self, items: Sequence[int]) -> tuple[Numbers, Ids]:
        """Return places in `items` int64[m] and concepts int32[m]: who bears what."""
        found = [self.of(item) for item in items]
        places = np.repeat(np.arange(len(found)), [len(one) for one in found])
        concepts = np.concatenate(found) if found else np.zeros(0, dtype=np.int32)
        return places.astype(np.int64), concepts.astype(np.int32)

    def bearing(self, concept: int) -> Ids:
        """Return the items that bear a concept, int32[m] in ascending order.

        An item whose category or tags changed after the training is among those of both.
        """
        late = np.array(self._late().get(concept, ()), dtype=np.int32)
        if self._learned is None or concept >= len(self._learned.names):
            return late
        if self._inverted is None:
            self._inverted = _inverted(self._learned)
        starts, items = self._inverted
        known = items[starts[concept] : starts[concept + 1]]
        return np.union1d(known, late).astype(np.int32) if len(late) else known

    def follow(self, numbers: Ids) -> None:
        """Take note of items whose columns changed: what they say is read anew."""
        self._changed.update(number for number in numbers.tolist() if number < self._known)
        self._since = (-1, {})

    def learn_items(self, numbers: Ids, rows: Floats) -> None:
        """Give items that came since the training the cluster that their text is nearest to.

        `rows` float32[len(numbers), d] are their vectors in the space of the snapshot.
        """
        if self._learned is None or not len(self._clusters):
            return
        centres = self._learned.centres[self._clusters]
        late = (numbers >= self._known) & np.isfinite(rows).all(axis=1)
        if not late.any() or centres.shape[1] != rows.shape[1]:
            return
        placed: Mask = np.isfinite(centres[:, 0])
        near = rows[late] @ np.where(placed[:, None], centres, np.float32(0.0)).T
        near[:, ~placed] = -np.inf
        nearest = self._clusters[near.argmax(axis=1)]
        for number, cluster in zip(numbers[late].tolist(), nearest.tolist(), strict=True):
            self._cluster_of[number] = cluster
        self._since = (-1, {})

    def _late(self) -> dict[int, list[int]]:
        """Return the items of each concept among those that came or changed since the training."""
        version = self._columns.version
        at, found = self._since
        if at != version:
            found = {}
            for item in sorted({*self._changed, *range(self._known, self._columns.n)}):
                for concept in self.of(item).tolist():
                    found.setdefault(concept, []).append(item)
            self._since = version, found
        return found

    def _given(self, item: int) -> Iterable[int]:
        """Yield the numbers of what the catalogue says of an item; a new name gets one."""
        hidden = frozenset() if self._learned is None else self._learned.hidden
        separator = "" if self._learned is None else self._learned.separator
        for kind, name in given(self._columns, item, separator):
            key = folded(name)
            if not key or key in hidden:
                continue
            number = self._number_of.get(key)
            yield self._new(key, name, kind) if number is None else number

    def _new(self, key: str, name: str, kind: Kind) -> int:
        with self._lock:
            number = self._number_of.get(key)
            if number is None:
                number = len(self.names)
                self.names.append(name)
                self.kinds.append(kind)
                self._number_of[key] = number  # last: who finds it finds its name
            return number


def given(columns: ItemColumns, item: int, separator: str = "") -> Iterable[tuple[Kind, str]]:
    """Yield what a catalogue says that an item is about: its category, in parts, and its tags."""
    code = int(columns.category[item])
    if code >= 0:
        for part in parts(columns.categories[code], separator):
            yield "category", part
    for tag in columns.tags_of(item):
        if tag.strip():
            yield "tag", tag.strip()


def parts(category: str, separator: str) -> list[str]:
    """Return the parts of a category that is several, or the category itself."""
    found = category.split(separator) if separator else [category]
    return [part.strip() for part in found if part.strip()]


def _inverted(learned: Learned) -> tuple[Numbers, Ids]:
    """Return the items of each concept, in the layout of the concepts of each item."""
    items = np.repeat(np.arange(len(learned.starts) - 1), np.diff(learned.starts))
    order = np.argsort(learned.members, kind="stable")
    counts = np.bincount(learned.members, minlength=len(learned.names))
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return starts, items[order].astype(np.int32)
