"""A synthetic world of any size, for measuring speed and memory: nothing in it is real.

It has what makes a log hard: Zipf popularity, a few lively users, tastes that hold over a session,
items that follow one another, repeats, and items that come late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.evaluate.simulate.simulation import START
from penchant.types import InvalidInput

Numbers = npt.NDArray[np.int64]

_DAY = 86_400.0
_MICROS = 1_000_000
_SESSION = 5.0
_TASTES = 3
_FOLLOWS = 0.25
_STRAYS = 0.1
_LATE = 0.15


def _words(text: str) -> list[str]:
    return text.split()


_MAKES = _words(
    "Alder Birch Cedar Dune Ember Flint Grove Harbour Iris Juniper Kestrel Linden Maple North Opal "
    "Pine Quartz Raven Slate Thistle Umber Vale Willow Yarrow Zephyr"
)
_MANNERS = _words(
    "amber antique blue bright calm copper crimson deep early folding gentle golden green heavy "
    "ivory large late light little long matt narrow olive pale plain quiet red round rustic silver "
    "slim small smooth soft solid striped tall thin violet warm white wide winter woven"
)
_THINGS = _words(
    "basket blanket board book bottle bowl box brush bucket candle chair clock cloth coat cup "
    "curtain cushion desk drum fan flute frame glass globe glove guitar hammer hat jacket jar "
    "kettle key kite knife ladder lamp lantern map mat mirror mug pan pen pillow plate pot puzzle "
    "radio ring rope rug saw scarf shelf shirt shoe spoon stool table tent toy tray umbrella vase "
    "wagon wheel"
)
_USES = _words("baby bath beach bedroom camping city dining garden hall kitchen office school")


@dataclass(frozen=True)
class World:
    """A synthetic log: `items`, `users` and `events` as frames, and what made it.

    `category` int64[n_items] is each item's category by number, `tastes` int64[n_users, 3] are the
    categories each user likes, most liked first.
    """

    items: pl.DataFrame
    users: pl.DataFrame
    events: pl.DataFrame
    category: Numbers
    tastes: Numbers


def world(
    n_users: int = 20_000,
    n_items: int = 50_000,
    n_events: int = 1_000_000,
    seed: int = 0,
    days: float = 180.0,
) -> World:
    """Return a synthetic world of exactly these sizes: the same seed gives the same world.

    Events have user_id, item_id, event ("click") and timestamp, in order of time.
    """
    if min(n_users, n_items) < 1 or n_events < 0 or not days >= 1:
        raise InvalidInput(
            f"expected at least 1 user, 1 item, 0 events and 1 day; got {n_users} users, {n_items} "
            f"items, {n_events} events, {days} days"
        )
    rng = np.random.default_rng(seed)
    n_categories = int(np.clip(np.sqrt(n_items) / 2, 1, len(_THINGS) * len(_USES)))
    category = np.sort(rng.integers(0, n_categories, n_items))
    tastes = rng.integers(0, n_categories, (n_users, _TASTES))
    user, time, session = _sessions(n_users, n_events, days, rng)
    liked = _liked(tastes, user, session, n_categories, rng)
    late = np.where(rng.random(n_items) < _LATE, rng.random(n_items) * days * _DAY, 0.0)
    item = _released(_choose(category, liked, session, rng), time, late)
    # So far the items lie sorted by category, which a number must not tell.
    place = rng.permutation(n_items)
    category, late, item = category[np.argsort(place)], late[np.argsort(place)], place[item]
    return World(
        items=_items(category, late, rng),
        users=pl.DataFrame(
            {"user_id": _ids("u", n_users), "attributes": ['{"synthetic":true}'] * n_users}
        ),
        events=_events(user, item, time),
        category=category,
        tastes=tastes,
    )


def _sessions(
    n_users: int, n_events: int, days: float, rng: np.random.Generator
) -> tuple[Numbers, npt.NDArray[np.float64], Numbers]:
    """Return user, seconds since the start, and number of the session of each event."""
    lengths = rng.geometric(1.0 / _SESSION, size=max(1, int(n_events)))
    ends = np.cumsum(lengths)
    n = int(np.searchsorted(ends, n_events)) + 1
    session = np.repeat(np.arange(n), lengths[:n])[:n_events]
    lively = rng.lognormal(0.0, 1.0, n_users)
    owner = rng.choice(n_users, size=n, p=lively / lively.sum())
    begins = rng.random(n) * (days - 0.5) * _DAY
    pauses = rng.exponential(40.0, size=n_events) + 1.0
    elapsed = np.cumsum(pauses)
    first = np.concatenate([[0], ends[: n - 1]])
    base = elapsed[np.minimum(first, max(n_events - 1, 0))] if n_events else elapsed
    time = begins[session] + elapsed - base[session] if n_events else elapsed
    return owner[session], np.round(time, 3), session


def _liked(
    tastes: Numbers, user: Numbers, session: Numbers, n_categories: int, rng: np.random.Generator
) -> Numbers:
    """Return the category of each event: one taste for a session, now and then a stray one."""
    n_sessions = int(session[-1]) + 1 if len(session) else 0
    taste = rng.choice(_TASTES, size=n_sessions, p=(0.6, 0.3, 0.1))[session]
    stray = rng.random(len(user)) < _STRAYS
    return np.asarray(
        np.where(stray, rng.integers(0, n_categories, len(user)), tastes[user, taste])
    )


def _choose(
    category: Numbers, liked: Numbers, session: Numbers, rng: np.random.Generator
) -> Numbers:
    """Return an item for each event: popular in its category, or the one that follows the last."""
    n_items = len(category)
    first = np.searchsorted(category, np.arange(category[-1] + 2))
    # A category that got no item borrows the one after it.
    low = np.minimum(first[np.minimum(liked, category[-1])], n_items - 1)
    size = np.maximum(first[np.minimum(liked, category[-1]) + 1] - low, 1)
    # The inverse of a Zipf-like law: rank r has a share of about 1 / (r + 1).
    rank = np.minimum((np.exp(rng.random(len(liked)) * np.log(size + 1.0)) - 1.0), size - 1)
    item: Numbers = low + rank.astype(np.int64)
    follows: Numbers = np.flatnonzero(
        (rng.random(len(item)) < _FOLLOWS) & (_previous(session) == session)
    )
    # In order, so that a chain of followers follows what was chosen, not what was drawn.
    run = np.concatenate([[True], np.diff(follows) != 1]) if len(follows) else np.zeros(0, bool)
    depth = np.arange(len(follows)) - np.maximum.accumulate(
        np.where(run, np.arange(len(follows)), 0)
    )
    for level in range(int(depth.max(initial=-1)) + 1):
        at = follows[depth == level]
        item[at] = (item[at - 1] + 1) % n_items
    # The same item twice within a minute would read as one click that was sent twice.
    again = np.concatenate([[False], (item[1:] == item[:-1]) & (session[1:] == session[:-1])])
    return np.asarray(np.where(again, (item + 1) % n_items, item)) if len(item) else item


def _previous(session: Numbers) -> Numbers:
    return np.concatenate([[-1], session[:-1]]) if len(session) else session


def _released(
    item: Numbers, time: npt.NDArray[np.float64], late: npt.NDArray[np.float64]
) -> Numbers:
    """Return the items with those that were not there yet replaced by others that always were."""
    early = np.flatnonzero(late == 0.0)
    if not len(early):
        return item
    missing = late[item] > time
    # The nearest neighbour is of the same category nearly always.
    place = np.maximum(np.searchsorted(early, item[missing], side="right") - 1, 0)
    out = item.copy()
    out[missing] = early[place]
    return out


def _items(
    category: Numbers, late: npt.NDArray[np.float64], rng: np.random.Generator
) -> pl.DataFrame:
    n = len(category)
    things, uses = np.array(_THINGS), np.array(_USES)
    thing = pl.Series(things[category % len(things)])
    use = pl.Series(uses[category // len(things) % len(uses)])
    make = pl.Series(np.array(_MAKES)[rng.integers(0, len(_MAKES), n)])
    manners = np.array(_MANNERS)
    one, two = (pl.Series(manners[rng.integers(0, len(manners), n)]) for _ in range(2))
    frame = pl.DataFrame({"thing": thing, "use": use, "make": make, "one": one, "two": two})
    return frame.select(
        item_id=_ids("i", n),
        title=pl.format("{} {} {} {}", "make", "one", "thing", pl.Series(np.arange(n))),
        description=pl.format(
            "A {} and {} {} for the {}, made by {}.", "one", "two", "thing", "use", "make"
        ),
        category=pl.format("{} {}", "use", "thing"),
        tags=pl.concat_list("use", "one", "two"),
        price=pl.Series(np.round(rng.lognormal(3.0, 0.8, n), 2)),
        released=_times(late),
    )


def _events(user: Numbers, item: Numbers, time: npt.NDArray[np.float64]) -> pl.DataFrame:
    order = np.argsort(time, kind="stable")
    return pl.DataFrame(
        {
            "user_id": _names("u", user[order]),
            "item_id": _names("i", item[order]),
            "event": pl.Series(["click"]).new_from_index(0, len(order)),
            "timestamp": _times(time[order]),
        }
    )


def _ids(prefix: str, n: int) -> pl.Series:
    return _names(prefix, np.arange(n))


def _names(prefix: str, numbers: Numbers) -> pl.Series:
    return pl.select(pl.format(prefix + "{}", pl.Series(numbers, dtype=pl.Int64))).to_series()


def _times(elapsed: npt.NDArray[np.float64]) -> pl.Series:
    micros = np.round((START + elapsed) * _MICROS).astype(np.int64)
    return pl.Series(micros, dtype=pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
