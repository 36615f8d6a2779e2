"""Trees as LightGBM wrote them down: conditions, where each of them leads, and leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

MOST_LEAVES = 32

Unknown = Literal["zero", "left", "right"]
Kind = tuple[int, Unknown]


@dataclass(frozen=True, slots=True)
class Grown:
    """One tree. Condition i leads right where its feature is above `cuts[i]`, else left.

    `kinds` are (feature, where unknown values go) of each condition; "zero", where they count as 0.
    `left` and `right` are conditions, or where negative leaves: ~i has the value `leaves[i]`. It
    begins at condition 0; a tree without conditions is one leaf.
    """

    kinds: tuple[Kind, ...]
    cuts: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    leaves: tuple[float, ...]


def read(path: Path) -> list[Grown] | None:
    """Return the trees of a LightGBM text file: numeric conditions, at most 32 leaves each.

    None where they are not of this kind.
    """
    head, *blocks = path.read_text(encoding="utf-8").split("\nTree=")
    if not blocks or "average_output" in head:
        return None
    trees = [_fields(block.split("\n\n")[0]) for block in blocks]
    plain = all(
        tree["num_cat"] == "0"
        and tree.get("is_linear", "0") == "0"
        and int(tree["num_leaves"]) <= MOST_LEAVES
        # A kind of unknown that counts zeros among them is left to others.
        and not any(int(kind) & 4 for kind in tree.get("decision_type", "").split())
        for tree in trees
    )
    return [_grown(tree) for tree in trees] if plain else None


def _grown(fields: Mapping[str, str]) -> Grown:
    def whole(name: str) -> tuple[int, ...]:
        return tuple(int(x) for x in fields.get(name, "").split())

    def real(name: str) -> tuple[float, ...]:
        return tuple(float(x) for x in fields.get(name, "").split())

    return Grown(
        kinds=tuple(
            (feature, _unknown(how))
            for feature, how in zip(whole("split_feature"), whole("decision_type"), strict=True)
        ),
        cuts=tuple(_down(cut) for cut in real("threshold")),
        left=whole("left_child"),
        right=whole("right_child"),
        leaves=real("leaf_value"),
    )


def _unknown(how: int) -> Unknown:
    if not how & 8:
        return "zero"
    return "left" if how & 2 else "right"


def _fields(block: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in block.splitlines() if "=" in line)
    return {name: value for name, value in pairs}


def _down(value: float) -> float:
    """Return the largest float32 that is not above `value`: none lies between the two."""
    with np.errstate(over="ignore"):
        near = np.float32(value)
    return float(near if float(near) <= value else np.nextafter(near, np.float32(-np.inf)))
