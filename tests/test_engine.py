"""Every verb, as the first page of the documentation writes it, on the tiny world."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import penchant
import world
from penchant import Error, Event, Item, Link, User
from penchant.rank.answer.asking import UnknownItem
from penchant.rank.explain.explaining import NotShown
from penchant.types import InvalidInput
from shelves import elsewhere, filled, ids, mute


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[penchant.Engine]:
    with penchant.open(filled(tmp_path / "shelf")) as opened:
        yield opened


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[penchant.Engine]:
    """A shelf with the language model; nothing is written to it."""
    with penchant.open(tmp_path_factory.mktemp("read") / "shelf", effort="fast") as opened:
        opened.add(world.items())
        opened.record(world.events(), now=world.NOW)
        yield opened


# What goes in


def test_items_come_as_a_path_a_frame_or_an_iterable(tmp_path: Path) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        frame = world.items()
        frame[:3].write_parquet(tmp_path / "items.parquet")
        assert engine.add(str(tmp_path / "items.parquet"))["new"] == 3
        assert engine.add(frame[3:5])["new"] == 2
        assert engine.add(pd.DataFrame(frame[5:7].to_dicts()))["new"] == 2
        assert engine.add(frame[7:9].to_arrow())["new"] == 2
        assert engine.add(frame[9:11].to_dicts())["new"] == 2
        assert engine.add([Item("x", "A title", tags=("a", "b"))])["new"] == 1
        counts = engine.add(frame[:4])
        assert (counts["new"], counts["changed"], counts["same"]) == (0, 0, 4)
        counts = engine.add([{"item_id": "w1", "title": "Another title"}])
        assert (counts["new"], counts["changed"]) == (0, 1)


def test_people_and_links_come_in_too(tmp_path: Path) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        counts = engine.add(
            users=[User("ann", {"age": 40}), {"user_id": "ben", "city": "Delft"}],
            links=[Link("w1", "directed_by", "somebody"), {"head": "w2", "tail": "w3"}],
        )
        assert counts["users_new"] == 2
        assert counts["links_new"] == 2
        held = engine.export("ben")
        assert held["attributes"] == {"city": "Delft"}
        assert engine.export("nobody") == {
            "user_id": "nobody",
            "attributes": {},
            "events": [],
            "links": [],
            "shown": [],
            "prospects": [],
            "kept_aside": [],
        }


def test_the_mapping_that_was_assumed_can_be_printed(tmp_path: Path) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        counts = engine.record(
            pl.DataFrame({"visitor": ["a"], "asin": ["b"], "datetime": ["2024-01-01"], "page": [3]})
        )
        assert counts["new"] == 1
        for part in ("user_id", "visitor", "item_id", "asin", "timestamp", "context", "page"):
            assert part in counts.mapping
        assert "every event is a 'click'" in counts.mapping
        assert json.loads(json.dumps(counts)) == dict(counts)


def test_columns_settle_what_names_do_not(tmp_path: Path) -> None:
    frame = pl.DataFrame({"who": ["ann"], "what": ["w1"], "date": [world.START]})
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        with pytest.raises(InvalidInput, match="user_id"):
            engine.record(frame)
        counts = engine.record(frame, columns={"user_id": "who", "item_id": "what"})
        assert counts["new"] == 1
        items = [{"code": "w1", "heading": "A film"}]
        assert engine.add(items, columns={"item_id": "code", "title": "heading"})["new"] == 1
        assert engine.recommend("x")[0].item_id == "w1"
        with pytest.raises(InvalidInput, match="one table at a time"):
            engine.add(items, users=[{"user_id": "u"}], columns={"item_id": "code"})


def test_recording_is_idempotent_by_id_and_by_content(tmp_path: Path) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        path = tmp_path / "events.csv"
        world.events().drop("event_id").write_csv(path)
        assert engine.record(path, now=world.NOW)["new"] == 44
        again = engine.record(path, now=world.NOW)
        assert (again["new"], again["known"]) == (0, 44)
        once = {"user_id": "ann", "item_id": "w1", "event_id": "e1"}
        assert engine.record(once)["new"] == 1
        assert engine.record(once) == {"new": 0, "known": 1}
        # Two calls that say the same are two events.
        assert engine.record(Event("ann", "w1"))["new"] == 1
        assert engine.record(Event("ann", "w1"))["new"] == 1
        assert engine.record([Event("ann", "w2"), {"user_id": "ann", "item_id": "w3"}])["new"] == 2
        assert engine.record(iter([Event("ann", "w2")]))["new"] == 1


# What comes out


def test_an_event_changes_the_very_next_answer(engine: penchant.Engine) -> None:
    slate = engine.recommend("jo", k=3, now=world.NOW)
    engine.record(Event("jo", slate[0].item_id, "click", world.NOW - 1))
    after = engine.recommend("jo", k=3, now=world.NOW)
    assert slate[0].item_id not in ids(after)
    # Jo chose a first film; what always comes within a minute of it comes next.
    follower = world.FOLLOWS.get(slate[0].item_id)
    assert follower is None or after[0].item_id == follower


def test_all_arguments_of_recommend(reader: penchant.Engine) -> None:
    slate = reader.recommend(
        "ann",
        k=4,
        context={"device": "tv"},
        text=None,
        exclude=("w6",),
        where='category == "western" or "space" in category',
        seen="hide",
        now=datetime.fromtimestamp(world.NOW, UTC),
    )
    assert len(slate) == 4
    assert not set(ids(slate)) & {"w6", "w1", "w2", "w3", "w4", "w5"}
    assert [line.rank for line in slate] == [1, 2, 3, 4]
    scores = [line.score for line in slate]
    assert scores == sorted(scores, reverse=True)
    assert all(math.isfinite(score) for score in scores)
    assert slate.snapshot == "untrained"
    assert slate.user_id == "ann"
    assert slate.now == world.NOW
    frame = slate.to_frame()
    assert frame.columns == ["user_id", "item_id", "score", "rank"]
    assert frame["item_id"].to_list() == ids(slate)
    assert slate.trace.stages[0].stage == "gather"
    assert "gather" in str(slate.trace)


def test_ids_that_are_numbers_are_written_out(reader: penchant.Engine) -> None:
    number: Any = 4752
    assert reader.recommend(number, 2, now=world.NOW).user_id == "4752"
    assert reader.rank(number, ["w1", "w2"], now=world.NOW).user_id == "4752"


def test_words_find_what_nobody_has_clicked(reader: penchant.Engine) -> None:
    slate = reader.recommend("jo", k=3, text="a cowboy guarding the prairie", now=world.NOW)
    assert "cold" in ids(slate)
    space = reader.recommend("jo", k=5, text="aliens and starships", now=world.NOW)
    assert sum(item.startswith("s") for item in ids(space)) >= 4


def test_a_visitor_nobody_stored(reader: penchant.Engine) -> None:
    slate = reader.recommend(history=["s1", "s2", "s3", "s4"], k=8, now=world.NOW)
    western = reader.recommend(history=["w1", "w2", "w3", "w4"], k=8, now=world.NOW)
    assert ids(slate).index("s5") < ids(western).index("s5")
    assert ids(western).index("w5") < ids(slate).index("w5")
    assert not set(ids(slate)) & {"s1", "s2", "s3", "s4"}
    assert slate.user_id is None
    strange = reader.recommend(history=["nothing we know"], k=3, now=world.NOW)
    assert len(strange) == 3
    empty = reader.recommend(history=[], k=3, now=world.NOW)
    assert ids(empty) == ids(strange)


def test_seen_items_are_hidden_or_kept(engine: penchant.Engine) -> None:
    hidden = engine.recommend("ann", k=13, now=world.NOW)
    assert not set(ids(hidden)) & set(world.HISTORIES["ann"])
    kept = engine.recommend("ann", k=13, seen="keep", now=world.NOW)
    assert set(world.HISTORIES["ann"]) <= set(ids(kept))


def test_the_default_of_seen_is_a_setting(tmp_path: Path) -> None:
    directory = filled(tmp_path / "shelf")
    mute(directory, '[encoder]\nmodel = "none"\n[recommend]\nseen = "keep"\n')
    with penchant.open(directory) as engine:
        assert set(ids(engine.recommend("ann", k=13, now=world.NOW))) >= {"w1", "w2"}
        hidden = engine.recommend("ann", k=13, seen="hide", now=world.NOW)
        assert not set(ids(hidden)) & set(world.HISTORIES["ann"])
        assert "w1" not in ids(engine.similar("w1", now=world.NOW))


def test_where_compares_columns_and_attributes(tmp_path: Path) -> None:
    rows = [
        {"item_id": "a", "title": "Apple", "price": 19.99, "tags": ["fruit", "red"], "size": 3},
        {"item_id": "b", "title": "Beet", "price": 5, "tags": ["root", "red"], "size": 8},
        {"item_id": "c", "title": "Corn", "category": "grain", "tags": [], "brand": "C & Co"},
    ]
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        engine.add(rows)
        for where, expected in {
            "price == 19.99": {"a"},
            "price < 20": {"a", "b"},
            "not price < 20": set(),
            '"red" in tags and price <= 5': {"b"},
            'category in ["grain", "fruit"]': {"c"},
            "size > 4": {"b"},
            "size == None": {"c"},
            'brand == "C & Co" or item_id == "a"': {"a", "c"},
            'title != "Apple"': {"b", "c"},
            "price == None": {"c"},
        }.items():
            assert set(ids(engine.recommend("x", where=where))) == expected, where
        engine.add([{"item_id": "d", "title": "Date", "price": 1, "size": 9}])
        assert set(ids(engine.recommend("x", where="size > 4"))) == {"b", "d"}
        with pytest.raises(InvalidInput, match=r"no column 'colour'.*brand.*price.*size"):
            engine.recommend("x", where='colour == "red"')
        with pytest.raises(InvalidInput, match="a call"):
            engine.recommend("x", where="__import__('os').system('true') == 0")


def test_rank_orders_the_list_of_somebody_else(engine: penchant.Engine) -> None:
    slate = engine.rank("ann", items=["s6", "nobody knows", "w6", "w1", "neither"], now=world.NOW)
    assert ids(slate)[0] == "w6" or ids(slate)[0] == "w1"
    assert ids(slate)[-2:] == ["nobody knows", "neither"]
    assert sorted(ids(slate)) == sorted(["s6", "nobody knows", "w6", "w1", "neither"])
    assert [line.rank for line in slate] == [1, 2, 3, 4, 5]
    assert ids(slate).index("w6") < ids(slate).index("s6")
    assert engine.explain(slate, "w6").item_id == "w6"
    assert len(slate.more(5)) == 0
    assert ids(engine.rank(None, ["w6", "w6"], history=["w1"], now=world.NOW)) == ["w6"]
    assert len(engine.rank("ann", [], now=world.NOW)) == 0


def test_recommend_many_is_one_frame_of_the_single_answers(engine: penchant.Engine) -> None:
    people = ["ann", "eve", "nobody", "ann"]
    frame = engine.recommend_many(people, k=3, now=world.NOW, context={"device": "tv"})
    assert dict(frame.schema) == {
        "user_id": pl.String,
        "item_id": pl.String,
        "score": pl.Float64,
        "rank": pl.Int64,
    }
    single = pl.concat([engine.recommend(p, 3, now=world.NOW).to_frame() for p in people])
    assert frame.equals(single)
    assert engine.recommend_many([], now=world.NOW).is_empty()
    assert engine.recommend_many(pl.Series(["ann"]), now=world.NOW).height == 8


def test_similar_is_about_the_item_alone(reader: penchant.Engine) -> None:
    slate = reader.similar("s1", k=4, now=world.NOW)
    assert "s1" not in ids(slate)
    assert sum(item.startswith("s") for item in ids(slate)) >= 3
    more = slate.more(2)
    assert not set(ids(more)) & {*ids(slate), "s1"}
    with pytest.raises(UnknownItem, match="'w99' is not in the catalogue"):
        reader.similar("w99")


def test_interests_have_names_shares_and_evidence(engine: penchant.Engine) -> None:
    found = engine.interests("ivy", now=world.NOW)
    assert {one.name for one in found} == {"western", "space"}
    assert sum(one.strength for one in found) == pytest.approx(1.0)
    space = next(one for one in found if one.name == "space")
    assert space.evidence[0] == "s3"
    assert not engine.interests("nobody")


def test_explanations_name_causes_and_hold_in_another_process(tmp_path: Path) -> None:
    directory = filled(tmp_path / "shelf")
    with penchant.open(directory) as engine:
        slate = engine.recommend("ann", k=3, now=world.NOW)
        why = engine.explain(slate, slate[0].item_id)
        assert why.sentence == str(why)
        assert world.ITEMS[slate[0].item_id][0] in why.sentence
        assert why.contributions
        assert why.trace[0].startswith("gather")
        told = elsewhere(
            "import sys, penchant\n"
            "with penchant.open(sys.argv[1]) as e: print(e.explain(sys.argv[2], sys.argv[3]))",
            directory,
            slate.id,
            slate[0].item_id,
        )
        assert told == why.sentence
        unlogged = engine.recommend("ann", k=3, now=world.NOW, log=False)
        assert engine.explain(unlogged, unlogged[0].item_id).sentence == why.sentence
        with pytest.raises(NotShown, match="not known"):
            engine.explain(unlogged.id, unlogged[0].item_id)
        with pytest.raises(NotShown, match="was not in slate"):
            engine.explain(slate, "w1")
        with pytest.raises(NotShown, match="was not in slate"):
            engine.explain(slate, "no such item")


def test_more_goes_on_past_the_first_pool(tmp_path: Path) -> None:
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        n = 700
        engine.add([{"item_id": f"i{i}"} for i in range(n)])
        engine.record(
            [Event("a", f"i{i}", timestamp=world.START + i) for i in range(0, n, 2)],
            now=world.NOW,
        )
        slate = engine.recommend("b", k=10, now=world.NOW, exclude=["i3"])
        shown, rank = ids(slate), 10
        last = slate[-1].score
        while len(slate := slate.more(97)):
            assert not set(shown) & set(ids(slate))
            assert [line.rank for line in slate] == list(range(rank + 1, rank + 1 + len(slate)))
            assert slate[0].score <= last
            rank, last = rank + len(slate), slate[-1].score
            shown += ids(slate)
        assert set(shown) == {f"i{i}" for i in range(n)} - {"i3"}
        assert len(engine.recommend("b", k=600, now=world.NOW)) == 600


def test_more_is_repeatable_and_explainable(engine: penchant.Engine) -> None:
    slate = engine.recommend("jo", k=2, now=world.NOW)
    more = slate.more(3)
    assert ids(slate.more(3)) == ids(more)
    assert engine.explain(more, more[0].item_id).item_id == more[0].item_id
    with pytest.raises(InvalidInput, match="k is a whole number"):
        slate.more(0)


# Taking back


def test_removed_items_are_gone_until_they_come_back(engine: penchant.Engine) -> None:
    assert engine.remove("w6") is True
    assert engine.remove("w6") is False
    assert "w6" not in ids(engine.recommend("ann", k=13, now=world.NOW))
    assert engine.remove("never there") is False
    engine.add(world.items().filter(pl.col("item_id") == "w6"))
    assert "w6" in ids(engine.recommend("ann", k=13, now=world.NOW))


def test_undo_makes_every_answer_as_if_it_had_never_been(engine: penchant.Engine) -> None:
    before = engine.recommend_many([*world.HISTORIES], k=13, now=world.NOW)
    engine.record(Event("jo", "s6", "click", world.NOW - 5, event_id="one"), now=world.NOW)
    engine.record(Event("ann", "s5", "click", world.NOW - 5, event_id="two"), now=world.NOW)
    assert not engine.recommend_many([*world.HISTORIES], k=13, now=world.NOW).equals(before)
    assert engine.undo("one") is True
    assert engine.undo("two") is True
    assert engine.undo("two") is False
    assert engine.recommend_many([*world.HISTORIES], k=13, now=world.NOW).equals(before)
    # The retry of an event that was undone must not bring it back.
    assert engine.record(Event("jo", "s6", event_id="one"))["new"] == 0
    # Events of a file have their ids too.
    assert engine.undo("ann-0") is True
    assert "w1" in ids(engine.recommend("ann", k=13, now=world.NOW))


def test_a_forgotten_person_is_a_stranger(engine: penchant.Engine) -> None:
    slate = engine.recommend("ann", k=13, now=world.NOW)
    assert engine.forget("ann") == 5
    assert engine.forget("ann") == 0
    assert engine.forget("never here") == 0
    fresh, stranger = (engine.recommend(u, k=13, now=world.NOW) for u in ("ann", "nobody"))
    assert [(line.item_id, line.score) for line in fresh] == [
        (line.item_id, line.score) for line in stranger
    ]
    assert engine.export("ann")["events"] == []
    assert not engine.interests("ann")
    with pytest.raises(NotShown):
        engine.explain(slate.id, slate[0].item_id)
    held = b"".join(p.read_bytes() for p in engine.directory.glob("*.db*"))
    assert b"ann" not in held


def test_merge_moves_everything(engine: penchant.Engine) -> None:
    engine.record([Event("visitor-8", "s1", timestamp=world.NOW - 9)], now=world.NOW)
    assert engine.merge("visitor-8", into="jo") == 1
    assert "s1" not in ids(engine.recommend("jo", k=13, now=world.NOW))
    assert "s1" in ids(engine.recommend("visitor-8", k=13, now=world.NOW))
    assert engine.merge("visitor-8", into="jo") == 0
    engine.record([Event("visitor-9", "s2", timestamp=world.NOW - 9)], now=world.NOW)
    assert engine.merge("visitor-9", into="somebody new") == 1
    assert [e["item_id"] for e in engine.export("somebody new")["events"]] == ["s2"]
    with pytest.raises(InvalidInput, match="two people"):
        engine.merge("jo", into="jo")


def test_export_holds_what_was_said(engine: penchant.Engine) -> None:
    engine.record(
        {
            "user_id": "jo",
            "text": "something with cowboys",
            "event": "search",
            "context": {"device": "tv"},
            "timestamp": world.NOW - 3,
        },
        now=world.NOW,
    )
    (event,) = engine.export("jo")["events"]
    assert event["text"] == "something with cowboys"
    assert event["item_id"] is None
    assert event["context"] == {"device": "tv"}
    assert event["timestamp"] == world.NOW - 3
    assert len(engine.export("ann")["events"]) == 5


# The whole


def test_a_backup_is_a_directory_that_answers_the_same(
    engine: penchant.Engine, tmp_path: Path
) -> None:
    before = engine.recommend_many(["ann", "jo"], now=world.NOW)
    copy = engine.backup(tmp_path / "copy")
    assert copy == tmp_path / "copy"
    engine.record(Event("jo", "s1"))
    with penchant.open(copy) as other:
        assert other.recommend_many(["ann", "jo"], now=world.NOW).equals(before)
    with pytest.raises(Error, match="not an empty directory"):
        engine.backup(tmp_path / "copy")


def test_stages_are_the_documentation_of_a_request(engine: penchant.Engine) -> None:
    assert engine.stages()[0].startswith("gather(")
    assert "order" in engine.stages()


def test_a_directory_remembers(tmp_path: Path) -> None:
    directory = filled(tmp_path / "shelf")
    with penchant.open(directory) as engine:
        first = engine.recommend_many([*world.HISTORIES], now=world.NOW)
    with penchant.open(directory) as engine:
        assert engine.recommend_many([*world.HISTORIES], now=world.NOW).equals(first)


def test_serving_imports_neither_torch_nor_pandas(tmp_path: Path) -> None:
    told = elsewhere(
        "import sys, penchant\n"
        "with penchant.open(sys.argv[1]) as e:\n"
        "    s = e.recommend('ann', text='cowboys')\n"
        "    e.record(penchant.Event('ann', s[0].item_id)); e.recommend_many(['ann'])\n"
        "    e.explain(s, s[0].item_id); e.similar('w1'); e.interests('ann')\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'scipy', 'lightgbm', 'transformers'}\n"
        "print(sorted(heavy & set(sys.modules)))",
        filled(tmp_path / "shelf"),
    )
    assert told == "[]"


def test_a_new_item_is_there_at_once_through_its_text(reader: penchant.Engine) -> None:
    item = Item("w7", "The Sheriff's Last Drive", "A sheriff drives cattle over the prairie.")
    assert reader.add([item])["new"] == 1
    try:
        assert "w7" in ids(reader.recommend("ann", k=20, now=world.NOW))
        assert ids(reader.recommend("jo", k=2, text="a sheriff drives cattle"))[0] == "w7"
        assert "w7" in ids(reader.similar("w4", k=8))
    finally:
        reader.remove("w7")


def test_a_stranger_gets_what_many_want_now(engine: penchant.Engine) -> None:
    popular = world.POPULAR[0] | world.POPULAR[1]
    assert set(ids(engine.recommend("a stranger", k=3, now=world.NOW))) <= popular
    # What was wanted of late counts more than what was wanted long ago.
    late = world.NOW + 60 * world.DAY
    crowd = [Event(f"c{i}", "s6", timestamp=late - 60 + i) for i in range(8)]
    engine.record(crowd, now=late)
    assert ids(engine.recommend("a stranger", k=1, now=late)) == ["s6"]


def test_stock_windows_open_and_close(tmp_path: Path) -> None:
    begin, end = world.START, world.START + 10
    with penchant.open(mute(tmp_path / "shelf")) as engine:
        engine.add(
            [
                Item("always"),
                Item("window", stock=(begin, end)),
                Item("from", stock=(datetime.fromtimestamp(begin, UTC), None)),
                Item("until", stock=(None, end)),
            ]
        )
        for now, expected in {
            begin - 1: {"always", "until"},
            begin: {"always", "window", "from", "until"},
            end: {"always", "window", "from", "until"},
            end + 1: {"always", "from"},
        }.items():
            assert set(ids(engine.recommend("x", now=now))) == expected
        engine.add([Item("window")])
        assert "window" in ids(engine.recommend("x", now=end + 1))


def test_times_are_datetimes_text_or_seconds(engine: penchant.Engine) -> None:
    moment = datetime.fromtimestamp(world.NOW, UTC)
    expected = ids(engine.recommend("ann", now=world.NOW))
    assert ids(engine.recommend("ann", now=moment)) == expected
    assert ids(engine.recommend("ann", now=moment.replace(tzinfo=None))) == expected
    assert ids(engine.recommend("ann", now=moment - timedelta(days=400))) != expected


# Words


@pytest.mark.parametrize(("text", "wanted"), [("The Mars Signal", "s2"), ("w5", "w5")])
def test_who_names_an_item_gets_it_first(reader: penchant.Engine, text: str, wanted: str) -> None:
    for person in ("ann", "eve", "somebody new"):
        slate = reader.recommend(person, text=text, seen="keep", now=world.NOW, log=False)
        assert slate[0].item_id == wanted
    assert reader.rank("ann", ["w1", "s6", wanted], text=text, now=world.NOW)[0].item_id == wanted


def test_words_are_found_without_a_language_model_and_at_once(engine: penchant.Engine) -> None:
    assert ids(engine.recommend("eve", 1, text="cattle rustlers", now=world.NOW)) == ["w4"]
    engine.add([Item("zh", "\u661f\u9645\u65c5\u884c\u8005\u7684\u56de\u5fc6\u5f55")])
    slate = engine.recommend("eve", 3, text="\u56de\u5fc6\u5f55", now=world.NOW)
    assert slate[0].item_id == "zh"
    because = engine.explain(slate, "zh")
    assert "your words are in its text" in because.sentence
    total = sum(reason.weight for reason in because.contributions)
    assert total == pytest.approx(slate[0].score, rel=1e-3)
    engine.remove("zh")
    assert "zh" not in ids(engine.recommend("eve", 20, text="\u56de\u5fc6\u5f55", now=world.NOW))
    assert "lexical" not in str(engine.recommend("eve", now=world.NOW).trace)
