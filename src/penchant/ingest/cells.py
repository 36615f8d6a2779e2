"""One cell at the door: ids, numbers, texts, times and contexts as programs write them.

Each function returns the value in the one form the log holds, None where it is missing, or raises
`Refused` with the rule that it breaks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from penchant.ingest.attributes import dumps
from penchant.ingest.times import seconds
from penchant.store.frames import ID_BYTES
from penchant.types import InvalidInput

KIND_BYTES = 64


class Refused(InvalidInput):
    """An event that breaks a rule; `rule` is its name in `cleaning.REFUSALS`."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def checked_id(value: str | None, name: str) -> str | None:
    """Return an id of 1 to 512 bytes."""
    if value is None:
        return None
    if not value:
        raise Refused(f"{name}_empty", f"expected {name} of 1 to {ID_BYTES} bytes, got ''")
    size = len(value) if value.isascii() else len(value.encode())
    if size > ID_BYTES:
        raise Refused(
            f"{name}_too_long",
            f"expected {name} of 1 to {ID_BYTES} bytes, got {size}: {value[:40]!r}...; shorten it, "
            f"or use a hash of it",
        )
    return value


def to_id(value: Any, name: str) -> str | None:
    """Return an id as text; whole numbers are written out, NaN is missing."""
    if isinstance(value, str):
        if _utf8(value) is None:
            raise Refused(f"{name}_unreadable", f"expected {name} in Unicode, got {value!r:.80}")
        return value
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return None
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    raise Refused(
        f"{name}_unreadable",
        f"expected {name} as text, got {type(value).__name__} {value!r:.80}; write it as text",
    )


def to_text(value: Any, name: str) -> str | None:
    """Return a text; empty and NaN are missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if not isinstance(value, str) or _utf8(value) is None:
        raise Refused(
            f"{name}_unreadable",
            f"expected {name} as text, got {type(value).__name__} {value!r:.80}",
        )
    return value or None


def to_number(value: Any) -> float | None:
    """Return a number, which may be NaN."""
    if value is None or (isinstance(value, str) and not value):
        return None
    if isinstance(value, np.ndarray):
        raise Refused("value_unreadable", f"expected value as one number, got {value!r:.80}")
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        raise Refused(
            "value_unreadable",
            f"expected value as a number, got {type(value).__name__} {value!r:.80}",
        ) from None


def to_time(value: Any) -> float | None:
    """Return a time in seconds, None where it is missing."""
    if value is None or (isinstance(value, str) and not value):
        return None
    if isinstance(value, datetime) and value != value:
        return None
    try:
        return seconds(value)
    except InvalidInput as error:
        raise Refused("timestamp_unreadable", str(error)) from None
    except (OverflowError, OSError) as error:
        raise Refused("timestamp_unreadable", f"expected a time, got {value!r}: {error}") from None


def to_context(value: Any) -> str | None:
    """Return a context as a JSON object in text, None where it is empty."""
    if value is None or (isinstance(value, Mapping | str) and not value):
        return None
    try:
        if isinstance(value, Mapping):
            text = dumps(value)
            text.encode()
            return text
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(
            "context_unreadable", f"expected a context that JSON can hold: {error}"
        ) from None
    raise Refused(
        "context_unreadable",
        f"expected context as a mapping, got {type(value).__name__} {value!r:.80}",
    )


def to_kind(value: Any) -> str:
    """Return the kind of an event."""
    if isinstance(value, str) and value and _utf8(value) and len(value.encode()) <= KIND_BYTES:
        return value
    raise Refused(
        "event_unreadable",
        f"expected the kind of the event as text of 1 to {KIND_BYTES} bytes, got {value!r:.80}",
    )


def _utf8(text: str) -> str | None:
    """Return the text if it can be written as UTF-8 (a lone surrogate cannot)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text
