"""A plan of evaluation: what trains, who is asked when and wants what, before any system runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.measure.moments import Arm, Moments, Requests, ask, moments
from penchant.measure.ranking import Lists
from penchant.measure.slices import session_places
from penchant.measure.split import Split, global_time, leave_one_out
from penchant.types import InvalidInput

Protocol = Literal["global-time", "last", "leave-one-out"]


@dataclass(frozen=True, repr=False)
class Plan:
    """Everything an evaluation needs to know except the system.

    `users` and `items` are ids by number, `items` being the whole catalogue. `user`, `item`
    int64[n] and `time` float64[n] are all positive events; `split`, `moments` and `requests` index
    them. `wanted` holds the targets of each request, `history` int64[r] how many events its asker
    had by then, `places` int64[r] its place in the session.
    """

    protocol: Protocol
    arm: Arm
    seed: int
    users: tuple[str, ...]
    items: tuple[str, ...]
    user: npt.NDArray[np.int64]
    item: npt.NDArray[np.int64]
    time: npt.NDArray[np.float64]
    split: Split
    moments: Moments
    requests: Requests
    wanted: Lists
    history: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]

    @cached_property
    def train(self) -> pl.DataFrame:
        """What trains: user_id, item_id, timestamp (seconds), in the order of time."""
        at = self.split.train
        return pl.DataFrame(
            {
                "user_id": pl.Series(self.users, dtype=pl.String).gather(self.user[at]),
                "item_id": pl.Series(self.items, dtype=pl.String).gather(self.item[at]),
                "timestamp": self.time[at],
            }
        )

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """Training events of each item of the catalogue, int64[n]."""
        return np.bincount(self.item[self.split.train], minlength=len(self.items))

    @property
    def askers(self) -> npt.NDArray[np.int64]:
        """The user of each request, int64[r]."""
        return self.moments.users[self.requests.moments]

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """The time of each request in seconds, float64[r]."""
        return self.moments.times[self.requests.moments]


def plan(
    events: pl.DataFrame,
    items: Sequence[str] = (),
    *,
    protocol: Protocol = "global-time",
    arm: Arm = "next",
    quantile: float = 0.9,
    most: int = 6000,
    seed: int = 7,
) -> Plan:
    """Return the plan for positive `events`: user_id, item_id, timestamp in seconds.

    `items` is the catalogue; items that only events name are added to it. "global-time" asks at
    every moment after one cut, "last" only at each user's last one, "leave-one-out" holds out each
    user's last event. At most `most` requests, drawn by `seed`.
    """
    if protocol not in get_args(Protocol):
        raise InvalidInput(f"protocol is one of {', '.join(get_args(Protocol))}; got {protocol!r}")
    if arm not in get_args(Arm):
        raise InvalidInput(f"arm is one of {', '.join(get_args(Arm))}; got {arm!r}")
    if events.height < 2:
        raise InvalidInput(
            f"evaluation needs events to train on and events to ask for; there are {events.height}"
        )
    user_ids, user = _numbered(events["user_id"], ())
    item_ids, item = _numbered(events["item_id"], items)
    time = events["timestamp"].cast(pl.Float64).to_numpy()
    if protocol == "leave-one-out":
        split = leave_one_out(user, item, time)
    else:
        targets: Literal["last", "successive"] = "last" if protocol == "last" else "successive"
        split = global_time(user, item, time, quantile, targets)
    if not len(split.train) or not len(split.test):
        raise InvalidInput(
            f"the split leaves {len(split.train)} events to train on and {len(split.test)} to ask "
            f"for; both are needed. Record events at more than one time"
        )
    after = moments(user, time, split.test, seed)
    asked = np.zeros(len(time), dtype=np.bool_)
    asked[split.test] = split.asked
    requests = ask(after, arm, most, seed, asked[after.events[after.bounds[:-1]]])
    walked = np.concatenate([split.train, after.events])
    at = len(split.train) + requests.start
    places = session_places(user[walked], time[walked])[at] + requests.steps
    return Plan(
        protocol=protocol,
        arm=arm,
        seed=seed,
        users=user_ids,
        items=item_ids,
        user=user,
        item=item,
        time=time,
        split=split,
        moments=after,
        requests=requests,
        wanted=requests.targets(after, item),
        history=_earlier(user[walked])[at],
        places=places,
    )


def _numbered(
    column: pl.Series, first: Sequence[str]
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    ids = pl.concat([pl.Series(list(first), dtype=pl.String), column.cast(pl.String)])
    names = ids.unique(maintain_order=True)
    numbers = pl.DataFrame({"id": column.cast(pl.String)}).join(
        pl.DataFrame({"id": names}).with_row_index("number"),
        on="id",
        how="left",
        maintain_order="left",
    )
    return tuple(names.to_list()), numbers["number"].cast(pl.Int64).to_numpy()


def _earlier(users: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how many rows of the same user come before each row."""
    order = np.argsort(users, kind="stable")
    number = np.arange(len(users))
    fresh = np.ones(len(users), dtype=np.bool_)
    fresh[1:] = users[order][1:] != users[order][:-1]
    out = np.empty(len(users), dtype=np.int64)
    out[order] = number - np.maximum.accumulate(np.where(fresh, number, 0))
    return out
