"""The ledger: what is counted of whom, the same however the logs are cut."""

from __future__ import annotations

import math

import numpy as np
import pytest

from penchant.evaluate.experiment.effect import compare
from penchant.evaluate.experiment.ledger import BACK, DAY, Ledger
from penchant.evaluate.experiment.measured import harm
from penchant.evaluate.experiment.results import result
from penchant.ingest.kinds import Kinds
from penchant.rank.answer.stops import Stopped
from penchant.rank.feedback.attribution import Attribution
from penchant.rank.feedback.config import FeedbackConfig

from .traffic import (
    CLEANING,
    START,
    Shop,
    days,
    done,
    experiment,
    folded,
    ledger,
    shown_of,
    some,
    traffic,
)

NAN = math.nan
LATER = START + 30 * DAY


def told(made: Ledger, metric: str, variant: str, now: float = LATER) -> float:
    return made.figures(metric, variant, now).ratio


def small() -> Ledger:
    """Two people of each variant, and somebody who takes part in nothing."""
    one = experiment(before=10)
    marks = [f"{one.name}=control", f"{one.name}=new", "other=new", ""]
    slates = [
        # user, days, variant, items
        (0, 0.0, 0, [1, 2, 3, 4, 5]),
        (1, 0.1, 1, [1, 2, 3, 4, 5]),
        (2, 0.2, 1, [6, 7, 8, 9, 10]),
        (3, 0.3, 0, [1, 2, 3, 4, 5]),
        (4, 0.4, 3, [1, 2, 3, 4, 5]),
        (0, 1.5, 0, [6, 7, 8, 9, 10]),
        (1, 2.0, 0, [6, 7, 8, 9, 10]),  # crossed over
        (5, 3.0, 2, [1, 2, 3, 4, 5]),
        (-1, 3.1, 1, [1, 2, 3, 4, 5]),
    ]
    acts = [
        # user, days, item, kind, value
        (0, -5.0, 1, 0, NAN),
        (2, -5.0, 1, 1, 50.0),
        (4, -2.0, 2, 0, NAN),
        (2, -20.0, 1, 1, 50.0),  # too long ago
        (0, 0.01, 1, 0, NAN),
        (0, 0.011, 2, 0, NAN),
        (0, 0.012, 2, 1, 12.0),
        (1, 0.05, 1, 0, NAN),  # before anything was shown
        (1, 0.11, 77, 0, NAN),  # never shown
        (1, 0.12, 3, 2, math.log1p(90.0) / math.log1p(CLEANING.seconds_full)),
        (2, 1.3, 50, 1, 30.0),
        (2, 1.4, 50, 1, 5.0),
        (4, 1.5, 1, 1, 99.0),
        (3, 8.0, 2, 0, NAN),
    ]
    slates.sort(key=lambda row: row[1])
    shown = shown_of(
        [row[0] for row in slates],
        [START + DAY * row[1] for row in slates],
        [row[3] for row in slates],
        [marks[row[2]] for row in slates],
    )
    rows = [(START + DAY * time, *rest) for user, time, *other in acts for rest in [(user, *other)]]
    return folded(one, shown, done(sorted(rows, key=lambda row: row[0])))


def test_everything_is_counted_of_whom_it_was_shown_to() -> None:
    made = small()
    assert made.people() == {"control": 2, "new": 2}
    assert made.crossed() == 1
    # Slates: control 3 of users 0 and 3; new 2, and the one that user 1 got as control.
    assert told(made, "click-through", "control") == pytest.approx(1 / 3)
    assert told(made, "item-click-through", "control") == pytest.approx(2 / 15)
    assert told(made, "click-through", "new") == pytest.approx(1 / 3)
    assert told(made, "conversion", "control") == 0.5
    assert told(made, "conversion", "new") == 0.5
    assert told(made, "revenue", "control") == 6.0
    assert told(made, "revenue", "new") == 17.5
    assert told(made, "dwell", "new") == pytest.approx(45.0, rel=1e-4)
    assert told(made, "dwell", "control") == 0.0
    # Users 0 (a slate) and 2 (an event) came back; 1 did on the second day; 3 after a week.
    assert told(made, "return", "control") == 0.5
    assert told(made, "return", "new") == 1.0
    assert math.isnan(told(made, "return", "new", START + BACK))
    assert told(made, "return", "control", START + BACK + DAY / 10) == 1.0
    # Items 1 and 2 were wanted before; 1 alone is the head of them.
    assert told(made, "tail-share", "control") == pytest.approx(3 / 4)
    assert told(made, "tail-share", "new") == 1.0
    before = made.figures("revenue", "new", LATER).before
    assert sorted(before.tolist()) == [0.0, 50.0]
    assert sorted(made.figures("click-through", "control", LATER).before.tolist()) == [
        0.0,
        pytest.approx(math.log(2)),
    ]


def test_metrics_of_ones_own() -> None:
    own = {
        "buys": {"counts": "events", "kinds": ["Purchase"]},
        "bought-of-shown": {"of": "items", "kinds": ["purchase"]},
        "clicks-a-slate": {"of": "slates", "counts": "events", "kinds": ["click"]},
        "spent-a-slate": {"of": "slates", "counts": "value", "kinds": ["purchase"]},
    }
    one = experiment(metrics=own, metric="buys")
    shown = shown_of([0], [START], [[1, 2, 3, 4, 5]], [f"{one.name}=new"])
    acts = [(1, 0, NAN), (2, 0, NAN), (2, 1, 12.0), (9, 1, 3.0)]
    rows = [(START + 60.0 * n, 0, *act) for n, act in enumerate(acts, start=1)]
    made = folded(one, shown, done(rows))
    assert next(iter(made.metrics)) == "buys"
    assert told(made, "buys", "new") == 2.0
    assert told(made, "bought-of-shown", "new") == 0.2
    assert told(made, "clicks-a-slate", "new") == 2.0
    assert told(made, "spent-a-slate", "new") == 12.0


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_however_the_logs_are_cut(seed: int) -> None:
    one = experiment(seed)
    shown, events = traffic(Shop(people=200, before=5), one, seed)
    whole = folded(one, shown, events)
    parts = ledger(one)
    attribution = Attribution(FeedbackConfig(), Kinds())
    for slates, acts in days(shown, events, 10):
        # Events first, as when a slate is late on its way to disk; then in small pieces.
        early = int(np.searchsorted(acts.times, START))
        for piece in range(0, max(1, len(acts)), 7):
            at = slice(piece, piece + 7)
            asked = some(acts, slice(max(piece, early), max(piece + 7, early)))
            if piece == 0:
                parts.fold(slates, some(acts, at), attribution.fold(slates, asked))
                continue
            none = shown_of([], [], [], [])
            parts.fold(none, some(acts, at), attribution.fold(none, asked))
    parts.fold(shown_of([], [], [], []), some(events, slice(0, 0)), attribution.settle())
    for metric in whole.metrics:
        for variant in ("control", "new"):
            a, b = (one.figures(metric, variant, LATER) for one in (whole, parts))
            for column in ("tops", "bottoms", "before"):
                np.testing.assert_allclose(
                    np.sort(getattr(a, column)), np.sort(getattr(b, column)), err_msg=metric
                )


def test_an_event_that_is_read_before_its_slate_waits_for_it() -> None:
    one = experiment()
    shown = shown_of([0], [START], [[1, 2, 3, 4, 5]], [f"{one.name}=new"])
    none, attribution, made = (
        shown_of([], [], [], []),
        Attribution(FeedbackConfig(), Kinds()),
        ledger(one),
    )
    first = done([(START + 1.0, 0, 1, 1, 10.0)])
    made.fold(none, first, attribution.fold(none, first))
    nothing = some(first, slice(0, 0))
    made.fold(shown, nothing, attribution.fold(shown, nothing))
    made.fold(none, nothing, attribution.settle())
    assert told(made, "revenue", "new") == 10.0
    assert told(made, "click-through", "new") == 1.0


def test_what_was_lifted_counts_from_then_on() -> None:
    one = experiment()
    marks = [f"{one.name}=new"] * 2
    shown = shown_of([0, 1], [START, START + DAY], [[1] * 5] * 2, marks)
    made = ledger(one, since=START + DAY / 2)
    none = done([])
    made.fold(shown, none, Attribution(FeedbackConfig(), Kinds()).fold(shown, none))
    assert made.people() == {"control": 0, "new": 1}


def test_a_log_without_an_effect_and_one_with() -> None:
    """What the ledger hands to the intervals keeps what they promise."""
    seeds = 60
    wrong = covered = found = 0
    for seed in range(seeds):
        one = experiment(seed)
        for lift in (1.0, 1.5):
            shown, events = traffic(Shop(people=300, effects={"new": lift}), one, seed)
            made = folded(one, shown, events)
            parts = [made.figures("click-through", name, LATER) for name in ("control", "new")]
            effect = compare(parts[0], parts[1], level=0.95)
            if lift == 1.0:
                wrong += not effect.final_low <= 0 <= effect.final_high
                assert effect.low <= 0 <= effect.high
            else:
                # Of a slate of somebody as lively as people who have slates are.
                truth = _truth(lift)
                covered += effect.final_low <= truth <= effect.final_high
                found += effect.final_low > 0
    assert wrong <= 9  # of 60; more than 9 would come by chance once in 1,300
    assert covered >= 50
    assert found >= 55


def _truth(lift: float) -> float:
    lively = np.random.default_rng(9).gamma(2.0, 0.5, 1_000_000)
    weights = lively / lively.sum()
    low, high = (np.minimum(0.3 * x * np.sqrt(lively), 1.0) for x in (1.0, lift))
    return float(weights @ (high - low))


def test_people_who_are_lost_are_found_missing() -> None:
    one = experiment(1)
    shown, events = traffic(Shop(people=3000, visits=4.0), one, 1, lost={"new": 0.2})
    found = result(folded(one, shown, events), Stopped(), START + 9 * DAY)
    assert not found.trusted
    assert {c.verdict for c in found.comparisons} == {"not to be trusted"}
    shown, events = traffic(Shop(people=3000), one, 1)
    assert result(folded(one, shown, events), Stopped(), START + 9 * DAY).trusted


def test_a_guard_rail_finds_harm_within_some_events_and_no_harm_where_there_is_none() -> None:
    slates_until = []
    for seed in range(12):
        for lift in (1.0, 0.5):
            one = experiment(seed, guards={"click-through": 0.0})
            shop = Shop(people=800, clicks=0.4, effects={"new": lift})
            made, attribution = ledger(one), Attribution(FeedbackConfig(), Kinds())
            slates = 0
            for part, acts in days(*traffic(shop, one, seed), 10):
                made.fold(part, acts, attribution.fold(part, acts))
                slates += len(part)
                decision = harm(made, "new", float(part.times[-1]))
                if decision is not None:
                    assert lift < 1.0, seed
                    assert decision.metric == "click-through"
                    assert "certainly worse" in decision.why
                    slates_until.append(slates)
                    break
    assert len(slates_until) == 12
    assert np.median(slates_until) <= 1500
    assert max(slates_until) <= 2400


def test_a_tolerated_loss_and_a_metric_of_which_less_is_better() -> None:
    shop = Shop(people=2500, visits=5.0, clicks=0.4, effects={"new": 0.75})
    for most, stopped in ((0.0, True), (0.5, False)):
        one = experiment(0, guards={"click-through": most})
        made = folded(one, *traffic(shop, one, 0))
        assert (harm(made, "new", LATER) is not None) is stopped
    fewer = {"clicks": {"of": "slates", "kinds": ["click"], "better": "lower"}}
    for lift, stopped in ((0.6, False), (1.5, True)):
        one = experiment(0, metrics=fewer, guards={"clicks": 0.05}, metric="clicks")
        shop = Shop(people=2500, visits=5.0, effects={"new": lift})
        made = folded(one, *traffic(shop, one, 0))
        assert (harm(made, "new", LATER) is not None) is stopped
        first = result(made, Stopped(), LATER).comparisons[0]
        assert first.verdict == ("worse" if stopped else "better")
