"""Regression trees scored all at once, with one bit where a walk has a candidate at a node.

What is known of all candidates at one node of one tree is a row of bits, so one array operation
takes every tree a level down for 32 candidates a word. Conditions that occur in several trees are
checked once (Ye et al., "RapidScorer", KDD 2018). At the end the number of the leaf that a
candidate came to is spelled out, and those of two trees of 16 leaves make one byte: one look-up in
a table of their sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from penchant.rank.scorers.grown import Grown, Kind, read
from penchant.types import Floats

_ROWS = 512  # as many at a time as keep what is worked on in the second-level cache
_WORD = 32
_ORDER = ("zero", "left", "right")
_TOGETHER = 8  # thresholds that are compared with one copy of a feature
_BLOCK = 128  # as many such groups as keep what they found in the second-level cache
_UNBUFFERED = 64

Bits = npt.NDArray[np.uint32]
Places = npt.NDArray[np.intp]


class Trees:
    """The sum of trees as LightGBM writes them in text: numeric conditions, at most 32 leaves."""

    def __init__(self, trees: Sequence[Grown]) -> None:
        self._conditions = _Conditions(trees)
        self._paths = _Paths(trees, self._conditions)
        self._leaves = _Leaves(trees, self._paths)

    @classmethod
    def read(cls, path: Path) -> Trees | None:
        """Return the trees of a LightGBM text file; None where they are not of this kind."""
        trees = read(path)
        return None if trees is None else cls(trees)

    def score(self, features: Floats) -> Floats:
        """Return float32[n] for float32[n, f]."""
        out = np.empty(len(features), dtype=np.float32)
        for start in range(0, len(features), _ROWS):
            part = features[start : start + _ROWS]
            reached = self._paths.follow(self._conditions.check(part))
            out[start : start + len(part)] = self._leaves.values(reached)[: len(part)]
        return out


class _Conditions:
    """The different conditions of some trees; `place` is the row of bits of each."""

    def __init__(self, trees: Sequence[Grown]) -> None:
        cuts: dict[Kind, set[float]] = {}
        for tree in trees:
            for kind, cut in zip(tree.kinds, tree.cuts, strict=True):
                cuts.setdefault(kind, set()).add(cut)
        kinds = sorted(cuts, key=lambda kind: (_ORDER.index(kind[1]), kind[0]))
        self._features = np.array([feature for feature, _ in kinds], dtype=np.intp)
        self._zero = sum(unknown == "zero" for _, unknown in kinds)
        self.place: dict[tuple[Kind, float], int] = {}
        of: list[int] = []
        groups: list[list[float]] = []
        for row, kind in enumerate(kinds):
            ordered = sorted(cuts[kind])
            for start in range(0, len(ordered), _TOGETHER):
                group = ordered[start : start + _TOGETHER]
                for at, cut in enumerate(group):
                    self.place[kind, cut] = len(of) * _TOGETHER + at
                of.append(row)
                groups.append(group + [np.inf] * (_TOGETHER - len(group)))
        self._of = np.array(of, dtype=np.intp)
        self._cuts = np.array(groups, dtype=np.float32).reshape(-1, _TOGETHER, 1)
        # The groups from here on send what is unknown to the right.
        self._right = sum(kinds[row][1] != "right" for row in of)

    def check(self, features: Floats) -> Bits:
        """Return uint32[conditions, words]: bit i of a row is set where candidate i goes right."""
        words = -(-len(features) // _WORD)
        columns = np.zeros((len(self._features), words * _WORD), dtype=np.float32)
        columns[:, : len(features)] = features.T[self._features]
        known = columns[: self._zero]
        known[np.isnan(known)] = 0.0
        out = np.empty((len(self._of), _TOGETHER * words), dtype=np.uint32)
        # Short rows would be copied to a buffer first, for twice the time.
        size = np.setbufsize(_UNBUFFERED)
        try:
            # Nothing is above what is unknown, and nothing at most that.
            for compare, first, end in (
                (np.greater, 0, self._right),
                (np.less_equal, self._right, len(out)),
            ):
                for start in range(first, end, _BLOCK):
                    part = slice(start, min(start + _BLOCK, end))
                    found = compare(columns[self._of[part], None], self._cuts[part])
                    packed = np.packbits(found.ravel(), bitorder="little")
                    out[part] = packed.view(np.uint32).reshape(-1, _TOGETHER * words)
        finally:
            np.setbufsize(size)
        np.invert(out[self._right :], out=out[self._right :])
        return out.reshape(-1, words)


class _Paths:
    """The ways from the roots down, level by level.

    What is below a level are two rows for each of its nodes: first those on the left of all its
    nodes, then those on the right. `leaf` is the row of each leaf of each tree, and `nowhere` one
    that nobody reaches.
    """

    def __init__(self, trees: Sequence[Grown], conditions: _Conditions) -> None:
        self.leaf: dict[tuple[int, int], int] = {}
        levels: list[list[int]] = []
        # For each level but the first, which rows below the last one are conditions again.
        self._further: list[Places] = []
        self.nowhere = 0
        nodes = [(tree, 0) for tree, grown in enumerate(trees) if grown.cuts]
        while nodes:
            found = [(trees[tree], node) for tree, node in nodes]
            levels.append([conditions.place[t.kinds[i], t.cuts[i]] for t, i in found])
            below = [(tree, trees[tree].left[node]) for tree, node in nodes]
            below += [(tree, trees[tree].right[node]) for tree, node in nodes]
            further = [at for at, (_, node) in enumerate(below) if node >= 0]
            for at, (tree, node) in enumerate(below):
                if node < 0:
                    self.leaf[tree, ~node] = self.nowhere + at
            self.nowhere += len(below)
            self._further.append(np.array(further, dtype=np.intp))
            nodes = [below[at] for at in further]
        self._sizes = [len(level) for level in levels]
        self._checked = np.array([at for level in levels for at in level], dtype=np.intp)

    def follow(self, checked: Bits) -> Bits:
        """Return uint32[rows, words]: who reaches what is below each node, and last nobody."""
        right = checked.take(self._checked, axis=0)
        out = np.empty((self.nowhere + 1, checked.shape[1]), dtype=np.uint32)
        out[-1] = 0
        here = np.full((sum(self._sizes[:1]), checked.shape[1]), ~np.uint32(0))
        node = 0
        for size, further in zip(self._sizes, self._further, strict=True):
            below = out[2 * node : 2 * (node + size)]
            np.bitwise_and(here, right[node : node + size], out=below[size:])
            np.bitwise_xor(here, below[size:], out=below[:size])
            here = below.take(further, axis=0)
            node += size
        return out


class _Leaves:
    """The values of the leaves, in tables for as many trees as have their leaves in one byte."""

    def __init__(self, trees: Sequence[Grown], paths: _Paths) -> None:
        most = max((len(tree.leaves) for tree in trees), default=1)
        self._digits = max(1, (most - 1).bit_length())
        share = 8 // self._digits
        self._tables = -(-len(trees) // share)
        # Tree t is the (t // tables)-th of the (t % tables)-th table.
        self._rows = np.full((1 << self._digits, share * self._tables), paths.nowhere)
        values = np.zeros((share, self._tables, 1 << self._digits))
        for place, tree in enumerate(trees):
            for leaf, value in enumerate(tree.leaves):
                self._rows[leaf, place] = paths.leaf.get((place, leaf), paths.nowhere)
                values[place // self._tables, place % self._tables, leaf] = value
        byte = np.arange(1 << (share * self._digits))
        table = np.zeros((self._tables, len(byte)))
        for at in range(share):
            # Bit d * share + at of a byte is digit d of the leaf of its tree `at`.
            digits = [(byte >> (d * share + at) & 1) << d for d in range(self._digits)]
            table += values[at][:, np.sum(digits, axis=0)]
        self._table = table.astype(np.float32)
        self._starts = (np.arange(self._tables) * len(byte))[:, None, None]

    def values(self, reached: Bits) -> Floats:
        """Return float32[32 * words]: the sum of the leaves that each candidate reached."""
        words = reached.shape[1]
        digits = np.zeros((8, self._tables, words), dtype=np.uint32)
        self._spell(reached, digits)
        _turn(digits.reshape(8, -1))
        # Row i now holds the bytes of candidates i, i + 8, i + 16...; table by table they are read
        # from a cache.
        byte = digits.view(np.uint8).transpose(1, 0, 2)
        place = byte.astype(np.intp, order="C")
        place += self._starts
        total = self._table.take(place, mode="clip").sum(axis=0)
        values: Floats = total.T.ravel()
        return values

    def _spell(self, reached: Bits, out: Bits) -> None:
        """Write the digits of the leaf of each tree, from the last to the first."""
        leaves = reached.take(self._rows, axis=0)
        share = self._rows.shape[1] // self._tables
        for digit in reversed(range(self._digits)):
            half = 1 << digit
            high = leaves[half : 2 * half]
            rows = out[digit * share : (digit + 1) * share].reshape(leaves.shape[1:])
            np.bitwise_or.reduce(high, axis=0, out=rows)
            np.bitwise_or(leaves[:half], high, out=leaves[:half])


def _turn(rows: Bits) -> None:
    """Turn the eight bytes at each place of uint32[8, n] as a square of bits, in place.

    Afterwards byte k of row i holds bit i of the bytes k before, in the order of their rows: halves
    change places, then quarters, then bits (Warren, "Hacker's Delight", 7-3).
    """
    work = np.empty(rows.size // 2, dtype=np.uint32)
    for step, mask in ((4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        pairs = rows.reshape(4 // step, 2, step, -1)
        low, high = pairs[:, 0], pairs[:, 1]
        swap = work.reshape(low.shape)
        np.right_shift(low, np.uint32(step), out=swap)
        np.bitwise_xor(swap, high, out=swap)
        np.bitwise_and(swap, np.uint32(mask), out=swap)
        np.bitwise_xor(high, swap, out=high)
        np.left_shift(swap, np.uint32(step), out=swap)
        np.bitwise_xor(low, swap, out=low)
