"""What a training sees: the wanted events as arrays in the order of time, and the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from penchant.language.projection import Layout
from penchant.learn.response.exposures import Exposures, Valued
from penchant.store.columns import ItemColumns
from penchant.types import Floats, Ids, Times

Earlier = Callable[[float], Floats]
Triple = tuple[str, str, str, float]


@dataclass(frozen=True)
class View:
    """Events with an item, sorted by time; arrays of one length.

    `strengths` is how much each was wanted (negative: rejected), `shared` its weight, 0 to 1, in
    what others learn from it. `vectors` float32[n_items, d] are text vectors, NaN rows for items
    without text, or None where there is no language model. `offsets` are the events' places in the
    log, None where they come from none. `item_change` is the last change of the catalogue it saw.
    Where texts hold reviews, `reviewed` says which, and `earlier` gives raw text vectors as of a
    moment. `bare` gives those of texts without their category, `texts` what items say themselves,
    one text an item, "" for none. `layout` names the parts of a raw row and their lengths, the
    text first, where items are more than their text. `links` reads what was linked, in parts.
    `contexts` are places in `context_texts`, the different contexts as JSON, -1 for none; None
    where no event has one. `exposures` are what people were faced with, `valued` what events were
    worth; both of the whole log, whatever events the view has.
    """

    users: Ids
    items: Ids
    times: Times
    strengths: Floats
    shared: Floats
    n_users: int
    columns: ItemColumns
    vectors: Floats | None = None
    offsets: npt.NDArray[np.int64] | None = None
    item_change: int = 0
    reviewed: npt.NDArray[np.int64] | None = None
    earlier: Earlier | None = None
    bare: Callable[[], Floats] | None = None
    texts: Callable[[], list[str]] | None = None
    layout: Layout = ()
    links: Callable[[], Iterable[Sequence[Triple]]] | None = None
    contexts: Ids | None = None
    context_texts: tuple[str, ...] = ()
    exposures: Exposures | None = None
    valued: Valued | None = None

    @property
    def n_items(self) -> int:
        """The number of items in the catalogue."""
        return self.columns.n

    def of_text(self, raw: Floats) -> Floats:
        """Return the part of raw rows that the encoder made of texts."""
        return raw[:, : self.layout[0][1]] if self.layout else raw

    def __len__(self) -> int:
        return len(self.items)

    def where(self, keep: npt.NDArray[np.bool_ | np.integer]) -> View:
        """Return the view with only the events in `keep`, a mask or places in another order."""
        return replace(
            self,
            users=self.users[keep],
            items=self.items[keep],
            times=self.times[keep],
            strengths=self.strengths[keep],
            shared=self.shared[keep],
            offsets=None if self.offsets is None else self.offsets[keep],
            contexts=None if self.contexts is None else self.contexts[keep],
        )

    def context(self, event: int) -> str | None:
        """Return the context of an event as JSON, None where it has none."""
        if self.contexts is None or self.contexts[event] < 0:
            return None
        return self.context_texts[int(self.contexts[event])]

    def before(self, moment: float) -> View:
        """Return the events strictly before `moment`."""
        return self.where(self.times < moment)

    def counted(self) -> npt.NDArray[np.bool_]:
        """Return bool[n]: which events others learn from: wanted, and with a weight there."""
        counted: npt.NDArray[np.bool_] = (self.strengths > 0) & (self.shared > 0)
        return counted

    def wanted(self) -> View:
        """Return the first wanted event of each user and item: what recall learns from."""
        place = np.flatnonzero(self.counted())
        code = self.users[place].astype(np.int64) * max(self.n_items, 1) + self.items[place]
        _, first = np.unique(code, return_index=True)
        chosen = np.zeros(len(self), dtype=np.bool_)
        chosen[place[first]] = True
        return self.where(chosen)

    def by_user(self) -> tuple[View, npt.NDArray[np.int64]]:
        """Return the view sorted by user, then time, and the start of each user's run (n + 1)."""
        order = np.lexsort((self.times, self.users))
        view = replace(
            self,
            users=self.users[order],
            items=self.items[order],
            times=self.times[order],
            strengths=self.strengths[order],
            shared=self.shared[order],
            offsets=None if self.offsets is None else self.offsets[order],
            contexts=None if self.contexts is None else self.contexts[order],
        )
        new = np.flatnonzero(np.diff(view.users, prepend=-1) != 0)
        return view, np.append(new, len(view)).astype(np.int64)

    def newest(self, share: float) -> float:
        """Return the moment from which on about `share` of the events happened.

        A moment is never cut in two, so with few distinct times (dates without hours) the share is
        the nearest that there is; at least one moment lies before.
        """
        times, counts = np.unique(self.times, return_counts=True)
        if len(times) < 2:
            return float(times[0]) if len(times) else 0.0
        since = counts[::-1].cumsum()[::-1] / len(self)
        return float(times[1 + int(np.argmin(np.abs(since[1:] - share)))])
