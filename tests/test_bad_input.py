"""Bad input gets a clear error and loses nothing: each case of it, and what is promised."""

from __future__ import annotations

import datetime
import itertools
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import penchant
import world
from penchant import Error, Event, Item
from penchant.types import InvalidInput
from shelves import MUTE, elsewhere, filled, ids, mute


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[penchant.Engine]:
    with penchant.open(filled(tmp_path / "shelf")) as opened:
        yield opened


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[penchant.Engine]:
    with penchant.open(mute(tmp_path / "empty")) as opened:
        yield opened


def held(engine: penchant.Engine) -> tuple[int, dict[str, int]]:
    """Return how many events and how many quarantined rows the directory holds."""
    return len(engine._store.log.scan(0, 2**31)), engine._store.quarantine.counts()


# Files and tables


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("header.csv", b"user_id,item_id\n"),
        ("empty.jsonl", b""),
        ("blank.jsonl", b"\n\n"),
        ("array.jsonl", b'[{"user_id": "a", "item_id": "b"}]'),
        ("broken.jsonl", b'{"user_id": "a", "item_id"'),
        ("broken.parquet", b"PAR1 and then nothing"),
        ("binary.csv", bytes(range(256)) * 10),
        ("broken.csv.gz", b"no gzip"),
        ("data.xlsx", b"PK"),
    ],
)
def test_a_file_without_rows_is_refused_whole(
    engine: penchant.Engine, tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    before = held(engine)
    for verb in (engine.record, engine.add):
        with pytest.raises(InvalidInput, match="expected"):
            verb(path)
    assert held(engine) == before


def test_a_path_to_nothing_is_refused(engine: penchant.Engine, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="found nothing; check the path"):
        engine.record(tmp_path / "nowhere.csv")
    with pytest.raises(InvalidInput, match="found a directory"):
        engine.add(str(tmp_path))


def test_wrong_columns_are_named(engine: penchant.Engine) -> None:
    before = held(engine)
    with pytest.raises(InvalidInput, match=r"'user_id'.*'colour'.*columns="):
        engine.record(pl.DataFrame({"colour": ["red"], "item_id": ["w1"]}))
    with pytest.raises(InvalidInput, match="claim it"):
        engine.record(pl.DataFrame({"uid": ["a"], "visitor": ["b"], "item_id": ["w1"]}))
    with pytest.raises(InvalidInput, match="item_id"):
        engine.add(pl.DataFrame({"colour": ["red"]}))
    with pytest.raises(InvalidInput, match="not there"):
        engine.add(pl.DataFrame({"item_id": ["x"]}), columns={"title": "heading"})
    with pytest.raises(InvalidInput, match="a few kinds of events"):
        engine.record(
            pl.DataFrame({"user_id": "a", "item_id": "b", "event": [str(n) for n in range(2000)]})
        )
    assert held(engine) == before


def test_tables_without_rows_change_nothing(engine: penchant.Engine) -> None:
    before = held(engine)
    nothing = pl.DataFrame(schema={"user_id": pl.String, "item_id": pl.String})
    assert engine.record(nothing)["new"] == 0
    assert engine.record([])["new"] == 0
    assert engine.add([])["new"] == 0
    assert engine.add(nothing.select("item_id"))["new"] == 0
    assert engine.add() == {}
    assert held(engine) == before


# Values


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, -1e300, 10**400])
def test_a_single_event_with_an_impossible_value_is_refused(
    engine: penchant.Engine, value: float
) -> None:
    before = held(engine)
    with pytest.raises(InvalidInput, match="expected a"):
        engine.record(Event("ann", "w6", "purchase", value=value))
    assert held(engine) == before


def test_rows_with_impossible_values_are_kept_aside_with_a_reason(engine: penchant.Engine) -> None:
    values = [1.0, math.nan, math.inf, -math.inf, 1e300, -3.0, None]
    frame = pl.DataFrame(
        {
            "user_id": [f"v{n}" for n in range(len(values))],
            "item_id": "w1",
            "event": "dwell",
            "value": values,
            "timestamp": world.NOW - 60,
        }
    )
    counts = engine.record(frame, now=world.NOW)
    assert counts["rows"] == len(values)
    assert counts["new"] + counts["quarantined"] + counts["duplicates"] == len(values)
    assert counts["value_not_finite"] == 3
    assert counts["value_too_large"] == 1
    assert counts["value_negative"] == 1
    _, aside = held(engine)
    assert sum(aside.values()) == counts["quarantined"] == 5
    assert engine.recommend("v0", now=world.NOW)


def test_prices_that_cannot_be_believed_are_missing(empty: penchant.Engine) -> None:
    prices = [math.nan, math.inf, -1.0, 0.0, 1e300, 5.0]
    empty.add([{"item_id": f"i{n}", "price": p} for n, p in enumerate(prices)])
    assert set(ids(empty.recommend("a", where="price >= 0"))) == {"i3", "i4", "i5"}
    assert set(ids(empty.recommend("a", where="price == None"))) == {"i0", "i1", "i2"}
    slate = empty.recommend("a", k=6)
    assert all(math.isfinite(line.score) for line in slate)


def test_scores_stay_finite_whatever_a_feature_holds(empty: penchant.Engine) -> None:
    rng = np.random.default_rng(0)
    odd = [0.0, 1e-300, 1e30, 1e300, 3e38, 5.0]
    empty.add(
        [
            {"item_id": f"i{n}", "price": odd[n % 6], "released": float(n % 3) * 1e9}
            for n in range(60)
        ]
    )
    empty.record(
        [
            Event(f"u{rng.integers(8)}", f"i{rng.integers(60)}", timestamp=float(t))
            for t in range(200)
        ],
        now=1e9,
    )
    with np.errstate(all="raise", under="ignore"):
        for now in (0.0, 1.0, 1e9, 4e9):
            slate = empty.recommend("u1", k=60, now=now)
            assert all(math.isfinite(line.score) for line in slate)


# Ids


UNUSUAL = [
    "😀🏳️‍🌈", "星を継ぐもの", "جيد جدا", "שלום עולם", "e\u0301", "\u202eabc", "a b\tc\n",
    "'; DROP TABLE--", "\x00", "\\", "%", "_", "None", "nan", "0", "-1", " ", "ａ",
    "é" * 256, "x" * 512,
]  # fmt: skip


def test_ids_are_any_characters(empty: penchant.Engine) -> None:
    empty.add([Item(i, title=f"Title {i}") for i in UNUSUAL])
    for person in UNUSUAL:
        empty.record(Event(person, person))
        shown = ids(empty.recommend(person, k=len(UNUSUAL)))
        assert sorted(shown) == sorted(set(UNUSUAL) - {person})
        assert empty.export(person)["events"][0]["item_id"] == person
    slate = empty.rank("someone", UNUSUAL)
    assert sorted(ids(slate)) == sorted(UNUSUAL)
    assert empty.explain(slate, "😀🏳️‍🌈").item_id == "😀🏳️‍🌈"
    assert empty.recommend("other", exclude=UNUSUAL[1:])[0].item_id == UNUSUAL[0]
    assert ids(empty.recommend("other", where='item_id == "星を継ぐもの"')) == ["星を継ぐもの"]
    assert sum(empty.forget(person) for person in UNUSUAL) == len(UNUSUAL)


def test_texts_are_any_characters(tmp_path: Path) -> None:
    with penchant.open(tmp_path / "shelf") as engine:
        engine.add(
            [
                Item("zh", "星を継ぐもの", "月面で発見された宇宙服の死体。五万年前のものだった。"),
                Item("ar", "ألف ليلة وليلة", "حكايات شهرزاد للملك شهريار"),
                Item("he", "סיפור על אהבה וחושך", "ילדות בירושלים"),
                Item("smile", "😀😀😀", "🏳️‍🌈 👩‍👩‍👧‍👦"),
                Item("control", "a\x00b\x01c\u202ed", "\ud83d lone"),
                Item("nothing"),
            ]
        )
        for words in ("宇宙", "شهرزاد", "😀", "אהבה", "\ud800", " ", ""):
            slate = engine.recommend("a", k=6, text=words)
            assert len(slate) == 6
        assert engine.recommend("a", text="حكايات شهرزاد", k=2)[0].item_id == "ar"
        sentence = engine.explain(slate, "zh").sentence
        assert "星を継ぐもの" in sentence


@pytest.mark.parametrize("bad", ["", "x" * 513, "é" * 257, "\ud800", None, 1.5, b"bytes", ["a"]])
def test_ids_that_are_none_are_refused(engine: penchant.Engine, bad: Any) -> None:
    before = held(engine)
    for use in (
        lambda: engine.record(Event(bad, "w1")),
        lambda: engine.record({"user_id": bad, "item_id": "w1"}),
        lambda: engine.recommend(bad),
        lambda: engine.recommend_many([bad]),
        lambda: engine.recommend(history=[bad]),
        lambda: engine.recommend("ann", exclude=[bad]),
        lambda: engine.rank("ann", [bad]),
        lambda: engine.similar(bad),
        lambda: engine.interests(bad),
        lambda: engine.explain("slate", bad),
        lambda: engine.explain(bad, "w1"),
        lambda: engine.forget(bad),
        lambda: engine.merge(bad, into="ann"),
        lambda: engine.merge("ann", into=bad),
        lambda: engine.export(bad),
        lambda: engine.remove(bad),
        lambda: engine.undo(bad),
    ):
        with pytest.raises(InvalidInput):
            use()
    if bad is not None:
        with pytest.raises(InvalidInput):
            engine.record(Event("ann", bad))
    assert held(engine) == before
    rows = [{"item_id": bad, "title": "t"}, {"item_id": "sound"}]
    counts = engine.add(rows)
    assert (counts["new"], counts["quarantined"]) == (1, 1)
    counts = engine.record([{"user_id": bad, "item_id": "w1"}, Event("ann", "w6")])
    assert (counts["new"], counts["quarantined"]) == (1, 1)


def test_whole_numbers_are_ids_written_out(empty: penchant.Engine) -> None:
    empty.add([{"item_id": 7}, {"item_id": np.int64(8)}, {"item_id": "9"}])
    empty.record(Event(1, 7))  # type: ignore[arg-type]
    assert ids(empty.recommend("1", k=3)) == ids(empty.recommend(1, k=3))  # type: ignore[arg-type]
    assert "7" not in ids(empty.recommend("1", k=3))


def test_the_last_of_duplicate_ids_wins(empty: penchant.Engine) -> None:
    counts = empty.add([Item("a", "first"), Item("b"), Item("a", "last")])
    assert (counts["new"], counts["duplicates"]) == (2, 1)
    assert ids(empty.recommend("x", where='title == "last"')) == ["a"]
    counts = empty.record([Event("u", "a", event_id="1"), Event("u", "b", event_id="1")])
    assert (counts["new"], counts["duplicates"]) == (1, 1)
    slate = empty.rank("u", ["b", "b", "a", "b"])
    assert sorted(ids(slate)) == ["a", "b"]


def test_unknown_people_and_items_are_no_error(engine: penchant.Engine) -> None:
    assert len(engine.recommend("never seen", now=world.NOW)) == 10
    assert len(engine.recommend("ann", exclude=["never", "heard"], now=world.NOW)) == 8
    counts = engine.record(Event("never seen", "never heard of"))
    assert counts["new"] == 1
    assert "never heard of" in ids(engine.recommend("somebody else", k=20))
    assert engine.forget("who") == 0
    assert engine.merge("who", into="ann") == 0
    assert engine.remove("what") is False
    assert engine.undo("when") is False


# k, times, sizes


@pytest.mark.parametrize("k", [0, -1, 10_001, 10**30, 1.0, 1.5, "10", None, True, math.nan, [1]])
def test_k_is_a_whole_number_in_range(engine: penchant.Engine, k: Any) -> None:
    slate = engine.recommend("ann")
    for use in (
        lambda: engine.recommend("ann", k),
        lambda: engine.recommend_many(["ann"], k),
        lambda: engine.similar("w1", k),
        lambda: slate.more(k),
    ):
        with pytest.raises(InvalidInput, match="k is a whole number from 1 to 10000"):
            use()


def test_k_may_be_more_than_there_is(engine: penchant.Engine) -> None:
    assert len(engine.recommend("ann", 10_000, now=world.NOW)) == 8
    assert len(engine.recommend("ann", np.int64(3), now=world.NOW)) == 3


@pytest.mark.parametrize(
    ("timestamp", "message"),
    [
        (world.NOW + 3600, "later; check the clock"),
        (world.NOW * 1000, "looks like milliseconds; divide it"),
        (world.NOW * 1_000_000, "looks like microseconds"),
        (-1, "after 1970"),
        (math.nan, "expected a time"),
        (math.inf, "expected a time"),
        ("yesterday", "expected a time"),
        ("31/12/2023", "expected a time"),
        (True, "expected a time"),
        ([1], "expected a time"),
        (datetime.datetime(9999, 12, 31), "2100|later"),
    ],
)
def test_a_single_event_at_an_impossible_time_is_refused(
    engine: penchant.Engine, timestamp: Any, message: str
) -> None:
    before = held(engine)
    with pytest.raises(InvalidInput, match=message):
        engine.record(Event("ann", "w6", timestamp=timestamp), now=world.NOW)
    assert held(engine) == before


def test_times_of_a_file_in_milliseconds_or_as_text_are_read(empty: penchant.Engine) -> None:
    for name, times in {
        "ms": [world.NOW * 1000 - n * 60_000 for n in range(3)],
        "text": ["2023-12-14T22:13:20Z", "2023-12-14 22:12:20", "2023-12-14T23:11:20+01:00"],
        "seconds": [float(world.NOW - n * 60) for n in range(3)],
        "datetime": [
            datetime.datetime.fromtimestamp(world.NOW - n * 60, datetime.UTC) for n in range(3)
        ],
    }.items():
        counts = empty.record(
            pl.DataFrame({"user_id": name, "item_id": ["a", "b", "c"], "timestamp": times}),
            now=world.NOW,
        )
        assert counts["new"] == 3, name
        said = [event["timestamp"] for event in empty.export(name)["events"]]
        assert said == [world.NOW - 120, world.NOW - 60, world.NOW], name
        assert ("milliseconds" in counts.mapping) == (name == "ms")


def test_rows_of_the_future_are_kept_aside(empty: penchant.Engine) -> None:
    frame = pl.DataFrame(
        {"user_id": "a", "item_id": ["x", "y"], "timestamp": [world.NOW, world.NOW + 40 * 86_400]}
    )
    counts = empty.record(frame, now=world.NOW)
    assert (counts["new"], counts["timestamp_in_future"]) == (1, 1)
    assert held(empty)[1] == {"timestamp_in_future": 1}


@pytest.mark.parametrize(
    "now", [math.nan, math.inf, "soon", True, [], world.NOW * 1000, datetime.timedelta(1), b"1"]
)
def test_now_is_a_moment(engine: penchant.Engine, now: Any) -> None:
    for use in (
        lambda: engine.recommend("ann", now=now),
        lambda: engine.recommend_many(["ann"], now=now),
        lambda: engine.rank("ann", ["w1"], now=now),
        lambda: engine.similar("w1", now=now),
        lambda: engine.interests("ann", now=now),
        lambda: engine.record(Event("ann", "w1"), now=now),
        lambda: engine.record([], now=now),
    ):
        with pytest.raises(InvalidInput, match="expected a time"):
            use()


def test_a_description_of_ten_megabytes(tmp_path: Path) -> None:
    long = "A cowboy rides over the prairie. " * 320_000
    with penchant.open(tmp_path / "shelf") as engine:
        began = time.monotonic()
        counts = engine.add([Item("long", "Long", long), Item("short", "Short", "A spaceship.")])
        assert counts["new"] == 2
        assert counts["text_truncated"] == 1
        assert ids(engine.recommend("a", text="cowboys on the prairie", k=1)) == ["long"]
        assert len(engine.recommend("a", text=long, k=2)) == 2
        with pytest.raises(InvalidInput, match="at most"):
            engine.recommend("a", where=f"title == '{long}'")
        with pytest.raises(InvalidInput, match="at most"):
            engine.record(Event("a", text=long))
        with pytest.raises(InvalidInput, match="at most"):
            engine.record(Event("a", "short", context={"said": long}))
        counts = engine.record([{"user_id": "a", "text": long}])
        assert (counts["new"], counts["text_truncated"]) == (1, 1)
        assert time.monotonic() - began < 60


# Little or nothing to go by


def test_nothing_at_all(empty: penchant.Engine) -> None:
    for slate in (
        empty.recommend("a"),
        empty.recommend(history=[]),
        empty.recommend(history=["x"], text="words"),
        empty.recommend("a", now=0),
        empty.recommend("a").more(5),
    ):
        assert len(slate) == 0
        assert slate.to_frame().is_empty()
    assert empty.recommend_many(["a", "b"]).is_empty()
    assert ids(empty.rank("a", ["x", "y"])) == ["x", "y"]
    assert not empty.interests("a")
    assert empty.stages()
    with pytest.raises(InvalidInput, match="0 items are known"):
        empty.similar("x")
    with pytest.raises(Error, match="expected at least 50 wanted events"):
        empty.train()
    with pytest.raises(Error, match="no events"):
        empty.evaluate()
    assert len(empty.recommend("a")) == 0


def test_one_item_and_one_person(empty: penchant.Engine) -> None:
    empty.add([Item("only", "The only one")])
    assert ids(empty.recommend("a")) == ["only"]
    assert len(empty.similar("only")) == 0
    empty.record(Event("a", "only"))
    assert len(empty.recommend("a")) == 0
    assert ids(empty.recommend("a", seen="keep")) == ["only"]
    assert ids(empty.recommend("b")) == ["only"]
    assert ids(empty.rank("a", ["only"])) == ["only"]
    for _ in range(60):
        empty.record(Event("a", "only"))
    with pytest.raises(Error):
        empty.train()
    assert ids(empty.recommend("b")) == ["only"]


def test_events_without_a_catalogue_and_words_without_items(empty: penchant.Engine) -> None:
    empty.record([Event("a", "x"), Event("b", "y"), Event("c", text="words only", event="search")])
    assert ids(empty.recommend("a")) == ["y"]
    assert set(ids(empty.recommend("c"))) == {"x", "y"}
    assert not empty.interests("c")


def test_a_person_who_only_rejects(engine: penchant.Engine) -> None:
    for item in ("w1", "w2", "s1"):
        engine.record(Event("jo", item, "dislike", world.NOW - 9), now=world.NOW)
    slate = engine.recommend("jo", k=13, now=world.NOW)
    assert not {"w1", "w2", "s1"} & set(ids(slate))
    assert not engine.interests("jo", now=world.NOW)


# A disk that is full


FULL = """
import resource, signal, sys
import penchant

engine = penchant.open(sys.argv[1])
for n in range(50):
    engine.record(penchant.Event("ann", f"before {n}"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = max(p.stat().st_size for p in engine.directory.rglob("*") if p.is_file())
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 65536, resource.RLIM_INFINITY))
done, refused = 0, ""
try:
    for n in range(5000):
        engine.record([penchant.Event(f"u{n}", f"item {n} {i} " + "x" * 400) for i in range(5)])
        done += 5
except penchant.Error as error:
    refused = type(error).__name__
assert refused == "StoreFull", refused
assert len(engine.recommend("ann", k=5)) == 5   # reading goes on
try:
    engine.add([penchant.Item(f"i{n}", "t" * 5000) for n in range(500)])
    raise SystemExit("written")
except penchant.Error as error:
    assert type(error).__name__ == "StoreFull", error
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
engine.record(penchant.Event("ann", "after"))
assert "after" not in [line.item_id for line in engine.recommend("ann", k=100)]
engine.close()
print(done)
"""


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    directory = mute(tmp_path / "shelf")
    done = int(elsewhere(FULL, directory))
    with penchant.open(directory) as engine:
        events, _ = held(engine)
        # The batch that was refused is not in the log, nor is a part of it.
        assert events == 50 + done + 1


# Two at once


WRITING = """
import sys, penchant
with penchant.open(sys.argv[1]) as engine:
    for n in range(int(sys.argv[3])):
        engine.record(penchant.Event(f"{sys.argv[2]}-{n % 7}", f"{sys.argv[2]} {n % 50}"))
        if n % 10 == 0:
            engine.add([penchant.Item(f"{sys.argv[2]} {n % 50}", "title")])
            engine.recommend(f"{sys.argv[2]}-{n % 7}")
"""


def test_processes_that_write_one_directory(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    directory, each = mute(tmp_path / "shelf"), 150
    names = ("a", "b", "c")
    with penchant.open(directory) as engine, ThreadPoolExecutor(3) as pool:
        others = [pool.submit(elsewhere, WRITING, directory, name, each) for name in names]
        while not all(other.done() for other in others):
            engine.recommend("a-1")
            engine.record(Event("d", "here"))
        for other in others:
            other.result()
        log = engine._store.log.scan(0, 2**31)
        mine = len(engine.export("d")["events"])
        assert len(log) == each * len(names) + mine
        assert np.array_equal(log.offsets, np.arange(1, len(log) + 1))
        for name in names:
            assert sum(len(engine.export(f"{name}-{n}")["events"]) for n in range(7)) == each
        columns = engine._replica.follow().columns
        assert columns.n == 50 * len(names) + 1
        assert len(set(columns.ids)) == columns.n


# Anything at all


class Odd:
    def __repr__(self) -> str:
        return "odd"


JUNK: list[Any] = [
    None, 0, -1, 10**30, 1.5, math.nan, -math.inf, True, "", "x", "\ud800", "a\x00b", "x" * 600,
    b"bytes", bytearray(b"q"), [], ["w1"], [None], ["\ud800"], [[]], {}, {"a": 1}, {1: 2}, (),
    ("w1", "w1"), set(), Odd(), object, len, range(3), np.array([1, 2]), np.array(["w1"]),
    np.float32("nan"), np.int64(3), pl.DataFrame(), pl.DataFrame({"x": [1]}), pl.Series(["w1"]),
    Path("/nope"), datetime.datetime(1, 1, 1), datetime.date(2020, 1, 1), "not a time", "price <",
    "tags in tags", "title < 3", "(" * 5000, "not " * 3000 + "x == 1", "x" * 3_000_000, 1 + 2j,
    4_102_444_800_001.0, memoryview(b"abc"),
]  # fmt: skip

VERBS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "recommend": (
        {"user_id": "ann"},
        ("user_id", "k", "context", "text", "exclude", "where", "seen", "now", "history"),
    ),
    "rank": (
        {"user_id": "ann", "items": ["w1", "w6"]},
        ("user_id", "items", "context", "text", "now", "history"),
    ),
    "recommend_many": ({"user_ids": ["ann"]}, ("user_ids", "k", "now", "context", "seen")),
    "similar": ({"item_id": "w1"}, ("item_id", "k", "now")),
    "interests": ({"user_id": "ann"}, ("user_id", "now")),
    "explain": ({"slate": "s", "item_id": "w1"}, ("item_id",)),
    "remove": ({}, ("item_id",)),
    "undo": ({}, ("event_id",)),
    "forget": ({}, ("user_id",)),
    "merge": ({"user_id": "a", "into": "b"}, ("user_id", "into")),
    "export": ({}, ("user_id",)),
    "record": ({"events": [{"user_id": "u", "item_id": "w1"}]}, ("events", "now", "columns")),
    "add": ({}, ("items", "users", "links", "columns")),
}


def only_errors(use: Callable[[], object]) -> str | None:
    """Return what was raised that is no `penchant.Error`, None if all is well."""
    try:
        use()
    except Error as error:
        return None if str(error) else f"{type(error).__name__} without a word"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return None


@pytest.mark.parametrize("verb", VERBS)
def test_whatever_is_passed_only_an_error_of_ours_is_raised(
    engine: penchant.Engine, verb: str
) -> None:
    sound, names = VERBS[verb]
    wrong = []
    for name, junk in itertools.product(names, JUNK):
        given = {**sound, name: junk}
        raised = only_errors(lambda given=given: getattr(engine, verb)(**given))  # type: ignore[misc]
        if raised is not None:
            wrong.append(f"{name}={junk!r:.40}: {raised:.100}")
    assert not wrong
    assert len(engine.recommend("someone else", k=3)) == 3


@pytest.mark.parametrize("noun", [Event, Item])
def test_whatever_a_row_holds_only_an_error_of_ours_is_raised(
    engine: penchant.Engine, noun: Any
) -> None:
    sound = {"user_id": "u", "item_id": "w1"} if noun is Event else {"item_id": "new"}
    verb = engine.record if noun is Event else engine.add
    wrong = []
    for field, junk in itertools.product(noun.__dataclass_fields__, JUNK):
        row = {**sound, field: junk}
        # One event by itself and rows of many are read by different code; items only as many.
        for given in (noun(**row), [row]) if noun is Event else ([noun(**row)], [row]):
            if raised := only_errors(lambda given=given: verb(given)):  # type: ignore[misc]
                wrong.append(f"{field}={junk!r:.40}: {raised:.100}")
    assert not wrong
    assert len(engine.recommend("someone else", k=3)) == 3


def test_settings_that_cannot_be_followed_are_named(tmp_path: Path) -> None:
    for number, (text, message) in enumerate(
        {
            "[encoder\n": "not valid TOML",
            MUTE + "[recommend]\nseen = 3\n": "seen",
            MUTE + "[cleaning]\noff = ['nonsense']\n": "nonsense",
            MUTE + "[events]\nweights = {click = inf}\n": "finite",
            MUTE + "[privacy]\nconsent = 'maybe'\n": "consent",
            MUTE + "[text]\nparts = ['{nothing}']\n": "nothing",
            "[encoder]\nmodel = '/no/such/folder'\n": "no/such/folder",
            "encoder = 3\n": "section",
        }.items()
    ):
        directory = mute(tmp_path / str(number), text)
        with pytest.raises(Error, match=message):
            penchant.open(directory)
