"""Faults in a simulated log are found, what is sound is not, and a walk can be cut anywhere."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from evaluate.watch.walking import benchmark
from penchant.evaluate.simulate.traffic import DAY, KINDS, START, Fault, Traffic, traffic, until
from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.course import Course
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.findings import Findings

BENCH = benchmark()
WARM, SINCE = START + 28 * DAY, START + 28.4 * DAY
CONFIG = WatchConfig(replay=0)


def log(fault: Fault | None = None, strength: float = 1.0) -> Traffic:
    return traffic(3, days=31, visits=900.0, fault=fault, since=SINCE, strength=strength)


def course(sound: Traffic) -> Course:
    def things(numbers):  # type: ignore[no-untyped-def]
        return sound.topics[np.asarray(numbers, dtype=np.int64)]

    return Course(CONFIG, Findings(), own=BENCH.own(sound), things=things)


@pytest.fixture(scope="module")
def warm() -> Course:
    """Four weeks that were learned from."""
    made = course(log())
    made.take(*BENCH.columns(until(log(), 0.0, WARM), 0), KINDS, WARM)
    made.look(WARM + CONFIG.grace)
    return made


def walked(
    warm: Course, happened: Traffic, hours: float, step: int = 1
) -> list[tuple[float, Finding]]:
    """Return what was found in the hours after the fault began, and how many hours after it."""
    own = copy.deepcopy(warm)
    done = int(np.searchsorted(happened.times, WARM))
    found = []
    now = WARM
    while now < SINCE + 3600.0 * hours:
        now, before = now + step * 600.0, now
        part = until(happened, before, now)
        own.take(*BENCH.columns(part, done), KINDS, now)
        done += len(part.times)
        found += [((now - SINCE) / 3600.0, one) for one in own.look(now + CONFIG.grace)]
    return found


def test_a_sound_log_is_silent(warm: Course) -> None:
    assert walked(warm, log(), 36, step=6) == []


@pytest.mark.parametrize(
    ("fault", "kind", "subject", "within"),
    [
        ("kind stops", "silence", "kind:click", 6),
        ("all stops", "silence", "events", 5),
        ("item surges", "item", "item:", 8),
        ("person floods", "person", "person:", 3),
        ("duplicated client", "repeats", "events", 8),
        ("scores shift", "scores", "snapshot:", 12),
    ],
)
def test_a_fault_is_found(
    warm: Course, fault: Fault, kind: str, subject: str, within: float
) -> None:
    found = walked(warm, log(fault), within)
    (after, first) = next((hours, one) for hours, one in found if one.kind == kind)
    assert 0 < after <= within
    assert first.subject.startswith(subject)
    assert first.since <= SINCE + 3600.0 * within
    assert first.over is None
    assert f"{first.sentence}".count(". ") >= 1  # what was seen, and what to do
    assert not any(hours < 0 for hours, _ in found)


def test_a_fault_that_ends_is_over(warm: Course) -> None:
    floods = log("person floods")
    found = walked(warm, floods, 30, step=6)
    ended = [(hours, one) for hours, one in found if one.over is not None and one.kind == "person"]
    assert len(ended) == 1
    assert 24 < ended[0][0] < 29  # a day after the flood, when it is no more in the last 24 hours


def test_a_walk_can_be_cut_anywhere(warm: Course) -> None:
    happened = log("kind stops")
    whole, cut = copy.deepcopy(warm), copy.deepcopy(warm)
    done = int(np.searchsorted(happened.times, WARM))
    for n in range(1, 90):
        now = WARM + n * 600.0
        part = until(happened, now - 600.0, now)
        shown = BENCH.columns(part, done)
        done += len(part.times)
        for one in (whole, cut):
            one.take(*shown, KINDS, now)
        assert whole.look(now + 300.0) == cut.look(now + 300.0)
        if n % 13 == 0:  # killed, and started again
            state = json.loads(json.dumps(cut.state()))
            fresh = course(happened)
            fresh.restore(state)
            fresh.findings = copy.deepcopy(cut.findings)
            fresh.recent = cut.recent
            cut = fresh
    assert whole.state() == cut.state()
    assert whole.findings.rows == cut.findings.rows
    assert [one.kind for one in whole.findings.open] == ["silence"]


def test_baskets_count_once_whatever_reading_they_come_with(warm: Course) -> None:
    events, shown = BENCH.columns(until(log(), WARM, WARM + 600.0), 10**6)
    first, rest = events.where(slice(0, 1)), events.where(slice(0, 1))
    more = replace(rest, items=rest.items + 1, offsets=rest.offsets + 1)
    own = copy.deepcopy(warm)
    before = own.counts.table.sum()
    own.take(first, shown, KINDS, WARM + 600.0)
    own.take(more, BENCH.unshown(), KINDS, WARM + 600.0)
    assert own.counts.table.sum() == before + 1


def test_a_past_that_nobody_watched_is_learned_from_and_not_judged() -> None:
    happened = log("kind stops")
    late = course(happened)
    late.take(*BENCH.columns(happened, 0), KINDS, SINCE + 2 * DAY)
    assert late.look(SINCE + 2 * DAY) == ()
    assert late.judged == int((SINCE + 2 * DAY - CONFIG.grace) // 600)


def test_a_kind_that_is_new_is_no_fault(warm: Course) -> None:
    happened = log()
    own = copy.deepcopy(warm)
    done = int(np.searchsorted(happened.times, WARM))
    names = (*KINDS, "share")
    for n in range(1, 100):
        now = WARM + n * 600.0
        events, shown = BENCH.columns(until(happened, now - 600.0, now), done)
        done += len(events)
        shares = events.where(events.kinds == 0)
        shares = replace(
            shares, kinds=np.full_like(shares.kinds, 4), offsets=shares.offsets + 10**7
        )
        own.take(events, shown, names, now)
        own.take(shares, BENCH.unshown(), names, now)
        assert [one.kind for one in own.look(now + 300.0) if one.kind in ("mix", "rate")] == []


def test_a_detector_that_fails_leaves_the_others(
    warm: Course, caplog: pytest.LogCaptureFixture
) -> None:
    own = copy.deepcopy(warm)

    def broken(look: object) -> None:
        raise RuntimeError("on purpose")

    own.detectors["repeats"].judge = broken  # type: ignore[method-assign, assignment]
    found = walked(own, log("kind stops"), 4)
    assert "silence" in {one.kind for _, one in found}
