"""What a context adds to an item: of what was shown and answered in it, and of nothing else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.rank.feedback.cell import ITEMS, Fade
from penchant.rank.feedback.circumstances import KEYS, told
from penchant.rank.feedback.contexts import SHAPE, Contexts
from penchant.rank.feedback.rates import HOUR, Rates
from rank.feedback.logs import shown

DAY = 24 * HOUR
HALF = 2 * DAY
NOTHING: dict[str, Any] = {}
Row = tuple[dict[str, Any] | None, list[int], list[int]]  # context, items, places that are answered


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def counted(rows: list[Row], most: int = 48, step: float = 1.0, half: float = HALF) -> Contexts:
    """Show and answer slates, one each `step` seconds."""
    rates = Rates(half)
    contexts = Contexts(rates, half, most)
    for n, (context, items, places) in enumerate(rows):
        time = step * n
        slate = shown([(0, time, items)], first=n + 1, contexts=(context,))
        every = np.arange(len(items), dtype=np.int32)
        rates.show(slate.items, every, np.full(len(items), time))
        contexts.show(slate, np.array([True]))
        answered = ints(*places)
        columns = slate.items[answered], answered, np.full(len(places), time)
        rates.answer(*columns)
        contexts.answer(
            *columns, np.full(len(places), n + 1, dtype=np.int64), [told(context)] * len(places)
        )
    return contexts


def test_a_context_is_told_by_its_plain_values() -> None:
    context = {
        "time": "evening",
        "home": True,
        "hour": np.int64(20),
        "far": 0.5,
        "year": 2031,
        "who": ["a"],
        "long": "x" * 100,
        "none": None,
        3: "three",
    }
    assert told(context) == ("3=three", "home=true", "hour=20", "time=evening")
    assert told(None) == told({}) == ()
    assert len(told({f"k{n}": "v" for n in range(100)})) == KEYS


def test_a_lift_is_answers_by_what_the_item_and_the_context_let_expect() -> None:
    phone, desktop = {"device": "phone"}, {"device": "desktop"}
    # Item 0 is for phones, item 1 for neither; twice as much is clicked on a phone.
    rows: list[Row] = []
    for n in range(400):
        rows.append((phone, [0], [0] if n % 5 < 3 else []))
        rows.append((phone, [1], [0] if n % 5 < 2 else []))
        rows.append((desktop, [0], []))
        rows.append((desktop, [1], [0] if n % 5 < 2 else []))
    contexts = counted(rows)
    now = 1600.0
    every = ints(0, 1, 2)
    on_phone, on_desktop = (contexts.lift(every, now, one) for one in (phone, desktop))
    assert on_phone[0] > 0.2 > 0 > on_phone[1]
    assert on_desktop[1] > 0.4 > 0 > on_desktop[0]
    assert on_phone[2] == on_desktop[2] == 0.0
    # By hand, up to the rates, which are drawn to the mean, and an hour's decay.
    own = {0: 240 / 800, 1: 320 / 800}
    level = 400 / (400 * own[0] + 400 * own[1])
    hand = np.log((240 + SHAPE) / (400 * own[0] * level + SHAPE))
    assert on_phone[0] == pytest.approx(hand, abs=0.01)


def test_a_context_in_which_more_is_clicked_lifts_nobody() -> None:
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for n in range(4000):
        night = {"time": "night" if n % 2 else "day"}
        rows.append((night, [n % 7], [0] if rng.random() < (0.6 if n % 2 else 0.1) else []))
    contexts = counted(rows)
    for time in ("night", "day"):
        assert np.abs(contexts.lift(ints(*range(7)), 4000.0, {"time": time})).max() < 0.15


def test_places_that_are_looked_at_less_are_no_worse() -> None:
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    seen = np.array([0.6, 0.3, 0.15, 0.06])
    for n in range(6000):
        on_tv = n % 2 == 0
        # On the tv item 0 stands low, elsewhere high; it is as good here as there.
        items = [1, 2, 3, 0] if on_tv else [0, 1, 2, 3]
        if rng.random() < 0.2:
            items = rng.permutation(4).tolist()
        clicked = np.flatnonzero(rng.random(4) < seen).tolist()
        rows.append(({"device": "tv"} if on_tv else None, items, clicked))
    contexts = counted(rows)
    now = 4 * HOUR  # places are told by the hours before the last
    corrected = contexts.lift(ints(0), now, {"device": "tv"})
    assert contexts._rates.looked(now)[3] < 0.6
    contexts._rates.looked = lambda now: np.ones(8, dtype=np.float32)  # type: ignore[method-assign]
    naive = contexts.lift(ints(0), now, {"device": "tv"})
    # Half of what counts say of places is believed, in logs.
    assert naive[0] < -0.9
    assert corrected[0] == pytest.approx(naive[0] / 2, abs=0.1)


def test_several_keys_add_up_and_nothing_told_is_nothing() -> None:
    rows: list[Row] = [
        ({"a": "x", "b": "y"}, [0, 1], [0]),
        ({"a": "z", "b": "w"}, [0, 1], [1]),
    ] * 200
    contexts = counted(rows)
    one, other, both = (
        contexts.lift(ints(0, 1), 400.0, c) for c in ({"a": "x"}, {"b": "y"}, {"b": "y", "a": "x"})
    )
    np.testing.assert_allclose(one + other, both, rtol=1e-6)
    assert one[0] > 0.3
    for nothing in (NOTHING, {"a": 0.5}, {"a": "unheard of"}):
        assert contexts.lift(ints(0, 1), 400.0, nothing).tolist() == [0.0, 0.0]
    assert len(contexts.lift(ints(), 400.0, {"a": "x"})) == 0
    # A moment long before: what is known came later. One slate of tomorrow is no proof of that.
    assert contexts.lift(ints(0, 1), -2 * HOUR, {"a": "x"}).tolist() == [0.0, 0.0]
    contexts.show(shown([(0, DAY, [0])], first=401, contexts=({"a": "z"},)), np.array([True]))
    assert contexts.lift(ints(0, 1), 400.0, {"a": "x"}).any()


def test_what_was_counted_fades() -> None:
    contexts = counted([({"a": "x"}, [0, 1], [0]), ({"a": "y"}, [0, 1], [1])] * 100)
    lifts = [float(contexts.lift(ints(0), days * DAY, {"a": "x"})[0]) for days in (1, 5, 15)]
    assert lifts[0] > lifts[1] > lifts[2] > 0


def test_the_most_shown_values_stay_and_what_no_longer_counts_makes_room() -> None:
    rng = np.random.default_rng(0)

    def rows(often: str, n: int) -> list[Row]:
        names = [often if rng.random() < 0.5 else f"r{rng.integers(1 << 30)}" for _ in range(n)]
        return [({"place": name}, [k % 9], []) for k, name in enumerate(names)]

    contexts = counted([*rows("home", 500), *rows("office", 1000)], most=8, step=HALF / 100)
    assert "place=office" in contexts._cells
    assert "place=home" not in contexts._cells  # ten half-lives ago: less than what comes once
    assert len(contexts._cells) == 8


def test_a_key_of_many_values_does_not_drive_out_the_others() -> None:
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for n in range(600):
        rare = {"weather": "snow"} if n % 50 == 0 else {"weather": "sun"}
        rows.append(({"session": f"s{rng.integers(1 << 30)}", **rare}, [n % 9], []))
    contexts = counted(rows, most=8)
    assert {"weather=snow", "weather=sun"} < set(contexts._cells)
    assert len(contexts._cells) == 8
    assert contexts._cells["weather=snow"].exposures.sum() == pytest.approx(12, rel=0.01)


def test_memory_of_a_value_is_bounded_and_the_most_shown_items_stay() -> None:
    rows: list[Row] = [
        ({"a": "x"}, [*range(50), *range(k, k + 150)], []) for k in range(50, 9000, 150)
    ]
    contexts = counted(rows)
    cell = contexts._cells["a=x"]
    assert len(cell.rows) <= ITEMS
    assert len(cell.items) <= 2 * ITEMS
    assert set(range(50)) <= set(cell.rows)
    assert [cell.items[row] for row in cell.rows.values()] == list(cell.rows)


def test_an_answer_to_a_slate_that_no_longer_counts_is_none() -> None:
    contexts = counted(
        [({"a": "x"}, [0], []), ({"a": "y"}, [0], []), ({"a": "x"}, [0], [])], most=1
    )
    none, one = (np.zeros(1, dtype=kind) for kind in (np.int32, np.float64))
    for number, count in ((1, 0.0), (3, 1.0)):
        contexts.answer(none, none, one, np.array([number]), [("a=x",)])
        assert contexts._cells["a=x"].answers[0] == count


def test_weights_are_scaled_back_by_powers_of_two() -> None:
    fade = Fade(10.0)
    assert fade.weigh(25.0) == (2**0.5, 1.0)
    weight, back = fade.weigh(25.0 + 10.0 * 40)
    assert (weight, back) == (2**0.5, 2.0**-40)
    assert fade.weigh(25.0)[0] == 2**-39.5
    assert fade.left(25.0 + 10.0 * 40) == pytest.approx(2**-0.5)
    for far in (1e12, -1e12):
        assert np.isfinite(fade.left(far))
        assert np.isfinite(fade.weigh(far)).all()


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 6 * HOUR, 20 * DAY]))
def test_counts_are_the_same_to_the_bit_however_far_one_log_was_read(
    seed: int, step: float
) -> None:
    """Answers come as their slate does, or when all slates were read, or after a restart."""
    rng = np.random.default_rng(seed)
    n = 80
    lists = [rng.permutation(30)[: rng.integers(1, 6)].tolist() for _ in range(n)]
    contexts: list[dict[str, Any] | None] = [
        None if rng.random() < 0.2 else {"a": int(rng.integers(6)), "b": str(rng.integers(4))}
        for _ in range(n)
    ]
    times = step * (np.arange(n) + rng.uniform(-2, 2, n))
    slates = shown(
        [(0, float(t), items) for t, items in zip(times, lists, strict=True)],
        contexts=tuple(contexts),
    )
    answered = np.sort(rng.integers(0, n, n))  # slates that are answered, with delay

    def folded(delay: int, restarts: float) -> dict[str, bytes]:
        made, at = Contexts(Rates(HALF), HALF, 5), 0
        for k in range(n):
            own = slice(int(slates.starts[k]), int(slates.starts[k + 1]))
            made.show(
                shown([(0, float(times[k]), slates.items[own].tolist())], k + 1, (contexts[k],)),
                np.array([True]),
            )
            while at < n and (answered[at] + delay <= k or k == n - 1):
                s = int(answered[at])
                made.answer(
                    ints(lists[s][0]),
                    ints(0),
                    times[s : s + 1] + 1,
                    np.array([s + 1]),
                    [told(contexts[s])],
                )
                at += 1
            if rng.random() < restarts:
                kept = made.kept()
                made = Contexts(Rates(HALF), HALF, 5)
                made.resume(kept)
        return {name: one.tobytes() for name, one in made.kept().items()}

    assert folded(0, 0.0) == folded(7, 0.2) == folded(n, 0.1)


def test_a_world_of_phones_and_desktops() -> None:
    """Half of the items are wanted on phones, half at desks: the rate alone cannot tell."""
    rng = np.random.default_rng(0)
    rates = Rates(HALF)
    contexts = Contexts(rates, HALF, 48)
    hits: Counter[str] = Counter()
    every = ints(*range(20))
    for n in range(3000):
        device = "phone" if rng.random() < 0.5 else "desktop"
        context, time = {"device": device}, 60.0 * n
        if n >= 2000:
            rate = rates.at(every, time)
            assert rate is not None
            best = {
                "rate": rate.lift,
                "context": rate.lift + contexts.lift(every, time, context),
            }
            for name, scores in best.items():
                hits[name] += int((int(scores.argmax()) % 2 == 0) == (device == "phone"))
        items = rng.permutation(20)[:8]
        suits = (items % 2 == 0) == (device == "phone")
        clicked = np.flatnonzero(rng.random(8) < np.where(suits, 0.3, 0.05)).astype(np.int32)
        slate = shown([(0, time, items.tolist())], n + 1, (context,))
        rates.show(slate.items, np.arange(8, dtype=np.int32), np.full(8, time))
        contexts.show(slate, np.array([True]))
        columns = slate.items[clicked], clicked, np.full(len(clicked), time)
        rates.answer(*columns)
        numbers = np.full(len(clicked), n + 1, dtype=np.int64)
        contexts.answer(*columns, numbers, [told(context)] * len(clicked))
    assert hits["context"] > 990
    assert hits["rate"] < 600
