"""Which fields the contexts of a log have: their kinds, and the values that are frequent enough.

A field is left out, with the reason, where it says nothing that a caller could know before the
answer: it tells events of one moment apart (the price that was paid for a line of an order), it
follows from the item alone, or nearly every event has a value of its own (an order's number).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.interests.context import clock
from penchant.interests.context.field import Field
from penchant.interests.context.schema import TIMEZONE
from penchant.interests.context.values import (
    NAMED_PLACE,
    PLACE,
    Kind,
    category,
    kind_of,
    listed,
    number,
    where,
)
from penchant.types import Ids

LEAST = 20  # events of a value, and fifty of a field, below which nothing can be learned of it
MOST_VALUES = 256
MOST_KEYS = 200  # of all contexts, the most frequent
RANGES = 8  # of a number that has more values than that
CENTRES = 32  # that places are near
COVERED = 0.5  # of the events with a field, what its frequent values must cover
VARIED = 0.1  # of moments, those that may hold several values of one circumstance
# Days of which a field of the clock can be told: what came once only is no habit.
SPANS = {"hour": 7.0, "daypart": 7.0, "weekday": 28.0, "weekend": 28.0, "season": 730.0}
RESERVED = frozenset((TIMEZONE, "consent"))


@dataclass(frozen=True, slots=True)
class Found:
    """The fields of a log, and why others were left out: a sentence by name."""

    fields: tuple[Field, ...]
    left_out: Mapping[str, str]


def find(
    contexts: Ids,
    texts: Sequence[str],
    items: Ids,
    moments: npt.NDArray[np.int64],
    days: float,
    ignore: Sequence[str] = (),
) -> Found:
    """Return the fields of events. Event e has the context `texts[contexts[e]]`, -1 for none.

    `items` int32[n]; `moments` int64[n] is one number for events of one person at one time; `days`
    is how long the log is.
    """
    parsed = [_object(text) for text in texts]
    counts = np.bincount(contexts[contexts >= 0], minlength=len(texts))
    seen: Counter[str] = Counter()
    for context, count in zip(parsed, counts.tolist(), strict=True):
        for key in _keys(context):
            seen[key] += count
    fields, left_out = [], {}
    for key, total in seen.most_common(MOST_KEYS):
        if key in RESERVED or key in ignore:
            continue
        values = [_value(context, key) for context in parsed]
        found = _field(key, values, counts, total)
        if isinstance(found, str):
            left_out[key] = found
            continue
        own = _own_codes(found, values)[contexts]
        own[contexts < 0] = 0
        why = _no_circumstance(own, items, moments)
        if why:
            left_out[key] = why
        else:
            fields.append(found)
    given = {field.name for field in fields}
    for name, names in clock.VALUES.items():
        # What the caller says of the hour is believed before the clock.
        if name in ignore or name in given:
            continue
        if days < SPANS[name]:
            left_out[name] = f"it takes {SPANS[name]:.0f} days to tell, the log has {days:.0f}"
        else:
            fields.append(Field(name, "clock", names))
    return Found(tuple(fields), left_out)


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    return found if isinstance(found, dict) else {}


def _keys(context: Mapping[str, Any]) -> set[str]:
    keys = {key for key in context if key not in NAMED_PLACE}
    return keys | {PLACE} if where(context) is not None else keys


def _value(context: Mapping[str, Any], key: str) -> Any:
    return where(context) if key == PLACE else context.get(key)


def _field(
    key: str, values: Sequence[Any], counts: npt.NDArray[np.int64], total: int
) -> Field | str:
    """Return a field of these values, each so often, or why there is none."""
    kinds: Counter[Kind] = Counter()
    for value, count in zip(values, counts.tolist(), strict=True):
        kind = None if value is None else kind_of(value)
        if kind is not None:
            kinds[kind] += count
    said = sum(kinds.values())
    if said < 50:
        return f"only {said} events say it"
    kind = "list" if kinds["list"] > 0.1 * said else kinds.most_common(1)[0][0]
    if kind == "number":
        return _number(key, values, counts)
    if kind == "place":
        return _place(key, values, counts)
    if kind == "time":
        return Field(key, "time")
    names: Counter[str] = Counter()
    for value, count in zip(values, counts.tolist(), strict=True):
        for name in listed(value) if kind == "list" else (category(value),):
            if name is not None:
                names[name] += count
    kept = [name for name, count in names.most_common(MOST_VALUES) if count >= LEAST]
    covered = sum(names[name] for name in kept)
    if len(kept) < 2 or covered < COVERED * names.total():
        few = "nearly every event has a value of its own" if len(names) > 1 else "it never changes"
        return few
    return Field(key, "list" if kind == "list" else "category", tuple(kept))


def _number(key: str, values: Sequence[Any], counts: npt.NDArray[np.int64]) -> Field | str:
    sizes = np.array([number(value) for value in values])
    known = np.isfinite(sizes)
    spread = np.repeat(sizes[known], counts[known])
    different = np.unique(spread)
    if len(different) < 2:
        return "it never changes"
    if len(different) <= RANGES:
        edges = (different[1:] + different[:-1]) / 2
    else:
        edges = np.unique(np.quantile(spread, np.arange(1, RANGES) / RANGES))
    return Field(key, "number", edges=tuple(float(edge) for edge in edges))


def _place(key: str, values: Sequence[Any], counts: npt.NDArray[np.int64]) -> Field | str:
    from scipy.cluster.vq import kmeans2

    from penchant.interests.context.field import on_sphere

    places = np.array([value if value is not None else (math.nan, math.nan) for value in values])
    known = np.isfinite(places[:, 0])
    spread = np.repeat(places[known], counts[known], axis=0)
    if len(np.unique(spread.round(3), axis=0)) < 2:
        return "it never changes"
    most = min(CENTRES, len(np.unique(spread.round(1), axis=0)), len(spread) // LEAST)
    unit = on_sphere(spread)
    centres, _ = kmeans2(unit, max(2, most), minit="++", seed=0)
    x, y, z = centres.T
    degrees = np.degrees(np.stack((np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)), axis=1))
    return Field(key, "place", centres=tuple((float(a), float(o)) for a, o in degrees))


def _own_codes(field: Field, values: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Return one number for what each context says of a field, 0 for nothing."""
    number_of: dict[tuple[int, ...], int] = {(): 0}
    codes = (field.codes(value) if value is not None else () for value in values)
    return np.array([number_of.setdefault(code, len(number_of)) for code in codes], dtype=np.int64)


def _no_circumstance(own: npt.NDArray[np.int64], items: Ids, moments: npt.NDArray[np.int64]) -> str:
    """Return why what is said is of the line and not of the circumstances, "" where it is not."""
    said = own > 0
    several = _share_varied(moments[said], own[said])
    if several > VARIED:
        return f"it differs within {several:.0%} of the moments: it is of the item, not of the time"
    sizes = np.bincount(own[said])
    # Among events with items that are wanted often, does the item decide what is said?
    chance = 1.0 - float(((sizes / max(int(said.sum()), 1)) ** 2).sum())
    within = _gini(items[said], own[said])
    if within is not None and chance > 0 and within < 0.05 * chance:
        return "it follows from the item"
    return ""


def _share_varied(groups: npt.NDArray[np.int64], own: npt.NDArray[np.int64]) -> float:
    """Return the share of groups of several events that hold several values."""
    _, back, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    pairs = np.unique(back.astype(np.int64) * (own.max(initial=0) + 1) + own)
    different = np.bincount(pairs // (own.max(initial=0) + 1), minlength=len(sizes))
    large = sizes > 1
    return float((different[large] > 1).mean()) if large.any() else 0.0


def _gini(items: Ids, own: npt.NDArray[np.int64]) -> float | None:
    """Return the chance that two events with one item say different things, None if none are."""
    width = int(own.max(initial=0)) + 1
    keys, counts = np.unique(items.astype(np.int64) * width + own, return_counts=True)
    n = np.bincount(keys // width, counts)
    same = np.bincount(keys // width, counts * (counts - 1))
    pairs = n * (n - 1)
    return float(1.0 - same.sum() / pairs.sum()) if pairs.sum() > 0 else None
