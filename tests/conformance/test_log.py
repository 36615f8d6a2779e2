"""What every implementation of `store.log.Log` promises."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from conformance.conftest import Place
from penchant.store.events import event_key
from penchant.store.faults import StoreClosed, StoreError
from penchant.store.open import Store, open_store
from penchant.store.tail import Position
from penchant.types import InvalidInput
from store.frames import SECOND, events

STRANGE = [
    "a", " ", "\t\n", "'; DROP TABLE events; --", "%s", "?", ":name", "\x00", "nul\x00inside",
    "日本語の本", "كتاب عربي", "‮reversed", "👩‍👩‍👧‍👦", "é", "e\u0301", "\uffff", "\U0010ffff",
    "a/b\\c\"d", "A", "x" * 512, "😀" * 128,
]  # fmt: skip


def ids(store: Store, numbers: np.ndarray) -> list[str]:
    return store.catalogue.get(numbers.tolist())["item_id"].to_list()


@pytest.mark.parametrize("alone", [False, True])
def test_appended_events_are_read_back_as_they_were(store: Store, alone: bool) -> None:
    row = {
        "user_id": "u", "item_id": "i", "event": "rating", "timestamp": 1_700_000_000_123_456,
        "value": 4.5, "key": event_key("x"), "slate_id": "slate", "text": "good, 好 \x00",
        "context": '{"device":"tv"}', "shared": 0.25,
    }  # fmt: skip
    done = store.log.append(row if alone else events(row))
    assert (done.new, done.known, done.last) == (1, 0, 1)
    again = store.log.append(row if alone else events(row))
    assert (again.new, again.known, again.last) == (0, 1, 1)
    got = store.log.history(0, 5, now=2e9)
    assert len(got) == 1
    assert got.offsets.tolist() == [1]
    assert got.users.tolist() == got.items.tolist() == [0]
    assert got.times.tolist() == [1_700_000_000.123456]
    assert [got.kind_names[k] for k in got.kinds] == ["rating"]
    assert got.values.tolist() == [4.5]
    assert got.shared.tolist() == [0.25]
    assert (got.texts, got.contexts, got.slates) == (
        ("good, 好 \x00",), ('{"device":"tv"}',), ("slate",),
    )  # fmt: skip
    assert got.times.dtype == np.float64
    assert got.values.dtype == got.shared.dtype == np.float32
    assert got.items.dtype == got.users.dtype == np.int32
    assert got.kinds.dtype == np.int16


def test_an_empty_log_answers_everything_with_nothing(store: Store) -> None:
    log = store.log
    assert log.append(events()) == log.append(events())
    assert log.append(events()).last == 0
    for got in (log.history(0, 10, 1e9), log.scan(0, 10), log.history(-1, 0, 1e9)):
        assert len(got) == 0
        assert got.offsets.dtype == np.int64
        assert (got.texts, got.contexts, got.slates, got.kind_names) == ((), (), (), ())
    assert log.seen(3, 1e9).tolist() == []
    assert log.seen(3, 1e9).dtype == np.int32
    assert log.retract(user=7) == 0
    assert log.retract(event_id="never") == 0
    assert store.tail(Position()).position == Position()


def test_history_is_the_newest_up_to_now_oldest_first(store: Store) -> None:
    store.log.append(
        events(*[("u", f"i{k}", time) for k, time in enumerate([50, 10, 40, 20, 20, 30])])
    )
    assert store.log.history(0, 9, now=1e9).times.tolist() == [10, 20, 20, 30, 40, 50]
    assert store.log.history(0, 3, now=1e9).times.tolist() == [30, 40, 50]
    assert store.log.history(0, 3, now=30).times.tolist() == [20, 20, 30]
    assert store.log.history(0, 3, now=29.999999).times.tolist() == [10, 20, 20]
    same = store.log.history(0, 3, now=20)
    assert same.offsets.tolist() == [2, 4, 5]  # one moment: in the order they came
    assert store.log.history(0, 3, now=9.9).times.tolist() == []
    assert store.log.history(0, 3, now=float("inf")).times.tolist() == [30, 40, 50]
    assert store.log.history(0, 3, now=float("-inf")).times.tolist() == []
    assert store.log.history(0, 0, now=1e9).times.tolist() == []
    assert store.log.history(0, -1, now=1e9).times.tolist() == []
    with pytest.raises(InvalidInput, match="NaN"):
        store.log.history(0, 3, now=float("nan"))


def test_history_passes_over_kinds_without_counting_them(store: Store) -> None:
    kinds = ("click", "impression", "view", "impression", "click", "search", "view")
    store.log.append(events(*(("u", f"i{k}", k, kind, str(k)) for k, kind in enumerate(kinds))))

    def told(n: int, *ignoring: str) -> list[int]:
        return [int(t) for t in store.log.history(0, n, 1e9, ignoring).times]

    assert told(3) == [4, 5, 6]
    assert told(3, "impression", "search") == [2, 4, 6]
    assert told(9, "view", "impression", "search", "never heard of") == [0, 4]
    assert told(9, *kinds) == []
    assert told(9) == list(range(7))


def test_an_event_at_a_moment_is_visible_at_that_moment(store: Store) -> None:
    moments = [1_700_000_000 + k / 7 for k in range(40)]
    store.log.append(events(*[("u", "i", moment) for moment in moments]))
    for count, moment in enumerate(moments, 1):
        assert len(store.log.history(0, 99, now=moment)) == count


def test_seen_has_each_item_once_up_to_now_and_can_leave_kinds_out(store: Store) -> None:
    store.log.append(
        events(
            ("u", "a", 1), ("u", "b", 2, "impression"), ("u", "a", 3), ("w", "c", 1),
            ("u", "c", 9), ("u", "b", 10, "click"), {"user_id": "u", "text": "q", "event_id": "q"},
        )
    )  # fmt: skip
    assert ids(store, store.log.seen(0, 1)) == ["a"]
    assert ids(store, store.log.seen(0, 3)) == ["a", "b"]
    assert ids(store, store.log.seen(0, 3, ignoring=("impression",))) == ["a"]
    assert ids(store, store.log.seen(0, 99, ignoring=("impression",))) == ["a", "b", "c"]
    assert ids(store, store.log.seen(0, 99, ignoring=("no such kind",))) == ["a", "b", "c"]
    assert store.log.seen(99, 99).tolist() == []


def test_an_event_is_stored_once_whoever_repeats_it(store: Store, place: Place) -> None:
    frame = events(("u", "a", 1), ("u", "b", 2), ("u", "c", 3))
    assert store.log.append(frame).new == 3
    again = store.log.append(frame)
    assert (again.new, again.known, again.last) == (0, 3, 3)
    mixed = pl.concat([frame[:1], events(("u", "d", 4, "click", "d"), ("u", "d", 4, "click", "d"))])
    done = store.log.append(mixed)
    assert (done.new, done.known) == (1, 2)
    other = place.open()
    assert other.log.append(frame).new == 0
    assert other.log.scan(0, 99).times.tolist() == [1, 2, 3, 4]


def test_scan_goes_through_the_log_in_pieces_in_order(store: Store) -> None:
    store.log.append(events(*[(f"u{k % 3}", f"i{k % 5}", k) for k in range(25)]))
    whole = store.log.scan(0, 1000)
    assert (np.diff(whole.offsets) > 0).all()
    assert whole.times.tolist() == list(range(25))
    after, times = 0, []
    while len(part := store.log.scan(after, 4)):
        times += part.times.tolist()
        after = int(part.offsets[-1])
    assert times == list(range(25))
    assert [len(part) for part in store.log.chunks(limit=10)] == [10, 10, 5]
    assert len(store.log.scan(0, 0)) == 0
    assert len(store.log.scan(10**9, 10)) == 0


def test_texts_stay_aligned_when_pieces_with_and_without_are_joined(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.store.events.READ", 3)
    store.log.append(events(*[("u", "i", k) for k in range(6)]))
    store.log.append(events({"user_id": "u", "text": "words", "event_id": "x", "context": "{}"}))
    whole = store.log.scan(0, 100)
    assert whole.texts == (*[None] * 6, "words")
    assert whole.contexts == (*[None] * 6, "{}")
    assert whole.slates == ()
    assert whole.items.tolist() == [0] * 6 + [-1]


def test_ids_of_any_characters_come_back_exactly(store: Store) -> None:
    for number, name in enumerate(STRANGE):
        row = {"user_id": name, "item_id": name, "event": name, "slate_id": name}
        store.log.append(events(row | {"event_id": name}))
        assert store.people.numbers([name, name + "!"]).tolist() == [number, -1]
        assert store.people.get([number])["user_id"].to_list() == [name]
        assert ids(store, store.log.seen(number, 1)) == [name]
        got = store.log.history(number, 1, 1)
        assert got.slates == (name,)
        assert [got.kind_names[k] for k in got.kinds] == [name]
        assert store.log.retract(event_id=name) == 1


def test_asking_for_what_cannot_be_an_id_finds_nothing(store: Store) -> None:
    for name in ("", "\ud800", "x" * 100_000):
        assert store.people.numbers([name]).tolist() == [-1]
        assert store.catalogue.numbers([name]).tolist() == [-1]
        assert store.log.retract(event_id=name) == 0
        assert store.impressions.get(name) is None


def test_ids_are_told_apart_by_every_byte(store: Store) -> None:
    store.log.append(events(*[(name, name, 1) for name in STRANGE]))
    assert store.people.numbers(STRANGE).tolist() == list(range(len(STRANGE)))
    assert store.catalogue.numbers(STRANGE).tolist() == list(range(len(STRANGE)))


def test_a_frame_with_a_bad_row_is_refused_whole(store: Store) -> None:
    good: dict = {"user_id": "u", "item_id": "i", "event_id": "x"}
    for row, complaint in (
        (good | {"user_id": ""}, "'user_id' holds ids of 0 to 4"),
        (good | {"user_id": "u" * 513}, "'user_id' holds ids of 4 to 513"),
        (good | {"item_id": "é" * 257}, "'item_id' holds ids of 4 to 514"),
        (good | {"user_id": None}, "'user_id' has 1 missing"),
        (good | {"item_id": None}, "neither an item nor text"),
        (good | {"event": None}, "'event' has 1 missing"),
        (good | {"timestamp": None}, "'timestamp' has 1 missing"),
        ({"user_id": "u", "item_id": "i", "key": b"short"}, "keys of 5 to 16 bytes"),
        ({"user_id": "u", "item_id": "i", "key": None}, "'key' has 1 missing"),
    ):
        with pytest.raises(InvalidInput, match=complaint):
            store.log.append(events(("fine", "fine", 1), row))
    assert len(store.log.scan(0, 9)) == 0
    assert store.people.numbers(["fine"]).tolist() == [-1]


def test_a_bad_event_alone_is_refused(store: Store) -> None:
    good = events(("u", "i", 1)).row(0, named=True)
    for change, complaint in (
        ({"user_id": ""}, "'user_id' holds an id of 0 bytes"),
        ({"user_id": "u" * 513}, "'user_id' holds an id of 513"),
        ({"item_id": "é" * 257}, "'item_id' holds an id of 514"),
        ({"user_id": None}, "'user_id' is missing"),
        ({"item_id": None}, "neither an item nor text"),
        ({"event": None}, "'event' is missing"),
        ({"timestamp": None}, "'timestamp' is missing"),
        ({"timestamp": "yesterday"}, "'timestamp' is 'yesterday'; expected .* Int64"),
        ({"timestamp": True}, "'timestamp' is True"),
        ({"key": b"short"}, "key has 5 bytes"),
        ({"extra": 1}, "expected the members .*extra"),
    ):
        with pytest.raises(InvalidInput, match=complaint):
            store.log.append({**good, **change})
    assert len(store.log.scan(0, 9)) == 0
    assert store.log.append({**good, "value": math.nan, "shared": None}).new == 1
    found = store.log.scan(0, 9)
    assert np.isnan(found.values).tolist() == [True]
    assert found.shared.tolist() == [1.0]


def test_a_frame_with_other_columns_is_refused_by_name(store: Store) -> None:
    with pytest.raises(InvalidInput, match=r"missing \['event', 'timestamp', 'key'\].*\['extra'\]"):
        store.log.append(pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "extra": [1]}))
    frame = events(("u", "i", 1)).with_columns(timestamp=pl.lit("yesterday"))
    with pytest.raises(InvalidInput, match="type"):
        store.log.append(frame)


def test_values_that_are_no_numbers_or_huge_survive(store: Store) -> None:
    values = [float("nan"), None, float("inf"), -float("inf"), 1e300, -0.0, 3.0]
    weights = [None, 0.0, 1.0, float("nan"), 1, 1, 1]
    rows = [
        {"user_id": "u", "item_id": "i", "value": value, "shared": weight, "event_id": str(k)}
        for k, (value, weight) in enumerate(zip(values, weights, strict=True))
    ]
    with np.errstate(over="ignore"):
        store.log.append(events(*rows))
        got = store.log.history(0, 9, 1)
    assert np.isnan(got.values[:2]).all()
    assert got.values[2:].tolist() == [np.inf, -np.inf, np.inf, 0, 3]
    assert got.shared.tolist() == [1, 0, 1, 1, 1, 1, 1]


def test_times_far_from_today_survive(store: Store) -> None:
    far = [-62_135_596_800, -1.5, 0, 253_402_300_799]
    store.log.append(events(*[("u", "i", moment) for moment in far]))
    assert store.log.history(0, 9, float("inf")).times.tolist() == far


def test_a_long_text_survives(store: Store) -> None:
    text = "naïve 文 \x00 " * 600_000
    store.log.append(events({"user_id": "u", "text": text, "event_id": "x"}))
    assert store.log.history(0, 1, 1).texts == (text,)


def test_one_by_one_is_the_same_as_all_at_once(place: Place, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = events(
        *[
            (f"u{rng.integers(9)}", f"i{rng.integers(20)}", float(rng.integers(99)),
             str(rng.choice(["click", "view"])))
            for _ in range(120)
        ]
    )  # fmt: skip
    one, all_ = place.open(), open_store(tmp_path / "all")
    for row in frame.iter_slices(1):
        one.log.append(row)
    all_.log.append(frame)
    assert_equal_logs(one, all_)
    all_.close()


def assert_equal_logs(a: Store, b: Store) -> None:
    left, right = a.log.scan(0, 10**6), b.log.scan(0, 10**6)
    for name in ("users", "items", "times", "kinds", "values", "shared"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    assert (left.kind_names, left.texts) == (right.kind_names, right.texts)
    for user in range(len(a.people)):
        np.testing.assert_array_equal(a.log.seen(user, 1e9), b.log.seen(user, 1e9))


def test_a_batch_in_several_pieces_is_one_log(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = events(*[(f"u{k % 7}", f"i{k % 11}", k) for k in range(200)])
    whole = open_store(tmp_path / "whole")
    whole.log.append(frame)
    monkeypatch.setattr("penchant.store.events.CHUNK", 33)
    store = place.open()
    done = store.log.append(frame)
    assert (done.new, done.known, done.last) == (200, 0, 200)
    assert_equal_logs(store, whole)
    whole.close()


def test_numbers_may_be_of_numpy(store: Store) -> None:
    store.log.append(events(("u", "a", 1), ("w", "b", 2)))
    for kind in (np.int32, np.int64):
        user = kind(1)
        assert store.log.history(user, kind(5), np.float64(9)).times.tolist() == [2]
        assert store.log.seen(user, np.float32(9)).tolist() == [1]
        assert len(store.log.scan(kind(1), kind(9))) == 1
        assert store.catalogue.changed(kind(1))[0]["item_id"].to_list() == ["b"]
        assert store.people.get([user])["user_id"].to_list() == ["w"]
        assert store.impressions.purge(user) == 0
    assert store.people.merge(np.int32(0), np.int64(1)) == 1
    assert store.log.retract(user=np.int32(1)) == 2


def test_a_closed_log_says_so(place: Place) -> None:
    store = place.open()
    store.close()
    store.close()
    for call in (
        lambda: store.log.append(events(("u", "a", 1))),
        lambda: store.log.history(0, 1, 1),
        lambda: store.moved(),
        lambda: store.tail(Position()),
    ):
        with pytest.raises(StoreClosed, match="open it again"):
            call()


def test_a_store_opened_to_read_refuses_to_write(store: Store, place: Place) -> None:
    store.log.append(events(("u", "a", 1)))
    reader = place.open(read_only=True)
    assert len(reader.log.history(0, 9, 9)) == 1
    with pytest.raises(StoreError, match="opened to read"):
        reader.log.append(events(("u", "a", 2)))
    store.log.append(events(("u", "b", 2)))
    assert len(reader.log.history(0, 9, 9)) == 2


def test_too_many_kinds_are_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penchant.store.appender._KINDS", 3)
    store.log.append(events(*[("u", "i", k, f"kind {k}") for k in range(4)]))
    with pytest.raises(InvalidInput, match="'kind 9' would be one more"):
        store.log.append(events(("u", "j", 9, "kind 9")))
    assert len(store.log.scan(0, 99)) == 4
    assert store.catalogue.numbers(["j"]).tolist() == [-1]  # nothing of the batch was stored
    assert store.log.append(events(("u", "j", 9, "kind 1"))).new == 1


def test_microseconds_are_the_unit(store: Store) -> None:
    store.log.append(events({"user_id": "u", "item_id": "i", "timestamp": 5 * SECOND + 1,
                             "event_id": "x"}))  # fmt: skip
    assert len(store.log.history(0, 1, 5.0)) == 0
    assert len(store.log.history(0, 1, 5.000001)) == 1
