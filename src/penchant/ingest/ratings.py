"""Rating scales: what a rating means is where it lies on its scale, which the data show.

A file of stars says nothing of its scale, and a later single rating even less; so the scale that
an import showed is kept in the directory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from penchant.store.durable import replaced
from penchant.store.place import SCALES_FILE
from penchant.types import Error, InvalidInput

__all__ = [
    "SCALES_FILE",
    "Scale",
    "detect_scale",
    "read_scales",
    "share_of_scale",
    "write_scales",
]

Scale = tuple[float, float]
"""The lowest and the highest rating."""


def write_scales(scales: Mapping[str, Scale], directory: Path) -> None:
    """Keep the scales in a directory, replacing the file at once."""
    try:
        with replaced(directory / SCALES_FILE) as file:
            file.write(json.dumps({k: list(v) for k, v in scales.items()}).encode())
    except OSError as error:
        raise Error(
            f"the rating scales cannot be kept in {directory / SCALES_FILE}: {error}; free space, "
            f"or set rating_scale in section [events]"
        ) from error


def read_scales(directory: Path) -> dict[str, Scale]:
    """Return the rating scale of each kind that a directory keeps, none where it keeps none."""
    path = directory / SCALES_FILE
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {str(kind): (float(low), float(high)) for kind, (low, high) in kept.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"expected rating scales as JSON in {path}: {error}; delete it, and record the ratings "
            f"again, or set rating_scale in section [events]"
        ) from error


def share_of_scale(values: npt.NDArray[np.float32], scale: Scale) -> npt.NDArray[np.float32]:
    """Return where on the scale each rating lies: 4 of 1..5 is 0.8; 0 of -1..1 is 0.5."""
    low, high = scale
    if low < 0:
        return (values - np.float32(low)) / np.float32(high - low)
    return values / np.float32(high)


def detect_scale(values: npt.NDArray[np.float64]) -> Scale | None:
    """Return the scale that ratings come from, or None where they are too few to tell (below 50).

    Thumbs (negative ratings occur) are symmetric about 0; otherwise the scale ends at 1, 5, 10 or
    100, whichever first holds all but one rating in a thousand.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < 50:
        return None
    low, high = np.quantile(finite, [0.001, 0.999], method="nearest")
    if low < 0:
        most = float(max(-low, high))
        return (-most, most)
    for top in (1.0, 5.0, 10.0, 100.0):
        if high <= top:
            return (0.0 if top == 1.0 or low < 1.0 else 1.0, top)
    return (0.0, float(high))
