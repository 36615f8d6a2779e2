"""Circumstances: what a context says in plain values that others may say too."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

KEYS = 16  # of a context, the first in order
LETTERS, WHOLE = 64, 1000  # longer texts and larger numbers are no circumstances


def told(context: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what a context says as `key=value`, in order: texts, truth values, whole numbers."""
    if not context:
        return ()
    found = []
    for key in sorted(context, key=str)[:KEYS]:
        value: object = context[key]
        if isinstance(value, bool | np.bool_):
            value = "true" if value else "false"
        elif isinstance(value, int | np.integer):
            if abs(int(value)) >= WHOLE:
                continue
        elif not isinstance(value, str):
            continue
        name = f"{key}={value}"
        if len(name) <= LETTERS:
            found.append(sys.intern(name))
    return tuple(found)


def key_of(name: str) -> str:
    """Return the key of a `key=value`."""
    return name.partition("=")[0]
