"""What an event answers must depend on the two logs alone, not on how they were read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.ingest.kinds import Kinds
from penchant.rank.feedback.attribution import (
    AHEAD,
    BEHIND,
    STEP,
    Answers,
    Attribution,
    attribute,
    both,
)
from penchant.rank.feedback.clock import Clock
from penchant.rank.feedback.config import FeedbackConfig
from penchant.store.impressions import Shown
from penchant.store.log import Events
from rank.feedback.logs import NAMES, events, part, shown

WINDOW, PATIENCE = 100.0, 5.0
CONFIG = FeedbackConfig(window=WINDOW, patience=PATIENCE)


def pairs(answers: Answers) -> list[tuple[int, int, int]]:
    """(event offset, slate number, place) of each answer."""
    return list(
        zip(
            answers.offsets.tolist(),
            answers.numbers.tolist(),
            answers.places.tolist(),
            strict=True,
        )
    )


NO_SLATES, NO_EVENTS = shown([]), events([])


def test_an_event_answers_the_slate_it_names() -> None:
    log = events([(1, 8, 20.0, 0, "s1")])
    found = attribute(CONFIG, Kinds(), shown([(1, 10.0, [7, 8]), (1, 12.0, [8])]), log)
    assert pairs(found) == [(1, 1, 1)]
    assert found.named.tolist() == [True]
    assert found.propensities.tolist() == [0.5]
    assert found.strengths.tolist() == [1.0]
    assert [found.kind_names[kind] for kind in found.kinds] == ["click"]


def test_an_event_without_a_name_answers_the_latest_slate_that_showed_the_item() -> None:
    slates = shown([(1, 10.0, [7, 8]), (1, 12.0, [8]), (1, 14.0, [9]), (2, 15.0, [8])])
    found = attribute(CONFIG, Kinds(), slates, events([(1, 8, 20.0, 0, None)]))
    assert pairs(found) == [(1, 2, 0)]


def test_a_named_slate_without_the_item_is_passed_over() -> None:
    slates = shown([(1, 10.0, [7, 8]), (1, 12.0, [9])])
    found = attribute(CONFIG, Kinds(), slates, events([(1, 8, 20.0, 0, "s2")]))
    assert pairs(found) == [(1, 1, 1)]
    assert found.named.tolist() == [False]


def test_late_double_orphan_and_unshown_events_are_counted() -> None:
    attribution = Attribution(CONFIG, Kinds())
    log = events(
        [
            (1, 7, 20.0, 0, "s1"),  # joined
            (1, 7, 21.0, 0, None),  # double
            (1, 7, 22.0, 1, None),  # joined: another kind
            (1, 8, 23.0, 0, "nobody"),  # orphan
            (1, 9, 24.0, 0, None),  # unshown
            (1, 7, 25.0, 2, "s1"),  # being shown is no answer
            (1, -1, 26.0, 0, None),  # no item
            (1, 8, 150.0, 0, "s1"),  # late
            (1, 8, 150.0, 0, None),  # late
            (1, 8, 290.0, 0, None),  # so late that nobody knows the slate any more
        ]
    )
    answers = both(attribution.fold(shown([(1, 10.0, [7, 8])]), log), attribution.settle())
    assert pairs(answers) == [(1, 1, 0), (3, 1, 0)]
    assert attribution.tally.as_dict() == {
        "joined": 2,
        "late": 2,
        "double": 1,
        "orphan": 1,
        "unshown": 2,
    }


def test_a_click_waits_for_its_slate_and_not_for_ever() -> None:
    attribution = Attribution(CONFIG, Kinds())
    log = events([(1, 7, 20.0, 0, "s1"), (1, 7, 20.5, 0, "s3")])
    assert len(attribution.fold(NO_SLATES, log)) == 0
    assert attribution.waiting == 2
    first = attribution.fold(shown([(1, 10.0, [7])]), NO_EVENTS)
    assert pairs(first) == [(1, 1, 0)]
    # A slate that became visible more than `patience` after the event, in the time of its log, is
    # not the one it was waiting for.
    attribution.fold(shown([(2, 30.0, [7]), (1, 19.0, [7])], first=2), NO_EVENTS)
    assert attribution.waiting == 0
    assert attribution.tally.orphan == 1


def test_without_slates_events_are_let_go_after_a_window() -> None:
    attribution = Attribution(CONFIG, Kinds())
    attribution.fold(NO_SLATES, events([(1, 7, float(t), 0, None) for t in range(0, 1000, 10)]))
    assert attribution.waiting <= WINDOW / 10 + 1
    assert attribution.tally.unshown == 100 - attribution.waiting


def test_memory_is_bounded_by_the_window_and_by_the_count() -> None:
    attribution = Attribution(CONFIG, Kinds())
    for n in range(50):
        slates = shown([(u, 100.0 * n + u, [u]) for u in range(20)], first=1 + 20 * n)
        clicks = events([(0, 0, 100.0 * n + 20, 0, None)], first=1 + n)
        attribution.fold(slates, clicks)
    assert len(attribution.slates) <= 4 * 20
    few = Attribution(CONFIG.model_copy(update={"slates": 5}), Kinds())
    few.fold(shown([(1, float(t), [7]) for t in range(50)]), NO_EVENTS)
    assert len(few.slates) == 5
    assert sum(1 for _ in few.slates.of(1, 1e9)) == 5
    assert few.slates.named("s1") is None


def defined(slates: Shown, log: Events) -> tuple[list[tuple[int, int, int]], dict[str, int]]:
    """The definition, by looking at everything for each event."""
    clock = Clock(2 * WINDOW)
    moved: list[tuple[float, int]] = []
    for n, time in enumerate(slates.times.tolist()):
        at = clock.read(time)
        if not moved or at >= moved[-1][0] + STEP:
            moved.append((at, n))
    clock = Clock(2 * WINDOW, AHEAD, BEHIND)
    lists = [
        slates.items[slates.starts[n] : slates.starts[n + 1]].tolist() for n in range(len(slates))
    ]
    found: list[tuple[int, int, int]] = []
    tally = dict.fromkeys(("joined", "late", "double", "orphan", "unshown"), 0)
    answered: set[tuple[int, int, int]] = set()
    for e in range(len(log)):
        time, item, kind = float(log.times[e]), int(log.items[e]), int(log.kinds[e])
        now = clock.read(time)
        if NAMES[kind] == "impression" or item < 0:
            continue
        patient = max(time, now - WINDOW) + PATIENCE
        until = next((n for m, n in moved if m > patient), len(slates))
        usable = [n for n in range(until) if slates.times[n] >= now - 2 * WINDOW]
        best = None
        if log.slates[e] is not None:
            named = [n for n in usable if slates.slates[n] == log.slates[e]]
            if not named:
                tally["orphan"] += 1
                continue
            if item in lists[named[0]]:
                best = named[0]
        if best is None:
            mine = [
                (float(slates.times[n]), n)
                for n in usable
                if slates.users[n] == log.users[e]
                and slates.times[n] <= time <= slates.times[n] + 2 * WINDOW
                and item in lists[n]
            ]
            best = max(mine)[1] if mine else None
        if best is None or time < slates.times[best] - WINDOW:
            tally["unshown"] += 1
        elif time > slates.times[best] + WINDOW:
            tally["late"] += 1
        elif (best, lists[best].index(item), kind) in answered:
            tally["double"] += 1
        else:
            tally["joined"] += 1
            place = lists[best].index(item)
            answered.add((best, place, kind))
            found.append((int(log.offsets[e]), int(slates.numbers[best]), place))
    return found, tally


@st.composite
def logs(draw: st.DrawFn) -> tuple[Shown, Events]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, m, length = draw(st.integers(0, 40)), draw(st.integers(0, 40)), draw(st.integers(20, 600))
    odd = draw(st.sampled_from([0.0, 0.05]))

    def times(count: int) -> np.ndarray:
        made = np.sort(rng.uniform(0, length, count)) + rng.uniform(-8, 8, count)
        # The first time of a log is believed, whatever it is.
        return np.where((rng.random(count) < odd) & (np.arange(count) > 0), made + 1e6, made)

    def done(count: int) -> np.ndarray:
        made = times(count)
        return np.where(made > 1e5, made - 2e6, made)  # none is believed from the future

    slates = shown(
        [
            (int(rng.integers(-1, 3)), float(t), rng.permutation(6)[: rng.integers(0, 5)].tolist())
            for t in times(n)
        ]
    )
    log = events(
        [
            (
                int(rng.integers(0, 3)),
                int(rng.integers(-1, 6)),
                float(t),
                int(rng.integers(0, 3)),
                None if rng.random() < 0.5 else f"s{rng.integers(1, n + 3)}",
            )
            for t in done(m)
        ]
    )
    return slates, log


@given(logs(), st.integers(0, 2**32 - 1))
def test_the_result_does_not_depend_on_how_the_logs_were_read(
    both_logs: tuple[Shown, Events], seed: int
) -> None:
    slates, log = both_logs
    wanted, tally = defined(slates, log)
    whole = attribute(CONFIG, Kinds(), slates, log)
    rng = np.random.default_rng(seed)
    attribution = Attribution(CONFIG, Kinds())
    clock = Clock(2 * WINDOW)
    read = [clock.read(time) for time in slates.times.tolist()]
    clock = Clock(2 * WINDOW, AHEAD, BEHIND)
    done = [clock.read(time) for time in log.times.tolist()]
    n = m = 0
    answers = attribution.fold(NO_SLATES, NO_EVENTS)
    while n < len(slates) or m < len(log):
        ahead = min(m + int(rng.integers(0, 4)), len(log))
        # Whoever reads both does not leave the slates a whole window behind the events.
        bound = max(done[:ahead], default=0.0) - WINDOW + PATIENCE
        need = next((i + 1 for i, at in enumerate(read) if at > bound), len(slates))
        to = min(max(n + int(rng.integers(0, 4)), need if ahead > m else 0), len(slates))
        answers = both(answers, attribution.fold(part(slates, n, to), part(log, m, ahead)))
        n, m = max(n, to), ahead
    answers = both(answers, attribution.settle())
    assert pairs(answers) == wanted == pairs(whole)
    assert attribution.tally.as_dict() == tally
    assert answers.kinds.tolist() == whole.kinds.tolist()


@pytest.mark.parametrize("odd", [1, 4])
def test_a_few_wrong_times_do_not_move_the_clock(odd: int) -> None:
    clock = Clock(10.0)
    times = [1.0, 5.0, 3.0, *[1e9] * odd, 6.0]
    assert [clock.read(t) for t in times][-1] == 6.0


def test_after_a_quiet_week_the_first_click_answers_its_slate() -> None:
    week = 700.0
    slates = shown([(1, 10.0, [7]), (1, week, [7]), (1, week + 20, [8])])
    log = events([(1, 7, 12.0, 0, "s1"), (1, 7, week + 2, 0, "s2"), (1, 8, week + 21, 0, None)])
    attribution = Attribution(CONFIG, Kinds())
    found = both(attribution.fold(slates, NO_EVENTS), attribution.fold(NO_SLATES, log))
    assert pairs(both(found, attribution.settle())) == [(1, 1, 0), (2, 2, 0), (3, 3, 0)]


def test_a_jump_that_lasts_is_followed_both_ways() -> None:
    clock = Clock(10.0)
    clock.read(1.0)
    assert [clock.read(t) for t in (1000.0, 1001.0, 1002.0, 1003.0, 1004.0)][-1] == 1000.0
    assert clock.read(1004.0) == 1004.0
    assert [clock.read(t) for t in (2.0, 3.0, 4.0, 5.0, 6.0)][-1] == 6.0
