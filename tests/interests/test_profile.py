"""Interests by name: shares of what was wanted, where they are going, and what stands behind."""

from __future__ import annotations

import polars as pl
import pytest

from numbered import DAY, NOW, columns, numbers, rows, state
from penchant.interests.concepts import Concepts
from penchant.interests.profile import HALF_LIFE
from penchant.interests.profile import profile as told
from penchant.store.columns import ItemColumns


def profile(of, films: ItemColumns, most: int = 10):
    return told(of, films, Concepts(films), most=most)


@pytest.fixture(scope="module")
def films() -> ItemColumns:
    return columns()


def shares(found) -> dict[str, float]:
    return {interest.name: interest.strength for interest in found}


def test_shares_are_of_everything_that_was_wanted(films) -> None:
    now = [NOW] * 4
    found = profile(state(["w1", "w2", "w3", "s1"], times=now), films)
    assert shares(found) == pytest.approx({"western": 0.75, "space": 0.25})
    assert [interest.name for interest in found] == ["western", "space"]
    stronger = profile(state(["w1", "s1"], times=now[:2], strengths=[1, 4]), films)
    assert shares(stronger) == pytest.approx({"space": 0.8, "western": 0.2})


def test_a_wish_counts_half_after_a_month(films) -> None:
    found = profile(state(["w1", "s1"], times=[NOW - HALF_LIFE, NOW]), films)
    assert shares(found) == pytest.approx({"space": 2 / 3, "western": 1 / 3})


def test_what_was_rejected_counts_against_its_kind(films) -> None:
    now = [NOW] * 3
    found = profile(state(["w1", "s1", "s2"], times=now, strengths=[1, 1, -0.5]), films)
    assert shares(found) == pytest.approx({"western": 2 / 3, "space": 1 / 3})
    assert shares(profile(state(["w1", "s1"], times=now[:2], strengths=[1, -1]), films)) == (
        pytest.approx({"western": 1.0})
    )
    assert profile(state(["s1"], strengths=[-1]), films).interests == ()


def test_the_trend_is_the_share_now_less_the_share_a_week_ago(films) -> None:
    turned = state(["w1", "w2", "s1", "s2"], times=[NOW - 20 * DAY, NOW - 8 * DAY, NOW, NOW])
    space, western = profile(turned, films)
    assert (space.name, western.name) == ("space", "western")
    # A week ago there was nothing but westerns, whatever their age.
    assert space.trend == pytest.approx(space.strength)
    assert western.trend == pytest.approx(western.strength - 1.0)
    (steady,) = profile(state(["w1"], times=[NOW - 30 * DAY]), films)
    assert steady.trend == pytest.approx(0.0)


def test_the_trend_of_somebody_new_is_their_interest(films) -> None:
    (only,) = profile(state(["w1"], times=[NOW]), films)
    assert only.trend == pytest.approx(1.0)


def test_evidence_is_the_newest_of_what_was_wanted(films) -> None:
    had = state(["w1", "w2", "w3", "w4", "w5", "s1"], strengths=[1, 1, 1, -1, 1, 1])
    evidence = {interest.name: interest.evidence for interest in profile(had, films)}
    assert evidence == {"western": ("w5", "w3", "w2"), "space": ("s1",)}


def test_evidence_names_an_item_once(films) -> None:
    (western,) = profile(state(["w1", "w2", "w2", "w2", "w2"]), films)
    assert western.evidence == ("w2", "w1")


def test_nothing_is_known_of_somebody_new(films) -> None:
    assert profile(state([]), films).interests == ()


def test_tags_count_beside_the_category_each_once(films) -> None:
    tagged = ItemColumns()
    one = rows(
        pl.DataFrame(
            {"item_id": ["a"], "title": ["A"], "description": [""], "category": ["western"]}
        )
    )
    tagged.apply(one.with_columns(tags=pl.lit(["slow", "western", "slow"])))
    found = profile(state(numbers(["w1"]), times=[NOW]), tagged)
    assert shares(found) == pytest.approx({"western": 0.5, "slow": 0.5})


def test_at_most_as_many_as_asked_for(films) -> None:
    both = state(["w1", "s1"], times=[NOW - DAY, NOW])
    assert [interest.name for interest in profile(both, films, most=1)] == ["space"]
