"""The client against the engine: the same calls, the same answers, the same errors."""

from __future__ import annotations

import gzip
import inspect
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import penchant
import world
from penchant.ingest.cells import Refused
from penchant.ingest.intake import Counts
from penchant.rank.answer.asking import UnknownItem
from penchant.rank.explain.explaining import NotShown
from penchant.serve.client import Client
from penchant.serve.client.problems import NotAllowed, NotOverHttp
from penchant.serve.http.config import HttpConfig, KeyConfig
from penchant.serve.http.keys import fresh_key
from penchant.store.faults import StoreError
from penchant.types import Event, InvalidInput, Item, Link, User
from serve.client.conftest import Pair, comparable, serving
from shelves import filled, ids

NOW = world.NOW
Asked = penchant.Engine | Client


def test_the_verbs_are_those_of_the_engine() -> None:
    for name, verb in vars(penchant.Engine).items():
        if name.startswith("_") or not callable(verb):
            continue
        theirs = inspect.signature(verb).parameters
        ours = inspect.signature(getattr(Client, name)).parameters
        further = {"wait"} if name == "train" else set()
        assert set(ours) - set(theirs) == further, name
        for parameter in theirs.values():
            assert ours[parameter.name].kind is parameter.kind, name
            assert ours[parameter.name].default == parameter.default, name
            assert ours[parameter.name].annotation == parameter.annotation, name


def unshown(held: dict[str, Any]) -> dict[str, Any]:
    """Return an export without the slates, which reach the disk after their answer."""
    return {name: value for name, value in held.items() if name != "shown"}


QUESTIONS: list[Callable[[Asked], Any]] = [
    lambda a: a.recommend("ann", 3, now=NOW),
    lambda a: a.recommend("nobody", 5, now=NOW),
    lambda a: a.recommend("ann", now=datetime.fromtimestamp(NOW, UTC)),
    lambda a: a.recommend("ann", 4, now=NOW, text="alien starship", seen="keep"),
    lambda a: a.recommend("ann", 4, now=NOW, exclude=["s1", "s2"], where="category == 'space'"),
    lambda a: a.recommend("ann", 4, now=NOW, exclude=iter(("s1",)), context={"device": "tv"}),
    lambda a: a.recommend("ann", np.int64(4), now=NOW, context={"n": 2.5, "b": True}),
    lambda a: a.recommend(history=["s1", "s2"], k=4, now=NOW),
    lambda a: a.recommend(history=[], k=4, now=NOW, log=False),
    lambda a: a.rank("ann", ["s1", "w6", "strange", "cold"], now=NOW),
    lambda a: a.rank(None, ["s1", "w6"], history=["w1"], now=NOW, text="cowboys"),
    lambda a: a.rank("ann", [], now=NOW),
    lambda a: a.rank("ann", ["s1", "w6"], now=NOW).more(3).recommendations,
    lambda a: a.similar("w1", 4, now=NOW),
    lambda a: a.interests("ann", now=NOW),
    lambda a: a.ask("ann", 3, now=NOW),
    lambda a: a.ask("nobody", exclude=["w1", "s1"], now=NOW),
    lambda a: a.interests("jo", now=NOW),
    lambda a: unshown(a.export("ann")),
    lambda a: a.export("nobody"),
    lambda a: a.snapshots(),
    lambda a: a.status().items,
    lambda a: a.status().snapshot,
]


def test_questions_are_answered_alike(pair: Pair) -> None:
    for place, ask in enumerate(QUESTIONS):
        ours, theirs = comparable(ask(pair.client)), comparable(ask(pair.embedded))
        assert ours == theirs, place
        assert type(ours) is type(theirs), place
    slate = pair.client.recommend("ann", 3, now=NOW)
    assert slate.to_frame()["item_id"].to_list() == ids(slate)
    assert slate[0].reasons
    assert slate.trace.stages == ()
    odd = {"n": np.float32(2), 3: {1}, "at": datetime.fromtimestamp(NOW, UTC)}
    assert ids(pair.client.recommend("ann", 3, now=NOW, context=odd)) == ids(slate)


def test_many_are_answered_alike(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penchant.serve.client.remote.PEOPLE", 3)
    people = [*world.HISTORIES, "nobody", "ann"]
    ours = pair.client.recommend_many(people, 4, now=NOW, seen="keep")
    assert_frame_equal(ours, pair.embedded.recommend_many(people, 4, now=NOW, seen="keep"))
    empty = pair.client.recommend_many([])
    assert_frame_equal(empty, pair.embedded.recommend_many([]))


def test_more_repeats_nothing_and_counts_on(pair: Pair) -> None:
    for first in (
        pair.client.recommend("ann", 3, now=NOW, seen="keep", exclude=["w1"]),
        pair.client.recommend(history=["s1"], k=3, now=NOW, exclude=iter(["w1"])),
        pair.client.similar("w1", 3, now=NOW),
    ):
        second = first.more(2)
        third = second.more(50)
        shown = ids(first) + ids(second) + ids(third)
        assert len(shown) == len(set(shown)) > 5
        assert "w1" not in shown
        ranks = [line.rank for slate in (first, second, third) for line in slate]
        assert ranks == list(range(1, len(shown) + 1))
        assert {first.now, second.now, third.now} == {NOW}
        assert not third.more(5)
    # What the person does in between does not move what comes next.
    first = pair.client.recommend("eve", 2, now=NOW)
    pair.client.record(Event("eve", "w1", timestamp=NOW + 60))
    again = pair.embedded.recommend("eve", 2, now=NOW)
    assert ids(first.more(2)) == ids(again.more(2))


def test_explanations_are_the_same_and_need_a_log(pair: Pair) -> None:
    told = []
    for asked in (pair.client, pair.embedded):
        slate = asked.recommend("ann", 3, now=NOW)
        by_slate = asked.explain(slate, slate[1].item_id)
        assert asked.explain(slate.id, slate[1].item_id).sentence == by_slate.sentence
        every = asked.explanations(slate.id)
        assert [one.item_id for one in every] == [line.item_id for line in slate]
        assert every[1].sentence == by_slate.sentence
        told.append((by_slate.item_id, by_slate.sentence, by_slate.contributions, by_slate.events))
        with pytest.raises(NotShown, match="was not in slate"):
            asked.explain(slate, "nothing")
        with pytest.raises(NotShown, match="never logged"):
            asked.explain("f" * 32, slate[0].item_id)
        with pytest.raises(NotShown):
            asked.explanations("f" * 32)
    assert told[0] == told[1]
    assert by_slate.trace
    unlogged = pair.client.recommend("ann", 3, now=NOW, log=False)
    with pytest.raises(NotShown, match="log=False"):
        pair.client.explain(unlogged, unlogged[0].item_id)


def test_what_is_recorded_changes_the_next_answer_alike(pair: Pair) -> None:
    clicks = [
        Event("jo", "w1", timestamp=NOW - 50, event_id="e1", context={"device": "tv"}),
        {"user_id": "jo", "item_id": "w2", "event": "like", "timestamp": NOW - 40},
        {"userId": "jo", "movieId": "w3", "rating": 4, "ts": datetime.fromtimestamp(NOW, UTC)},
        Event("jo", None, "search", NOW - 20, text="guns"),
    ]
    for click in clicks:
        assert pair.client.record(click) == pair.embedded.record(click) == {"new": 1, "known": 0}
    assert pair.client.record(clicks[0]) == pair.embedded.record(clicks[0])
    assert pair.client.record(Event("jo", "w4"), now=NOW) == {"new": 1, "known": 0}
    pair.embedded.record(Event("jo", "w4"), now=NOW)
    assert pair.client.export("jo") == pair.embedded.export("jo") | {"shown": []}
    assert len(pair.client.export("jo")["events"]) == 5
    for asked in (pair.client, pair.embedded):
        assert asked.undo("e1")
        assert not asked.undo("e1")
        assert asked.merge("jo", into="a/b c?") == 4
        assert asked.merge("jo", into="ann") == 0
        assert asked.forget("a/b c?") == 4
        assert asked.forget("a/b c?") == 0
        assert asked.remove("w6")
        assert not asked.remove("w6")
        assert "w6" not in ids(asked.recommend("ann", 13, now=NOW, seen="keep"))


CATALOGUES: dict[str, Callable[[Path], Any]] = {
    "frame": lambda _: world.items(),
    "pandas": lambda _: pd.DataFrame(
        {"id": [7, 8, 8], "name": ["A", "B", "C"], "year": [1999, 2000, np.nan]}
    ),
    "dicts": lambda _: [
        {"item_id": "d1", "title": "One", "tags": ["a", "b"], "price": 3.5, "colour": "red"},
        {"item_id": "", "title": "None"},
        {"item_id": object(), "title": "Odd"},
        {"item_id": "d1", "title": "Again", "released": datetime(2020, 1, 1)},
    ],
    "nouns": lambda _: (
        Item(f"n{i}", f"Noun {i}", tags=("x",), stock=(None, NOW), attributes={"i": i})
        for i in range(3)
    ),
    "one": lambda _: {"item_id": "only", "title": "Only"},
    "csv": lambda folder: folder / "items.csv",
    "packed": lambda folder: folder / "items.jsonl.gz",
    "nothing": lambda _: [],
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    rows = [
        "movieId,title,genres,price,year",
        "007,Bond,Action|Spy,$3.50,1995",
        "2,Two,Comedy,free,",
        "2,Twice,Comedy,abc,1996",
        ",Nameless,Drama,1,1997",
    ]
    (tmp_path / "items.csv").write_text("\n".join(rows) + "\n")
    packed = gzip.compress(b'{"item_id":"g1","title":"G"}\n{"item_id":"g2","size":3}\n')
    (tmp_path / "items.jsonl.gz").write_bytes(packed)
    return tmp_path


def catalogue(engine: penchant.Engine) -> list[dict[str, Any]]:
    """Return everything an engine holds of its items, in their order."""
    rows, _ = engine._store.catalogue.changed(0)
    return rows.sort("number").drop("number").to_dicts()


@pytest.mark.parametrize("name", CATALOGUES)
@pytest.mark.parametrize("rows", [1, 250])
def test_catalogues_arrive_alike(
    pair: Pair, files: Path, name: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(penchant.serve.client.parcels.ROWS, "items", rows)  # type: ignore[attr-defined]
    ours = pair.client.add(CATALOGUES[name](files))
    theirs = pair.embedded.add(CATALOGUES[name](files))
    assert ours == theirs
    assert ours.mapping == theirs.mapping
    assert type(ours) is Counts
    assert catalogue(pair.served) == catalogue(pair.embedded)
    again = pair.client.add(CATALOGUES[name](files))
    assert again == pair.embedded.add(CATALOGUES[name](files))
    assert again["new"] == 0


def test_people_and_links_arrive_alike(pair: Pair) -> None:
    for asked in (pair.client, pair.embedded):
        done = asked.add(
            users=[User("ann", {"city": "Kyoto"}), {"user_id": "kim", "age": 31}, {"age": 5}],
            links=[
                Link("w1", "sequel of", "w2"),
                {"head": "kim", "tail": "ann", "weight": "heavy"},
            ],
        )
        assert done["users_new"] == 1
        assert done["users_changed"] == 1
        assert done["users_quarantined"] == 1
        assert done["links_new"] == 1
        assert done["links_weight_unreadable"] == 1
    told = [one.export("kim") for one in (pair.client, pair.embedded)]
    assert told[0] == told[1]
    assert told[0]["attributes"] == {"age": 31}
    assert told[0]["kept_aside"]
    told_steps: list[tuple[str, float]] = []
    pair.client.add(world.items(), progress=lambda *step: told_steps.append(step))
    assert told_steps == [("encode", 1.0)]


LOGS: dict[str, Callable[[], Any]] = {
    "world": lambda: world.events(),
    "without ids": lambda: world.events().drop("event_id"),
    "ratings": lambda: pl.DataFrame(
        {
            "UserID": [1.0, 1.0, 2.0, None],
            "movieId": ["w1", "w2", "w1", "w3"],
            "rating": [5, 3, 1, 2],
            "time": [1_700_000_000_000, 1_700_000_500_000, 1_700_000_900_000, 1_700_000_900_001],
            "device": ["tv", None, "pad", "tv"],
        }
    ),
    "odd rows": lambda: pl.DataFrame(
        {
            "user_id": ["u1", "u1", "u2", "", "u4"],
            "item_id": ["w1", "w1", "w2", "w3", "w4"],
            "event": ["watch_time"] * 5,
            "value": [60.0, 60.0, float("nan"), 3.0, float("inf")],
            "timestamp": ["2023-11-14", "2023-11-14", "2023-11-15", "2023-11-16", "never"],
        }
    ),
    "calls": lambda: [
        Event("u1", "w1", "play", NOW - 100),
        Event("u1", "w1", "play", NOW - 100),
        {"user_id": "u2", "item_id": "w2", "timestamp": datetime(2023, 11, 20), "page": 3},
        {"user_id": object(), "item_id": "w2"},
        {"user_id": "u3", "item_id": None},
        Event("u4", "w1", "rating", NOW - 90, value=float("nan")),
        Event("u5", "w9", event_id="mine", context={"consent": True}),
    ],
    "nothing": lambda: [],
}


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("rows", [2, 2_000])
def test_logs_arrive_alike(
    tmp_path: Path, pair: Pair, name: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(penchant.serve.client.parcels.ROWS, "events", rows)  # type: ignore[attr-defined]
    with (
        penchant.open(tmp_path / "a") as embedded,
        penchant.open(tmp_path / "b") as served,
        serving(served) as url,
        penchant.connect(url) as client,
    ):
        ours = client.record(LOGS[name](), now=NOW)
        theirs = embedded.record(LOGS[name](), now=NOW)
        assert ours.mapping == theirs.mapping
        if rows > 2:
            assert ours == theirs
        assert ours["rows"] == theirs["rows"]
        assert ours["new"] == theirs["new"]
        assert ours["quarantined"] == theirs["quarantined"]
        people = {"u1", "u2", "u3", "u4", "u5", "1", "2", *world.HISTORIES}
        for person in people:
            assert client.export(person)["events"] == embedded.export(person)["events"], person
        again = client.record(LOGS[name](), now=NOW)
        if name != "calls":  # a table is known again; calls that say the same twice are two events
            assert again["new"] == 0
            assert embedded.record(LOGS[name](), now=NOW)["new"] == 0


def test_columns_are_said_where_names_do_not_tell(pair: Pair, tmp_path: Path) -> None:
    table = pl.DataFrame({"who": ["ann", None], "what": ["w6", "w6"], "when": [NOW - 5, NOW - 4]})
    table.write_parquet(tmp_path / "log.parquet")
    columns = {"user_id": "who", "item_id": "what"}
    for asked in (pair.client, pair.embedded):
        done = asked.record(str(tmp_path / "log.parquet"), columns=columns, now=NOW)
        assert (done["new"], done["user_id_missing"]) == (1, 1)
        one = asked.record({"who": "ann", "what": "cold"}, columns=columns, now=NOW)
        assert one["new"] == 1
        assert asked.add({"sku": "k1", "name": "K"}, columns={"item_id": "sku"})["new"] == 1
    assert pair.client.export("ann")["events"] == pair.embedded.export("ann")["events"]


def test_a_table_without_times_is_refused_with_what_to_do(pair: Pair) -> None:
    table = pl.DataFrame({"user_id": ["u1"], "item_id": ["w1"]})
    with pytest.raises(InvalidInput, match="penchant import"):
        pair.client.record(table)
    assert pair.client.export("u1")["events"] == []


WRONG: list[Callable[[Asked], Any]] = [
    lambda a: a.recommend(),
    lambda a: a.recommend("ann", 0),
    lambda a: a.recommend("ann", history=["w1"]),
    lambda a: a.recommend("ann", seen="maybe"),  # type: ignore[arg-type]
    lambda a: a.recommend("ann", where="price <"),
    lambda a: a.recommend("ann", where="nothing == 3"),
    lambda a: a.recommend("ann", exclude="s1"),
    lambda a: a.recommend("ann", context=["tv"]),  # type: ignore[arg-type]
    lambda a: a.recommend("ann", now=1e13),
    lambda a: a.recommend(""),
    lambda a: a.recommend(["ann"]),  # type: ignore[arg-type]
    lambda a: a.rank("ann", "s1"),
    lambda a: a.rank("ann", [None]),  # type: ignore[list-item]
    lambda a: a.recommend_many("ann"),
    lambda a: a.recommend_many(["ann"], k=0),
    lambda a: a.similar("nothing"),
    lambda a: a.similar("w1", 0),
    lambda a: a.interests("x" * 600),
    lambda a: a.explain("", "w1"),
    lambda a: a.record(Event("ann", None)),
    lambda a: a.record({"item_id": "w1"}),
    lambda a: a.record(Event("ann", "w1", timestamp=NOW + 1e9)),
    lambda a: a.record(Event("ann", "w1", "rating", value=float("nan"))),
    lambda a: a.record({"user_id": "ann", "item_id": ["w1"]}),
    lambda a: a.record({"movieId": "w1", "rating": 3}),
    lambda a: a.record("no/such/file.csv"),
    lambda a: a.record(pl.DataFrame({"a": [1]})),
    lambda a: a.record([1, 2]),
    lambda a: a.record([], columns={"user_id": 3}),  # type: ignore[dict-item]
    lambda a: a.add(pl.DataFrame({"price": [1]})),
    lambda a: a.add([{"item_id": "a"}], users=[{"user_id": "b"}], columns={"item_id": "item_id"}),
    lambda a: a.merge("ann", into=""),
    lambda a: a.undo(""),
]


def test_mistakes_raise_the_same_errors(pair: Pair) -> None:
    for place, ask in enumerate(WRONG):
        said = []
        for asked in (pair.embedded, pair.client):
            with pytest.raises(penchant.Error) as raised:
                ask(asked)
            said.append(raised.value)
        assert str(said[1]) == str(said[0]), place
        assert isinstance(said[1], InvalidInput), place
        assert type(said[1]) is type(said[0]) or type(said[1]) is InvalidInput, place
    with pytest.raises(UnknownItem, match="add it, or check the id"):
        pair.client.similar("nothing")
    with pytest.raises(Refused) as refused:
        pair.client.record(Event("ann", None))
    assert refused.value.rule == "item_id_missing"
    with pytest.raises(StoreError, match="there is no"):
        pair.client.activate("000009-000000000000")
    with pytest.raises(InvalidInput, match="JSON"):
        pair.client.record({"user_id": "ann", "item_id": "w1", "context": {"a": object()}})


def test_what_needs_the_directory_says_where_to_go(pair: Pair) -> None:
    for ask in (
        lambda: pair.client.backup("copy"),
        lambda: pair.client.evaluate(),
        lambda: pair.client.stages(),
        lambda: pair.client.train(seed=3),
    ):
        with pytest.raises(NotOverHttp, match=r"where (it|the shelf) lies"):
            ask()


def test_keys_open_what_they_may(tmp_path: Path) -> None:
    reader, hashed = fresh_key()
    settings = HttpConfig(rate_loopback=0.0, keys={"shop": KeyConfig(hashed, ("read",))})
    with (
        penchant.open(filled(tmp_path / "shelf")) as engine,
        serving(engine, settings, environment={"PENCHANT_API_KEY": "the admin"}) as url,
    ):
        with (
            penchant.connect(url) as nobody,
            pytest.raises(NotAllowed, match="expected a key"),
        ):
            nobody.recommend("ann")
        with penchant.connect(url + "/", key=reader) as client:
            assert len(client.recommend("ann", 3, now=NOW)) == 3
            with pytest.raises(NotAllowed, match="scope 'write'"):
                client.record(Event("ann", "w1"))
            assert reader not in repr(client)
        with penchant.connect(url, key="the admin") as client:
            assert client.record(Event("ann", "w1"))["new"] == 1


def test_one_client_serves_many_threads(pair: Pair) -> None:
    faults: list[BaseException] = []
    before = len(pair.client.export("ann")["events"])

    def work(number: int) -> None:
        try:
            for turn in range(10):
                done = pair.client.record(
                    Event("ann", "w1", "view", NOW - 60 * (number * 10 + turn))
                )
                assert done["new"] == 1
                assert len(pair.client.recommend("ann", 3, now=NOW)) == 3
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(pair.client.export("ann")["events"]) == before + 80


def test_a_closed_client_says_so(pair: Pair) -> None:
    pair.client.close()
    pair.client.close()
    with pytest.raises(penchant.Error, match="closed"):
        pair.client.status()


def test_what_is_asked_is_not_the_json_of_others(pair: Pair) -> None:
    """Ids of every kind go and come back unchanged."""
    odd = ["a/b", "..", ".", "a b", "%2F", "ä€😀", "a?b=c&d#e", "\\", '"', "a+b", "interests"]
    for name in odd:
        pair.client.add({"item_id": name, "title": name})
        pair.client.record(Event(name, name, event_id=name, timestamp=NOW - 10))
        assert pair.client.export(name)["user_id"] == name
        assert [one["item_id"] for one in pair.client.export(name)["events"]] == [name]
        assert pair.client.rank(name, ["w1", name], now=NOW).user_id == name
        assert name not in ids(pair.client.similar(name, 3, now=NOW))
        pair.client.interests(name, now=NOW)
        assert pair.client.undo(name)
        assert pair.client.forget(name) == 0
        assert pair.client.remove(name)


def test_items_are_shown_alike(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penchant.serve.client.remote.ITEMS", 2)
    whole = Item(
        item_id="a/b?",
        title="Ünïcode",
        description="Two\nlines.",
        category="odd",
        tags=("x", "y"),
        price=3.5,
        released=1_700_000_000.5,
        stock=(None, 1_800_000_000.0),
        attributes={"colour": "red", "sizes": [1, 2]},
    )
    for asked in (pair.client, pair.embedded):
        asked.add([whole])
        asked.record(Event("ann", "only an event names it", timestamp=NOW))
        asked.remove("w6")
        wanted = ["w1", "a/b?", "nothing", "w6", "only an event names it", "w1"]
        found = asked.items(wanted)
        assert [one.item_id for one in found] == ["w1", "a/b?", "only an event names it", "w1"]
        assert found[1] == whole
        assert found[0].title == "Dust Over Abilene"
        assert found[2] == Item("only an event names it")
        assert asked.items(iter([])) == ()
        with pytest.raises(InvalidInput, match="collection of ids"):
            asked.items("w1")
