"""Axes are round, marks stay inside them, and what is not known leaves no mark."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.evaluate.plots import figure, ladder, lines, signed, ticks
from penchant.evaluate.report import Curve
from penchant.measure.intervals import Interval


@given(st.floats(1e-4, 1e6))
def test_ticks_span_from_zero_in_a_few_even_steps(high):
    marks = ticks(0.0, high)
    assert marks[0] == 0.0
    assert marks[-1] >= high * 0.999
    assert 2 <= len(marks) <= 7
    steps = [b - a for a, b in pairwise(marks)]
    assert max(steps) == pytest.approx(min(steps))


def test_ticks_of_nothing():
    assert ticks(0.0, 0.0) == [0.0, 1.0]
    assert ticks(0.0, math.nan) == [0.0, 1.0]


def test_figures_as_shown():
    assert figure(0.12345) == "0.123"
    assert figure(math.nan) == "–"
    assert signed(-0.0204) == "−0.020"
    assert signed(-0.0001) == "0.000"
    assert signed(math.nan) == "–"


def test_a_ladder_places_marks_within_its_axis():
    page = ladder([("a", "3 requests", Interval(0.05, 0.02, 0.11, 3, 3), [0.2], True)], "label")
    places = [float(x) for x in re.findall(r"left:([\d.]+)%", page)]
    assert all(0 <= x <= 100 for x in places)
    assert '<b style="left:25.00%">' in page
    assert '<s style="left:100.00%">' in page


def test_an_unknown_figure_leaves_no_mark():
    nothing = Interval(math.nan, math.nan, math.nan, 0, 0)
    page = ladder([("a", "", nothing, [math.nan], False)], "label")
    assert "<b" not in page
    assert "<s " not in page
    assert "–" in page


def test_lines_have_a_path_and_a_key_each():
    curves = [
        Curve("a", (0.0, 5.0, 10.0), (0.1, math.nan, 0.2)),
        Curve("b & c", (0.0, 10.0), (0, 0)),
    ]
    page = lines(curves, ["k0", "k1"], "label")
    assert page.count("<path") == 2
    assert 'd="M0.0 500.0L1000.0 0.0"' in page
    assert "b &amp; c" in page
    assert lines([Curve("a", (1.0,), (1.0,))], ["k0"], "label") == ""
