"""Search by exact words: BM25 (Robertson and Zaragoza 2009, Lucene's variant) over item texts."""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from penchant.language.words import terms
from penchant.types import InvalidInput

if TYPE_CHECKING:
    from penchant.types import Floats, Ids, Mask

# Texts longer than this are cut: ranking by words gains nothing from the tail of a book.
_CHARACTERS = 20_000
_QUERY_CHARACTERS = 1_000
_DELTA_LEAST = 500
_DELTA_SHARE = 0.05
_K1, _B = 1.2, 0.75
_UNUSED = ("scipy", "numba", "jax")


class LexicalIndex:
    """An index of texts by number: `texts[i]` is item i; safe to read while it is updated.

    `update` keeps new and changed texts in a small delta, scored with the statistics of the last
    full build, and builds anew when the delta outgrows a twentieth of the whole, or a quarter of
    one that is small.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._lock = threading.Lock()
        self._built = _build([_words(text) for text in texts])

    def __len__(self) -> int:
        return self._built.size

    def update(self, numbers: Sequence[int], texts: Sequence[str]) -> None:
        """Add or replace the text of each number; an empty text removes it from every answer."""
        if len(numbers) != len(texts):
            raise InvalidInput(f"expected one text a number, got {len(numbers)} and {len(texts)}")
        if not len(numbers):
            return
        if min(numbers) < 0:
            raise InvalidInput(f"expected item numbers from 0, got {min(numbers)}")
        fresh = {int(n): _words(t) for n, t in zip(numbers, texts, strict=True)}
        with self._lock:
            delta = {**self._built.delta, **{n: Counter(w) for n, w in fresh.items()}}
            size = max(self._built.size, max(delta) + 1)
            # A young catalogue doubles within a day: what is rare in it has to keep up.
            least = min(_DELTA_LEAST, self._built.documents // 4)
            if len(delta) > max(least, _DELTA_SHARE * size):
                rows = self._built.words()
                rows += [[] for _ in range(size - len(rows))]
                for number, counts in delta.items():
                    rows[number] = list(counts.elements())
                self._built = _build(rows)
            else:
                self._built = replace(self._built, delta=delta, size=size)

    def scores(self, query: str) -> Floats:
        """Return the BM25 score of every item, float32[len(self)], 0 where no word matches."""
        built = self._built
        wanted = sorted(set(terms(query[:_QUERY_CHARACTERS])))
        out: Floats = np.zeros(built.size, np.float32)
        known = [built.vocabulary[w] for w in wanted if w in built.vocabulary]
        if known:
            out[: built.documents] = built.index.get_scores_from_ids(known)
        for number, counts in built.delta.items():
            out[number] = built.score(wanted, counts)
        return out

    def most(self, query: str) -> float:
        """Return what no score of the query can exceed: the rarities of its words added up."""
        return self._built.most(sorted(set(terms(query[:_QUERY_CHARACTERS]))))

    def search(self, query: str, k: int = 10, allowed: Mask | None = None) -> tuple[Ids, Floats]:
        """Return the numbers int32[m] and scores float32[m] of at most `k` matches, best first.

        Only items with a matching word are returned, and only those that `allowed` (by number; what
        lies beyond it is not allowed) lets through. Ties go to the lower number.
        """
        scores = self.scores(query)
        if allowed is not None:
            n = min(len(scores), len(allowed))
            scores[:n][~allowed[:n]] = 0
            scores[n:] = 0
        kept = np.flatnonzero(scores > 0)
        if len(kept) > k > 0:
            # The k-th best score, and with it every tie, so that the lower number wins.
            least = np.partition(scores[kept], len(kept) - k)[len(kept) - k]
            kept = kept[scores[kept] >= least]
        kept = kept[np.argsort(-scores[kept], kind="stable")][: max(0, k)]
        return kept.astype(np.int32), scores[kept]


@dataclass(frozen=True, slots=True)
class _Built:
    """One state of the index, replaced as a whole so that readers need no lock.

    `tokens` holds the words of all documents one after another as numbers of the vocabulary,
    document i from `starts[i]` to `starts[i + 1]`: what a later build needs, at 4 bytes a word.
    """

    index: Any
    vocabulary: Mapping[str, int]
    tokens: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    delta: Mapping[int, Counter[str]] = field(default_factory=dict)
    size: int = 0

    @property
    def documents(self) -> int:
        return len(self.starts) - 1

    @property
    def mean_length(self) -> float:
        return max(1.0, len(self.tokens) / max(1, self.documents))

    def words(self) -> list[list[str]]:
        names = list(self.vocabulary)
        return [
            [names[t] for t in self.tokens[start:end]]
            for start, end in zip(self.starts[:-1], self.starts[1:], strict=True)
        ]

    def score(self, wanted: Sequence[str], counts: Counter[str]) -> float:
        """Return the score of a document of the delta, with the formula of the index."""
        damping = _K1 * (1 - _B + _B * counts.total() / self.mean_length)
        score = 0.0
        for word in wanted:
            if tf := counts.get(word, 0):
                score += self._rarity(word) * tf / (tf + damping)
        return score

    def most(self, wanted: Sequence[str]) -> float:
        """Return what the score of a document approaches that says nothing but the words."""
        return sum(map(self._rarity, wanted))

    def _rarity(self, word: str) -> float:
        df = self._frequency(word)
        return float(np.log1p((max(1, self.documents) - df + 0.5) / (df + 0.5)))

    def _frequency(self, word: str) -> int:
        if (token := self.vocabulary.get(word)) is None:
            return 0
        starts = self.index.scores["indptr"]
        return int(starts[token + 1] - starts[token])


def _build(rows: list[list[str]]) -> _Built:
    vocabulary: dict[str, int] = {}
    tokens = [[vocabulary.setdefault(w, len(vocabulary)) for w in row] for row in rows]
    starts = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
    flat = np.fromiter((t for row in tokens for t in row), np.int32, int(starts[-1]))
    index = None
    if vocabulary:
        index = _bm25s().BM25(k1=_K1, b=_B, method="lucene", csc_backend="numpy")
        # It would add an empty word to what it is given.
        index.index((tokens, dict(vocabulary)), show_progress=False)
    return _Built(index, vocabulary, flat, starts, size=len(rows))


def _bm25s() -> Any:
    """Return the library. Imported late: it takes 0.1 s, and most requests have no words."""
    hidden = _Hidden(threading.get_ident())
    sys.meta_path.insert(0, hidden)
    try:
        import bm25s
    finally:
        sys.meta_path.remove(hidden)
    # It sets its logger to DEBUG, and would write into the log of whoever uses us.
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s


@dataclass(frozen=True)
class _Hidden(MetaPathFinder):
    """Hides libraries that bm25s loads where they are installed, and that nothing here uses.

    From one thread only: others may be importing them.
    """

    thread: int

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Return None, or raise for what is hidden."""
        if threading.get_ident() == self.thread and fullname.partition(".")[0] in _UNUSED:
            raise ModuleNotFoundError(f"{fullname} is hidden from bm25s", name=fullname)


def _words(text: str) -> list[str]:
    return terms(text[:_CHARACTERS])
