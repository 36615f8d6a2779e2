"""Effects: intervals that cover the truth as often as they say, at one look and at every look."""

from __future__ import annotations

import math

import numpy as np
import pytest

from penchant.evaluate.experiment.effect import Figures, always_valid, compare

SEEDS = 1000


def counted(n: int, rng: np.random.Generator, rate: float = 1.0, worth: float = 0.0) -> Figures:
    """Return n people who have some slates each, click some, and were as lively before."""
    lively = rng.gamma(2.0, 0.5, n)
    bottoms = 1.0 + rng.poisson(2.0 * lively)
    tops = rng.poisson(0.3 * rate * bottoms * lively) + worth
    before = np.log1p(rng.poisson(10.0 * lively))
    return Figures(tops.astype(float), bottoms.astype(float), before)


def within(share: float, expected: float, n: int) -> bool:
    """Whether a share of n lies where chance puts it, but for one time in ten thousand."""
    return abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / n)


def test_a_ratio_of_sums_and_its_spread() -> None:
    rng = np.random.default_rng(0)
    one = counted(400, rng)
    assert one.ratio == pytest.approx(one.tops.sum() / one.bottoms.sum())
    one = Figures(one.tops, one.bottoms, np.zeros(400))
    # Beside redrawing whole people.
    drawn = []
    for _ in range(2000):
        rows = rng.integers(0, 400, 400)
        drawn.append(one.tops[rows].sum() / one.bottoms[rows].sum())
    effect = compare(one, one, level=0.95)
    assert effect.difference == 0.0
    assert effect.people == (400, 400)
    spread = (effect.final_high - effect.final_low) / 2 / 1.959964 / math.sqrt(2)
    assert spread == pytest.approx(np.std(drawn), rel=0.1)


def test_without_an_effect_one_look_in_twenty_says_otherwise() -> None:
    rng = np.random.default_rng(1)
    wrong, certain = 0, 0
    for _ in range(SEEDS):
        effect = compare(counted(300, rng), counted(200, rng), level=0.95)
        wrong += not effect.final_low <= 0 <= effect.final_high
        certain += not effect.low <= 0 <= effect.high
    assert within(wrong / SEEDS, 0.05, SEEDS)
    assert certain / SEEDS < 0.005


@pytest.mark.parametrize("keep", [1.0, 0.9])
def test_with_an_effect_the_interval_covers_it(keep: float) -> None:
    rng = np.random.default_rng(2)
    # People who see more are livelier: the ratio of sums is not 0.3.
    much = counted(2_000_000, rng)
    truth = 1.3 * much.ratio - keep * much.ratio
    covered = always = found = 0
    for _ in range(SEEDS):
        effect = compare(counted(400, rng), counted(400, rng, 1.3), level=0.95, keep=keep)
        covered += effect.final_low <= truth <= effect.final_high
        always += effect.low <= truth <= effect.high
        found += effect.final_low > 0
    assert within(covered / SEEDS, 0.95, SEEDS)
    assert always / SEEDS > 0.99
    assert found / SEEDS > 0.8


def looks(rng: np.random.Generator, *, return_: bool) -> list[tuple[Figures, Figures]]:
    """Return what is known at each of twenty looks, of people who come once or again and again."""
    n, times = 1200, 20
    lively = rng.gamma(2.0, 0.5, n)
    first = rng.integers(0, times, n)
    day = np.arange(times)
    here = day >= first[:, None] if return_ else day == first[:, None]
    slates = here * rng.poisson(0.5 + lively[:, None], (n, times)) + (day == first[:, None])
    clicks = rng.binomial(slates, np.minimum(0.3 * lively, 0.9)[:, None])
    arm = rng.random(n) < 0.5
    out = []
    for look in range(times):
        known = first <= look
        tops = clicks[:, : look + 1].sum(axis=1).astype(float)
        bottoms = slates[:, : look + 1].sum(axis=1).astype(float)
        both = [
            Figures(tops[rows], bottoms[rows], 0 * tops[rows])
            for rows in (known & ~arm, known & arm)
        ]
        out.append((both[0], both[1]))
    return out


@pytest.mark.parametrize("return_", [False, True])
def test_who_looks_twenty_times_is_still_wrong_one_time_in_twenty_at_most(return_: bool) -> None:
    rng = np.random.default_rng(3)
    seeds = 300
    peeked = always = 0
    for _ in range(seeds):
        effects = [
            compare(*pair, level=0.95)
            for pair in looks(rng, return_=return_)
            if min(map(len, pair)) >= 25
        ]
        peeked += any(not e.final_low <= 0 <= e.final_high for e in effects)
        always += any(not e.low <= 0 <= e.high for e in effects)
    assert always / seeds <= 0.05
    assert peeked / seeds > 0.12  # what peeking at the other interval does


def test_what_was_before_makes_the_interval_narrower_and_moves_nothing() -> None:
    rng = np.random.default_rng(4)
    with_, without = [], []
    for _ in range(300):
        control, treated = counted(500, rng), counted(500, rng, 1.2)
        one = compare(control, treated, level=0.95)
        bare = [Figures(f.tops, f.bottoms, np.zeros(len(f))) for f in (control, treated)]
        two = compare(*bare, level=0.95)
        assert one.explained > 0
        assert two.explained == 0
        with_.append((one.difference, one.final_high - one.final_low))
        without.append((two.difference, two.final_high - two.final_low))
    mine, plain = np.mean(with_, axis=0), np.mean(without, axis=0)
    assert mine[0] == pytest.approx(plain[0], abs=0.01)
    assert mine[1] < 0.97 * plain[1]
    assert np.std(with_, axis=0)[0] < np.std(without, axis=0)[0]


def test_the_interval_for_every_look_is_tightest_where_it_was_meant_to_be() -> None:
    widths = {n: always_valid(n, 0.05, tuned=5000) / math.sqrt(n) for n in (500, 5000, 50_000)}
    for other in (1000, 25_000):
        at_500 = always_valid(5000, 0.05, tuned=other)
        assert at_500 > widths[5000] * math.sqrt(5000)
    assert 1.96 < always_valid(5000, 0.05) < 3.2
    assert always_valid(10**9, 0.05) < 6


def test_nothing_can_be_said_where_nothing_was_counted() -> None:
    nobody = Figures(np.zeros(0), np.zeros(0), np.zeros(0))
    some = counted(10, np.random.default_rng(5))
    for pair in ((nobody, some), (some, nobody), (nobody, nobody)):
        effect = compare(*pair, level=0.95)
        assert math.isnan(effect.difference)
        assert math.isnan(effect.low)
    idle = Figures(np.zeros(10), np.ones(10), np.zeros(10))
    assert compare(idle, idle, level=0.95).difference == 0.0
    assert math.isnan(compare(idle, idle, level=0.95).relative)
