"""Behaviour as a tuning reads it: texts, histories, and the training examples made of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from penchant.interests.state import DAY
from penchant.types import Floats, Ids, InvalidInput, Times

# As the interest of the request is made: penchant.recall.text.
HALF_LIFE = 7 * DAY
MOMENTS_HALF = 3.0
LONGEST = 200


@dataclass(frozen=True)
class Behaviour:
    """What people wanted, and what it says of itself.

    `texts` has one text an item, "" for none. `users` int32[n], `items` int32[n] and `times`
    float64[n] are the wanted events, sorted by user, then time. `categories` int32[n_items] has -1
    for unknown, `values` float32[n_items] NaN. Events of one moment are a set.
    """

    texts: list[str]
    users: Ids
    items: Ids
    times: Times
    categories: Ids | None = None
    values: Floats | None = None
    moments: npt.NDArray[np.int64] = field(init=False, repr=False)
    starts: npt.NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        n = len(self.texts)
        if not len(self.users) == len(self.items) == len(self.times):
            raise InvalidInput(
                "expected users, items and times of one length, got "
                f"{len(self.users)}, {len(self.items)} and {len(self.times)}"
            )
        if len(self.items) and not 0 <= int(self.items.min()) <= int(self.items.max()) < n:
            raise InvalidInput(
                f"expected item numbers from 0 to {n - 1}, one for each text, got "
                f"{int(self.items.min())} to {int(self.items.max())}"
            )
        same = self.users[1:] == self.users[:-1]
        later = np.diff(self.times) >= 0
        if not ((self.users[1:] > self.users[:-1]) | (same & later)).all():
            raise InvalidInput("expected events sorted by user, then time: sort with np.lexsort")
        for name in ("categories", "values"):
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise InvalidInput(f"expected {name} of {n} items, got {len(column)}")
        new = np.ones(len(self.users), np.bool_)
        new[1:] = ~same | (np.diff(self.times) > 0)
        opens = np.ones(len(self.users), np.bool_)
        opens[1:] = ~same
        object.__setattr__(self, "moments", np.cumsum(new, dtype=np.int64) - 1)
        starts = np.flatnonzero(opens)[np.cumsum(opens) - 1] if len(opens) else np.zeros(0)
        object.__setattr__(self, "starts", starts.astype(np.int64))

    @property
    def n_items(self) -> int:
        """The number of items."""
        return len(self.texts)

    @cached_property
    def readable(self) -> npt.NDArray[np.bool_]:
        """bool[n_items]: which items have a text at all."""
        return np.array([bool(text.strip()) for text in self.texts], np.bool_)

    @cached_property
    def people(self) -> sparse.csr_matrix:
        """float32[people, items] of 0 and 1: who wanted what, of items that can be read.

        Of each the newest 200 events: pairs grow with their square, and old ones tell less.
        """
        _, rows, sizes = np.unique(self.users, return_inverse=True, return_counts=True)
        newer = np.cumsum(sizes)[rows] - np.arange(len(rows)) - 1
        keep = self.readable[self.items] & (newer < LONGEST)
        shape = (int(rows.max(initial=-1)) + 1, self.n_items)
        ones = np.ones(int(keep.sum()), np.float32)
        found = sparse.csr_matrix((ones, (rows[keep], self.items[keep])), shape=shape)
        found.data[:] = 1.0
        return found

    @cached_property
    def by_item(self) -> sparse.csc_matrix:
        """`people`, quick to take columns of."""
        return self.people.tocsc()

    def digest(self) -> str:
        """Return what names this behaviour: equal digests, equal contents."""
        digest = hashlib.blake2b(digest_size=16)
        for text in self.texts:
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        for column in (self.users, self.items, self.times, self.categories, self.values):
            digest.update(b"-" if column is None else np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Past:
    """What somebody wanted before a moment: items int64[n, window] and weights float32[n, window].

    Weights are 0 where the past is shorter than the window.
    """

    items: npt.NDArray[np.int64]
    weights: Floats


def past(behaviour: Behaviour, ends: npt.NDArray[np.int64], window: int) -> Past:
    """Return the past of each place in `ends`, exclusive: weighted as a request's interest is.

    An end is the place of an event, or one behind the last of a person. Moments count, not places:
    what was wanted at the moment of the end is no past of it.
    """
    last = ends - 1
    place = last[:, None] - np.arange(window)[None]
    inside = (last >= 0)[:, None] & (place >= behaviour.starts[np.maximum(last, 0)][:, None])
    place = np.where(inside, place, 0)
    items = behaviour.items[place].astype(np.int64)
    inside &= behaviour.readable[items]
    newest = np.maximum(last, 0)[:, None]
    age = behaviour.times[newest] - behaviour.times[place]
    ago = behaviour.moments[newest] - behaviour.moments[place]
    weights = np.exp2(-age / HALF_LIFE - ago / MOMENTS_HALF) * inside
    return Past(items, weights.astype(np.float32))


@dataclass(frozen=True)
class Histories:
    """Every wanted event with a past: its place, where its moment begins, and its item."""

    behaviour: Behaviour
    events: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, behaviour: Behaviour) -> Histories:
        """Return the events that are told by an earlier moment of the same person."""
        moments = behaviour.moments
        first = np.flatnonzero(np.diff(moments, prepend=-1) != 0)
        begins = first[moments] if len(moments) else moments
        events = np.flatnonzero((begins > behaviour.starts) & behaviour.readable[behaviour.items])
        return cls(behaviour, events, begins[events], behaviour.items[events].astype(np.int64))

    def __len__(self) -> int:
        return len(self.events)


@dataclass(frozen=True)
class Pairs:
    """Items wanted by the same people: `left`, `right` int64[m], and how telling each pair is.

    `weights` float64[m] sum to 1: the cosine of the two items' people (Sarwar et al. 2001), in
    which a popular item has no more to say than a rare one. Each item keeps its `most` best.
    """

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def of(cls, behaviour: Behaviour, most: int = 50, rows: int = 2048) -> Pairs:
        """Return the pairs of `behaviour`; people with many items say less of each pair."""
        people = behaviour.people
        sizes = np.asarray(people.sum(1)).ravel()
        # A person with n items makes n squared pairs, and is one witness.
        told = sparse.diags(1.0 / np.sqrt(np.maximum(sizes, 1.0))).dot(people).tocsr()
        items = told.T.tocsr()
        norms = np.sqrt(np.asarray(items.multiply(items).sum(1)).ravel())
        scale = sparse.diags(np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0))
        unit = scale.dot(items).tocsr()
        left, right, weights = [], [], []
        for start in range(0, behaviour.n_items, rows):
            block = (unit[start : start + rows] @ unit.T).tocoo()
            apart = block.row + start != block.col
            row, column, value = block.row[apart], block.col[apart], block.data[apart]
            order = np.lexsort((-value, row))
            row, column, value = row[order], column[order], value[order]
            first = np.searchsorted(row, row)
            kept = np.arange(len(row)) - first < most
            left.append(row[kept].astype(np.int64) + start)
            right.append(column[kept].astype(np.int64))
            weights.append(value[kept].astype(np.float64))
        if not left or not sum(map(len, left)):
            none = np.zeros(0, np.int64)
            return cls(none, none, np.zeros(0))
        joined = np.concatenate(weights)
        return cls(np.concatenate(left), np.concatenate(right), joined / joined.sum())


def together(
    behaviour: Behaviour, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return bool[a, b]: whether anybody wanted both, for items `left` [a] and `right` [b]."""
    met = behaviour.by_item[:, left].T @ behaviour.by_item[:, right]
    dense: npt.NDArray[np.bool_] = np.asarray(met.todense()) > 0
    return dense


def near(
    behaviour: Behaviour,
    vectors: Floats,
    anchors: npt.NDArray[np.int64],
    count: int,
    rng: np.random.Generator,
    among: int = 30,
) -> npt.NDArray[np.int64]:
    """Return int64[n, count]: items near each anchor by text, that nobody wanted with it.

    Drawn from the `among` nearest by `vectors` float32[n_items, d]: a mistake that the frozen model
    would make, which a random item is not (Xiong et al. 2021).
    """
    rows = np.nan_to_num(vectors)
    scores = rows[anchors] @ rows.T
    met = (behaviour.by_item[:, anchors].T @ behaviour.people).tocoo()
    scores[met.row, met.col] = -2.0
    scores[np.arange(len(anchors)), anchors] = -2.0
    scores[:, ~behaviour.readable] = -2.0
    among = min(max(among, count), scores.shape[1])
    best = np.argpartition(-scores, among - 1, axis=1)[:, :among]
    chosen = rng.permuted(best, axis=1)[:, :count]
    return chosen.astype(np.int64)
