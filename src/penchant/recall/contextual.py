"""Recall by a factorised model of person, item and context, run by onnxruntime.

The network (`learn/sources/contextual.py`) reads a mean of the rows of what the person chose last
and the codes of the circumstances now, and answers with a vector that is compared with the rows of
all items: P(u, c | context) = softmax over c of v_c . q(u, context) + b_c. A request without
circumstances is one with codes of nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from penchant.interests.context.schema import Schema
from penchant.interests.state import State
from penchant.recall.source import Scores
from penchant.recall.table import Table
from penchant.store.log import Events
from penchant.types import Floats, Ids, Query

CONTEXTUAL = "contextual"
FADING = 0.9  # of the weight of a choice, what that before it has


def weights(n: int) -> Floats:
    """Return float32[n]: how much each of the last n choices counts, oldest first; they sum to 1.

    Also of fewer than a network may read: none of them is padding here.
    """
    out = FADING ** np.arange(n - 1, -1, -1, dtype=np.float32)
    return (out / max(float(out.sum()), 1e-9)).astype(np.float32)


class Contextual:
    """Scores by the product of the network's output with the item table."""

    name = CONTEXTUAL

    def __init__(
        self, schema: Schema, session: ort.InferenceSession, table: Table, length: int
    ) -> None:
        self._schema, self._session, self._length = schema, session, length
        self.table = table

    def score(self, query: Query, state: State) -> Scores | None:
        """Return the dense logit, NaN for items without a row; None for nobody, nowhere."""
        here: npt.NDArray[np.int64] = self._schema.here(query.context, query.now).astype(np.int64)
        rows = self.table.rows(state.liked.items)
        rows = rows[np.isfinite(rows[:, 0])][-self._length :] if len(rows) else rows
        if not len(rows) and not here.any():
            return None
        width = self._session.get_inputs()[0].shape[1]
        past = weights(len(rows)) @ rows if len(rows) else np.zeros(width, dtype=np.float32)
        told = {"past": past[None].astype(np.float32), "here": here[None]}
        (out,) = self._session.run(None, told)
        return Scores(self.table.scores(out[0], query.n_items))

    def learn_items(self, numbers: Ids, vectors: Floats) -> None:
        """Give new items a row from their text vector (`Table.learn_items`)."""
        self.table.learn_items(numbers, vectors)

    def fold(self, tail: Events, *, anew: bool = False) -> None:
        """Learn nothing: the weights are the snapshot's; the history they read is live."""
