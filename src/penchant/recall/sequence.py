"""Recall by a sequence transformer, run by onnxruntime: what comes next, given order and time.

The network (see `learn/sources/sequence.py`) reads the rows of the person's last wanted items with
the time gaps between them, and is told how long ago the last one was: a gap of zero asks to
complete the present moment, a long one asks what a returning person wants. Its output is compared
with a table of item vectors. The same class serves the model on item ids and the one on item text:
for the latter a new item gets its row from its text the moment it arrives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from penchant.interests.context.schema import Schema
from penchant.interests.state import State
from penchant.recall.source import Scores
from penchant.recall.table import Table
from penchant.store.log import Events
from penchant.types import Floats, Ids, Query

GAP_BUCKETS = 16
# From where on each bucket reaches: above 0, then steps of 2^1.8, the first of which begins at 1.
_EDGES = np.array([np.nextafter(0.0, 1.0), *np.exp2(1.8 * np.arange(1, GAP_BUCKETS - 1))])


def gap_buckets(seconds: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Return the bucket 0..15 of each time gap: 0 for none, then logarithmic up to two years."""
    return np.searchsorted(_EDGES, seconds, side="right")


def quiet_session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """Return an onnxruntime session that uses `threads` threads and never spins while idle."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True, slots=True)
class Told:
    """What the values of circumstances add, float32[n_codes, d] each by its code.

    `then` to the rows of what was chosen in them, `here` to what is asked for in them.
    """

    schema: Schema
    then: Floats
    here: Floats


class Sequence:
    """Scores by the product of the network's output with the item table."""

    def __init__(
        self,
        name: str,
        session: ort.InferenceSession,
        table: Table,
        length: int,
        told: Told | None = None,
    ) -> None:
        self.name = name
        self._told = told
        self.length = length
        self.table = table
        self._session = session

    def learn_items(self, numbers: Ids, vectors: Floats) -> None:
        """Give new items a row from their text vector (`Table.learn_items`)."""
        self.table.learn_items(numbers, vectors)

    def hidden(self, query: Query, state: State) -> Floats | None:
        """Return the network's output float32[d] for this person now; None if it knows nothing."""
        liked = state.liked
        rows = self.table.rows(liked.items)
        keep = np.flatnonzero(np.isfinite(rows[:, 0]))[-self.length :] if len(rows) else ()
        if not len(keep):
            return None
        rows, times = rows[keep], liked.times[keep]
        gaps = np.zeros(len(keep), dtype=np.int64)
        gaps[1:] = gap_buckets(times[1:] - times[:-1])
        ahead = gap_buckets(np.array([state.now - times[-1]]))
        asked = {"gaps": gaps[None], "ahead": ahead}
        if self._told is not None:
            contexts = [liked.contexts[at] for at in keep] if liked.contexts else ()
            rows = rows + self._told.then[self._told.schema.then(contexts, times)].sum(axis=1)
            here = self._told.schema.here(query.context, query.now)
            asked["said"] = self._told.here[here].sum(axis=0)[None]
        (out,) = self._session.run(None, {"rows": rows[None], **asked})
        hidden: Floats = out[0]
        return hidden

    def score(self, query: Query, state: State) -> Scores | None:
        """Return the dense logit, NaN for items without a row; None without known history."""
        hidden = self.hidden(query, state)
        if hidden is None:
            return None
        return Scores(self.table.scores(hidden, query.n_items))

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: the weights are the snapshot's; the history they read is live."""
