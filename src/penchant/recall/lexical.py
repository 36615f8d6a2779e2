"""Recall by words: items that hold the words of a question, those that bear its name above all."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import polars as pl

from penchant.interests.state import State
from penchant.language.lexical import LexicalIndex
from penchant.language.searchable import Words
from penchant.language.words import name as name_of
from penchant.recall.source import NotReady, Scores
from penchant.store.log import Events
from penchant.types import Floats, Query

Changed = Callable[[int], tuple[pl.DataFrame, int]]
WAIT = 1.0  # seconds that a question waits for the index to be made
NAMED = 1.0  # a value from here on says that the question is the name of the item
_LONGEST = 1_000  # characters of a question that can be a name
# Catalogues write "Toy Story (1995)" and mean a name and a remark.
_REMARK = re.compile(r"\s*[(\[\uff08].*$", re.DOTALL)


class Lexical:
    """Scores by the share of a question's words that an item's text holds, weighed by rarity.

    value = BM25(question, names + text) / the most BM25 can give the question, from 0 to 1; plus 1
    where the words of the question are those of one of the item's names (its title in whatever
    language, its id). Questions without words have no answer and cost nothing: the index is made at
    the first that has some, from `changed` (`store.Catalogue.changed`), and from then on takes in
    what changed before it answers. `searchable` says what is read of an item. Making the index
    takes a second for some 20,000 items: who waits longer than `WAIT` is answered without it.
    """

    def __init__(
        self,
        name: str,
        changed: Changed,
        searchable: Callable[[pl.DataFrame], Sequence[Words]],
        get: Callable[[Sequence[int]], pl.DataFrame] | None = None,
    ) -> None:
        self.name = name
        self._changed = changed
        self._searchable = searchable
        self._get = get
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._maker: threading.Thread | None = None
        self._failed: BaseException | None = None
        self._closed = False
        self._after = 0
        # How often the catalogue was said to have changed, and up to which of these it was read.
        self._told, self._known = 1, 0
        # Items that say something else although their rows in the catalogue are as they were.
        self._reworded: set[int] = set()
        self._hearing = threading.Lock()
        self._index = LexicalIndex()
        self._names: dict[int, tuple[str, ...]] = {}
        self._named: dict[str, frozenset[int]] = {}

    def outdated(self, reworded: Iterable[int] = ()) -> None:
        """Have the next question in words look at what changed in the catalogue first.

        `reworded` are items whose texts changed beside it; they are read by `get`.
        """
        with self._hearing:
            self._reworded.update(reworded)
            self._told += 1

    def score(self, query: Query, state: State) -> Scores | None:
        """Return values for the items that hold a word of the question; None without words."""
        if not query.text:
            return None
        asked = name_of(query.text[:_LONGEST])
        if not asked:
            return None
        if self._known < self._told:
            self._catch_up()
        found, most = self._index.scores(query.text), self._index.most(query.text)
        values: Floats = found[: query.n_items] / np.float32(max(most, 1e-6))
        named = [n for n in self._named.get(asked, ()) if n < len(values)]
        values[named] += np.float32(NAMED)
        items = np.flatnonzero(values > 0).astype(np.int32)
        return Scores(values[items], items)

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: what is found follows the catalogue, not the log."""

    def close(self) -> None:
        """Return once nothing is read any more; what is being made is given up."""
        self._closed = True
        with self._reading:
            pass

    def _catch_up(self) -> None:
        if not self._known:
            self._begin()
        with self._lock:
            self._read()

    def _begin(self) -> None:
        with self._lock:
            if self._known:
                return
            if self._maker is None:
                self._maker = threading.Thread(target=self._make, daemon=True)
                self._maker.start()
            maker = self._maker
        maker.join(WAIT)
        with self._lock:
            failed, self._failed = self._failed, None
            if not maker.is_alive():
                self._maker = None
        if failed is not None:
            raise failed
        if not self._known:
            raise NotReady("the words of the catalogue are being read; ask again in a moment")

    def _make(self) -> None:
        try:
            self._read()
        except BaseException as error:
            self._failed = error

    def _read(self) -> None:
        with self._hearing:
            # What is told of while this reads is read next time.
            told, reworded = self._told, self._reworded
            if self._known >= told:
                return
            self._reworded = set()
        try:
            with self._reading:
                if self._closed:
                    return
                rows, after = self._changed(self._after)
                more = sorted(reworded - set(rows["number"].to_list())) if self._after else []
                if more and self._get is not None:
                    rows = pl.concat((rows, self._get(more)))
            if len(rows):
                self._take_in(rows)
        except BaseException:
            with self._hearing:
                self._reworded |= reworded
            raise
        self._after, self._known = after, told

    def _take_in(self, rows: pl.DataFrame) -> None:
        numbers = rows["number"].to_list()
        read = self._searchable(rows)
        texts = [item.text for item in read]
        if self._after:
            self._index.update(numbers, texts)
        else:
            first = [""] * (max(numbers) + 1)
            for number, text in zip(numbers, texts, strict=True):
                first[number] = text
            self._index = LexicalIndex(first)
        named = self._named
        for number, item, item_id in zip(numbers, read, rows["item_id"].to_list(), strict=True):
            for name in self._names.get(number, ()):
                named[name] = named[name] - {number}
                if not named[name]:
                    del named[name]
            said = {item_id, *item.names, *(_REMARK.sub("", one) for one in item.names)}
            names = tuple({name_of(one[:_LONGEST]) for one in said} - {""})
            self._names[number] = names
            for name in names:
                named[name] = named.get(name, frozenset()) | {number}
