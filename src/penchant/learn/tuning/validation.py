"""What a tuning is validated by where the caller has nothing better: the next item, by text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penchant.learn.tuning.behaviour import Behaviour, past
from penchant.types import Floats, Ids


@dataclass(frozen=True)
class NextByText:
    """NDCG@k of what people wanted next, when items are ranked by text alone.

    The interest is the decayed mean of the last `window` items' unit vectors, as a request makes
    it, compared with all items by cosine; what a person had is left out. `users` and `targets` are
    one question each: what that person of `behaviour` wanted after all that it knows of them.
    Items without text are never answers. Ties count against the target.
    """

    behaviour: Behaviour
    users: Ids
    targets: Ids
    k: int = 10
    window: int = 10

    def __call__(self, vectors: Floats) -> float:
        """Return the mean of NDCG@k over all questions, 0 to 1."""
        gains = self.gains(vectors)
        return float(gains.mean()) if len(gains) else 0.0

    def gains(self, vectors: Floats) -> npt.NDArray[np.float64]:
        """Return float64[questions]: the NDCG@k of each; 0 for a person without a past."""
        behaviour = self.behaviour
        begins = np.searchsorted(behaviour.users, self.users, side="left")
        ends = np.searchsorted(behaviour.users, self.users, side="right")
        rows = np.nan_to_num(vectors)
        silent = ~np.isfinite(vectors[:, 0])
        out = np.zeros(len(self.users))
        for start in range(0, len(self.users), 512):
            part = slice(start, start + 512)
            told = past(behaviour, ends[part], self.window)
            wanted = np.einsum("nw,nwd->nd", told.weights, rows[told.items], dtype=np.float32)
            norms = np.linalg.norm(wanted, axis=1)
            scores = wanted @ rows.T
            target = scores[np.arange(len(norms)), self.targets[part]]
            scores[:, silent] = -np.inf
            for i, (a, e) in enumerate(zip(begins[part], ends[part], strict=True)):
                scores[i, behaviour.items[a:e]] = -np.inf
            scores[np.arange(len(norms)), self.targets[part]] = -np.inf
            rank = (scores >= target[:, None]).sum(1)
            fair = (norms > 1e-6) & (begins < ends)[part] & ~silent[self.targets[part]]
            out[part] = np.where(fair & (rank < self.k), 1.0 / np.log2(rank + 2.0), 0.0)
        return out
