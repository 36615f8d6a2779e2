"""What a slate says of its first item."""

from __future__ import annotations

import math

import numpy as np

from penchant.types import Candidates, Recommendation, Slate, Trace


def test_how_far_the_first_is_ahead() -> None:
    lines = tuple(Recommendation(f"i{n}", score, n) for n, score in enumerate((3.0, 1.5, 1.0), 1))
    leads = [Slate(lines[:count], "id", "untrained", None, 0.0).lead for count in range(4)]
    assert leads == [0.0, 0.0, 1.5, 1.5]


def test_a_feature_of_the_first() -> None:
    def trace(count: int) -> Trace:
        features = np.array([[0.5, np.nan], [0.25, 1.0]], np.float32)[:count]
        rest = np.arange(count)
        names = ("text", "lexical")
        pool = Candidates(
            rest.astype(np.int32), rest.astype(np.float32), features, names, rest.astype("u4"), ()
        )
        return Trace((), pool)

    assert trace(2).first("text") == 0.5
    for nothing in (trace(2).first("lexical"), trace(2).first("asked"), trace(0).first("text")):
        assert math.isnan(nothing)
    assert math.isnan(Trace(()).first("text"))
