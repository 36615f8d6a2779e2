"""Coverage: distinct items of the last day, counted in memory that processes share."""

from __future__ import annotations

from pathlib import Path

import pytest

from penchant.serve.telemetry.coverage import HOURS, Coverage

NOW = 1.7e9
HOUR = 3600.0


@pytest.mark.parametrize("many", [1, 100, 20_000, 300_000])
def test_it_counts_distinct_items_to_one_percent(many: int) -> None:
    coverage = Coverage()
    for _ in range(2):
        coverage.show((f"item {n}" for n in range(many)), NOW)
    assert coverage.count(NOW) == pytest.approx(many, rel=0.01)


def test_what_was_shown_a_day_ago_counts_no_more() -> None:
    coverage = Coverage()
    assert coverage.count(NOW) == 0
    coverage.show(["a", "b"], NOW)
    coverage.show(["b", "c"], NOW + (HOURS - 1) * HOUR)
    assert round(coverage.count(NOW + (HOURS - 1) * HOUR)) == 3
    assert round(coverage.count(NOW + HOURS * HOUR)) == 2
    assert coverage.count(NOW + 3 * HOURS * HOUR) == 0


def test_processes_share_one_map(tmp_path: Path) -> None:
    one, other = Coverage(tmp_path), Coverage(tmp_path)
    one.show(["a", "b"], NOW)
    other.show(["b", "c", "电影/1"], NOW)
    assert round(one.count(NOW)) == round(other.count(NOW)) == 4
