"""Where a person's interest points: h_t over their last session, the last week, and all of it.

Three windows of the one state, each with a direction, how sure it is, and how far it turned since
the day before. Pure arithmetic on item vectors: a request, a training row and a profile on a screen
call the same function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penchant.interests.state import DAY, SAME_SESSION, State
from penchant.types import Floats, Times

NAMES = ("session", "week", "all")
WEEK = 7 * DAY
DOUBT = 2.0  # wishes that a window must hold before half of what they agree on is believed


@dataclass(frozen=True, slots=True)
class Windows:
    """`directions` float32[3, d]: unit vectors, of `NAMES` in turn, zeros where a window is empty.

    `sure` float32[3] is 0 for nothing and towards 1 the more wishes agree; `turned` float32[3] the
    cosine to the direction of a day ago, NaN where there was none then, or is none now.
    """

    directions: Floats
    sure: Floats
    turned: Floats


def windows(state: State, rows: Floats) -> Windows:
    """Return the windows of a state whose events have the item vectors `rows` float32[n, d].

    Of each window the sum of strength times vector, |h| / (sum of |strength| + 2) being how sure it
    is. Rows of NaN, of items without a text, add nothing. A window without a wish points nowhere:
    what somebody turned down only says where not to go.
    """
    known = np.isfinite(rows[:, 0]) if len(rows) else np.zeros(0, dtype=np.bool_)
    times, strengths = state.times[known], state.strengths[known]
    weights = np.zeros((6, len(times)), dtype=np.float32)
    for at, now in enumerate((state.now, state.now - DAY)):
        weights[3 * at : 3 * at + 3] = held(times, now)
    weights *= strengths
    weights[~(weights > 0).any(axis=1)] = 0.0
    sums = weights @ rows[known] if len(times) else np.zeros((6, rows.shape[1]), dtype=np.float32)
    lengths = np.sqrt(np.einsum("wd,wd->w", sums, sums))
    units = sums / np.maximum(lengths, 1e-9)[:, None]
    total = np.abs(weights).sum(axis=1)
    turned = np.einsum("wd,wd->w", units[:3], units[3:])
    turned[(lengths[:3] < 1e-6) | (lengths[3:] < 1e-6)] = np.nan
    return Windows(
        units[:3].astype(np.float32),
        (lengths[:3] / (total[:3] + DOUBT)).astype(np.float32),
        turned.astype(np.float32),
    )


def held(times: Times, now: float) -> Floats:
    """Return float32[3, n]: which events each window of `NAMES` holds at a moment."""
    past = times <= now
    held = np.zeros((len(NAMES), len(times)), dtype=np.float32)
    if past.any():
        held[0] = past & (times >= begun(times[past]))
        held[1] = past & (times > now - WEEK)
        held[2] = past
    return held


def begun(times: Times) -> float:
    """Return when the last session of a history began: after the last silence of half an hour.

    `times` float64[n], n > 0, in ascending order.
    """
    silent = np.flatnonzero(np.diff(times) > SAME_SESSION)
    return float(times[silent[-1] + 1] if len(silent) else times[0])
