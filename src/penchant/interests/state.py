"""What this person wants now: the state `h_t`, a pure fold over their last events.

The same functions serve a live request and build training rows: nothing here knows which it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from penchant.types import Floats, Ids, Times

DAY = 86_400.0
SAME_SESSION = 1_800.0  # a silence of half an hour ends a session


@dataclass(frozen=True, slots=True)
class Values:
    """What a person's events were worth: stars, money, seconds, in the unit of their kind.

    `items` int32[m], `values` float32[m], `kinds` int16[m] indexes `kind_names`; oldest first. Also
    of events that were neither wanted nor rejected.
    """

    items: Ids
    values: Floats
    kinds: npt.NDArray[np.int16]
    kind_names: tuple[str, ...]

    def of(self, kind: str) -> tuple[Ids, Floats]:
        """Return the items and values of one kind of event."""
        if kind not in self.kind_names:
            return self.items[:0], self.values[:0]
        own = self.kinds == self.kind_names.index(kind)
        return self.items[own], self.values[own]


@dataclass(frozen=True, slots=True)
class State:
    """A person at the moment `now`: their last events, oldest first, and the words they used.

    `items` int32[n], `times` float64[n] seconds, `strengths` float32[n] (how much it was wanted,
    negative for rejection) describe the last N events that had an item; `seen` holds every item
    the person ever had, newest or not; `words` is what the encoder made of what they asked for, or
    None: each reader of texts has a space of its own. `contexts` are those of the events, as they
    are written down (JSON), or empty where none has one; `values` what events were worth, None
    where none was worth anything.
    """

    now: float
    items: Ids
    times: Times
    strengths: Floats
    seen: Ids
    words: Floats | None = None
    contexts: tuple[str | None, ...] = ()
    values: Values | None = None
    liked: Liked = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "liked", Liked.of(self))


@dataclass(frozen=True, slots=True)
class Liked:
    """The positive part of a state: what was wanted, when, and how many moments ago.

    Events of one moment are a set: they share `moments`, 0 for the newest moment, 1 for the one
    before, and so on. An item had twice stands where it was had last. `same_moment` says that the
    newest moment is now: the person is filling a basket.
    """

    items: Ids
    times: Times
    strengths: Floats
    moments: npt.NDArray[np.int32]
    same_moment: bool
    contexts: tuple[str | None, ...] = ()

    @classmethod
    def of(cls, state: State) -> Liked:
        """Return what `state` holds of wanted items, each once, oldest first."""
        keep = np.flatnonzero(state.strengths > 0)
        if len(keep) > 1:
            # The last occurrence of each item counts: np.unique keeps the first of the reversed.
            _, first = np.unique(state.items[keep][::-1], return_index=True)
            if len(first) < len(keep):
                keep = keep[np.sort(len(keep) - 1 - first)]
        times = state.times[keep]
        if len(keep):
            step = np.concatenate(([0], np.cumsum(times[1:] != times[:-1])))
            moments = (step[-1] - step).astype(np.int32)
        else:
            moments = np.zeros(0, dtype=np.int32)
        return cls(
            items=state.items[keep],
            times=times,
            strengths=state.strengths[keep],
            moments=moments,
            same_moment=bool(len(times)) and bool(times[-1] >= state.now),
            contexts=tuple(state.contexts[at] for at in keep.tolist()) if state.contexts else (),
        )

    def __len__(self) -> int:
        return len(self.items)


def interest(
    items: Ids,
    times: Times,
    strengths: Floats,
    now: float,
    vectors: Floats,
    half_life: float = 7 * DAY,
) -> Floats:
    """Return h_t float32[d]: the strength-weighted, time-decayed sum of item vectors.

    Equal to folding `h <- h * 2^(-(t' - t) / half_life) + strength * v` over the events in order
    (see `fold`); written as one product because a request has all of them at hand. `vectors` is
    float32[n, d], row e for event e; rows of NaN (an item without text) add nothing.
    """
    if not len(items):
        return np.zeros(vectors.shape[1], dtype=np.float32)
    weight = strengths * np.exp2(-(now - times) / half_life).astype(np.float32)
    known = np.isfinite(vectors[:, 0])
    out: Floats = weight[known] @ vectors[known]
    return out


def fold(h: Floats, elapsed: float, strength: float, vector: Floats, half_life: float) -> Floats:
    """Return the state after one more event, `elapsed` seconds after the previous one."""
    decayed: Floats = h * np.float32(2.0 ** (-elapsed / half_life))
    return decayed + np.float32(strength) * vector
