"""One event at the door: believed as it is, or refused with the rule it breaks. Never repaired.

`one_event` is the path of every click, so it builds its one row without a frame in between. A
batch of dicts and events goes the way of files (`events.py`), where a refusal means quarantine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from penchant.ingest.cells import (
    Refused,
    checked_id,
    to_context,
    to_id,
    to_kind,
    to_number,
    to_text,
    to_time,
)
from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.columns import implied_event, match, require
from penchant.ingest.keys import fresh_key, id_key
from penchant.ingest.kinds import Kinds, Unit, plain
from penchant.ingest.privacy import Privacy
from penchant.ingest.times import MICROS
from penchant.types import Event, InvalidInput

PAID = frozenset({"purchase", "buy", "order", "transaction"})
_FIELDS = frozenset(field.name for field in fields(Event))


def one_event(
    event: Event | Mapping[str, Any],
    now: float,
    kinds: Kinds,
    cleaning: CleaningConfig | None = None,
    privacy: Privacy | None = None,
) -> dict[str, Any]:
    """Return one event as a row of EVENTS, or raise `Refused` with the broken rule.

    An absent time means `now` (seconds). Without an `event_id` the key is fresh: saying the same
    twice is two events. Durations, counts and depths become a share in [0, 1].
    """
    cleaning = cleaning or CleaningConfig()
    given = event if isinstance(event, Event) else _as_event(event)
    user = checked_id(to_id(given.user_id, "user_id"), "user_id")
    if user is None:
        raise Refused("user_id_missing", "expected a user_id, got none; say who did it")
    item = checked_id(to_id(given.item_id, "item_id"), "item_id")
    text = to_text(given.text, "text")
    if item is None and not text:
        raise Refused(
            "item_id_missing", "expected an item_id or a text, got neither; say what it was about"
        )
    _within(text, cleaning.text_limit, "text_unreadable", "text")
    kind = to_kind(given.event)
    when = _time(given.timestamp, now, cleaning)
    context = to_context(given.context)
    _within(context, cleaning.context_limit, "context_too_large", "context")
    value, context = _value(kind, to_number(given.value), context, given.context, kinds, cleaning)
    if privacy is not None:
        if privacy.refuses(given.context):
            raise Refused(
                "consent_missing",
                'consent is denied or missing; say "consent": true in the context once it is given',
            )
        user = privacy.pseudonym(user)
    event_id = to_id(given.event_id, "event_id") or None
    slate = checked_id(to_id(given.slate_id, "slate_id") or None, "slate_id")
    micros = round(when * MICROS)
    return {
        "user_id": user,
        "item_id": item,
        "event": kind,
        "timestamp": micros,
        "value": value,
        "key": fresh_key(micros) if event_id is None else id_key(event_id),
        "slate_id": slate,
        "text": text,
        "context": context,
        "shared": 1.0,
    }


def _as_event(row: Mapping[str, Any]) -> Event:
    """Return a mapping as an event, its keys read like the columns of a file."""
    if not isinstance(row, Mapping):
        raise InvalidInput(f"expected an Event or a dict, got {type(row).__name__} {row!r:.80}")
    if row.keys() <= _FIELDS:
        require_keys(row)
        known = {k: v for k, v in row.items() if v is not None}
        return Event(**{"user_id": None, **known})
    columns = match([str(k) for k in row], "events")
    require(columns, "user_id", present=columns.extras)
    found = {name: row[source] for name, source in columns.source.items()}
    context = found.pop("context", None)
    extras = {columns.renamed[c]: row[c] for c in columns.extras if row[c] is not None}
    if extras:
        context = {**(context if isinstance(context, Mapping) else {}), **extras}
    if found.get("event") is None:
        found["event"] = implied_event(columns.source)
    return Event(**found, context={} if context is None else context)


def require_keys(row: Mapping[str, Any]) -> None:
    """Raise InvalidInput where a dict has no user."""
    if "user_id" not in row:
        raise Refused(
            "user_id_missing", f"expected a user_id, got only {', '.join(map(repr, row))}"
        )


def _time(value: Any, now: float, cleaning: CleaningConfig) -> float:
    """Return the time of an event in seconds; absent means now."""
    when = to_time(value)
    if when is None:
        return now
    if when < 0:
        raise Refused("timestamp_impossible", f"expected a time after 1970, got {when}")
    if cleaning.on("timestamp_in_future") and when > now + cleaning.future_call:
        raise Refused(
            "timestamp_in_future",
            f"expected a time up to now, got one {when - now:.0f} seconds later; check the clock "
            f"and the time zone (naive datetimes are UTC)",
        )
    return when


def _value(
    kind: str,
    value: float | None,
    context: str | None,
    given: Any,
    kinds: Kinds,
    cleaning: CleaningConfig,
) -> tuple[float | None, str | None]:
    """Return the value to store, and the context, which keeps the value as it came."""
    unit = kinds.unit(kind)
    dwelled = False
    if value is None and unit is None and isinstance(given, Mapping):
        dwell = given.get("dwell_seconds")
        if isinstance(dwell, int | float) and not isinstance(dwell, bool) and dwell >= 0:
            value, unit, dwelled = float(dwell), "seconds", True
    if value is None:
        return None, context
    if not math.isfinite(value):
        raise Refused("value_not_finite", f"expected a finite value, got {value}; leave it out")
    if abs(value) > cleaning.value_limit:
        raise Refused(
            "value_too_large",
            f"expected a value within {cleaning.value_limit:g}, got {value:g}; check its unit",
        )
    if plain(kind) in PAID and value < 0:
        raise Refused(
            "value_negative",
            f"expected a {kind} of a positive value, got {value:g}; record a 'return' instead",
        )
    if unit in (None, "stars"):
        return value, context
    if value < 0:
        raise Refused("value_negative", f"expected {unit} of 0 or more, got {value:g}")
    if not cleaning.on("value_normalised"):
        return (None if dwelled else value), context
    share = normalised(value, unit, cleaning)
    if dwelled or share == value:
        return share, context
    return share, _with_member(context, value)


def normalised(value: float, unit: Unit, cleaning: CleaningConfig) -> float:
    """Return seconds or counts (by logarithm, up to their full mark) or a depth as a share.

    A depth above 1 is a percentage.
    """
    if unit == "depth":
        return min(value / 100.0 if value > 1.0 else value, 1.0)
    full = cleaning.seconds_full if unit == "seconds" else cleaning.count_full
    return min(math.log1p(value) / math.log1p(full), 1.0)


def _with_member(context: str | None, value: float) -> str:
    """Return the context with the value as it came."""
    member = f'"raw_value":{value!r}'
    return f"{{{member}}}" if context is None else f"{context[:-1]},{member}}}"


def _within(text: str | None, limit: int, rule: str, name: str) -> None:
    """Raise Refused where a text is longer than its limit."""
    if text is not None and len(text) * 4 > limit and len(text.encode()) > limit:
        raise Refused(rule, f"expected {name} of at most {limit} bytes, got {len(text.encode())}")
