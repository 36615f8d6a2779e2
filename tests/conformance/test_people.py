"""What every implementation of `store.people.People` promises."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from conformance.conftest import Place
from conformance.test_log import STRANGE
from penchant.store.faults import StoreError
from penchant.store.impressions import Impression
from penchant.store.open import Store
from penchant.store.tail import Position
from penchant.types import InvalidInput
from store.frames import events, items


def users(**attributes: dict) -> pl.DataFrame:
    texts = [json.dumps(value) for value in attributes.values()]
    return pl.DataFrame(
        {"user_id": list(attributes), "attributes": texts},
        schema={"user_id": pl.String, "attributes": pl.String},
    )


def links(*rows: tuple[str, str, str, float]) -> pl.DataFrame:
    schema = {"head": pl.String, "relation": pl.String, "tail": pl.String, "weight": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_people_are_numbered_and_read_back(store: Store) -> None:
    people = store.people
    assert people.upsert(users(ann={"age": 3}, bob={})) == {"new": 2, "changed": 0, "same": 0}
    assert people.upsert(users(bob={"age": 4}, ann={"age": 3}, cy={})) == {
        "new": 1, "changed": 1, "same": 1,
    }  # fmt: skip
    assert people.numbers(["cy", "ann", "nobody", "bob", "ann"]).tolist() == [2, 0, -1, 1, 0]
    for name, number in (("cy", 2), ("ann", 0), ("nobody", -1), ("\ud800", -1)):
        one = people.numbers([name])
        assert one.tolist() == [number]
        assert one.dtype == np.int32
    assert people.numbers([]).dtype == np.int32
    assert people.get([1, 0]).rows() == [(1, "bob", '{"age": 4}'), (0, "ann", '{"age": 3}')]
    assert people.get([]).is_empty()
    assert people.upsert(users()) == {"new": 0, "changed": 0, "same": 0}
    with pytest.raises(InvalidInput, match="which nobody has"):
        people.get([7])


def test_somebody_known_by_behaviour_has_no_attributes(store: Store) -> None:
    store.log.append(events(("u", "i", 1)))
    assert store.people.get([0]).rows() == [(0, "u", "{}")]
    assert store.people.upsert(users(u={"a": 1})) == {"new": 0, "changed": 1, "same": 0}
    assert store.people.numbers(["u"]).tolist() == [0]


def test_any_id_and_any_attribute(store: Store) -> None:
    frame = users(**{name: {name: [name, None, 1.5]} for name in STRANGE})
    assert store.people.upsert(frame)["new"] == len(STRANGE)
    got = store.people.get(store.people.numbers(STRANGE).tolist())
    assert got["user_id"].to_list() == STRANGE
    assert [json.loads(text) for text in got["attributes"]] == [
        {name: [name, None, 1.5]} for name in STRANGE
    ]


def test_bad_people_and_links_are_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="ids of 0"):
        store.people.upsert(pl.DataFrame({"user_id": ["u", ""]}))
    with pytest.raises(InvalidInput, match=r"missing \['relation'\]"):
        store.people.add_links(pl.DataFrame({"head": ["a"], "tail": ["b"]}))
    with pytest.raises(InvalidInput, match="'tail' holds ids of 0"):
        store.people.add_links(links(("a", "r", "", 1.0)))
    assert store.people.links().is_empty()


def test_links_are_kept_once_with_their_latest_weight(store: Store) -> None:
    people = store.people
    rows = links(("a", "likes", "b", 1.0), ("b", "likes", "a", 2.0), ("a", "likes", "b", 0.5))
    assert people.add_links(rows) == {"new": 2, "changed": 0, "same": 0}
    assert people.add_links(links(("b", "likes", "a", 2.0), ("a", "likes", "b", 9.0))) == {
        "new": 0, "changed": 1, "same": 1,
    }  # fmt: skip
    assert sorted(people.links().rows()) == [("a", "likes", "b", 9.0), ("b", "likes", "a", 2.0)]
    assert people.add_links(links()) == {"new": 0, "changed": 0, "same": 0}
    people.add_links(pl.DataFrame({"head": ["h"], "relation": ["r"], "tail": ["t"]}))
    assert ("h", "r", "t", 1.0) in people.links().rows()


def test_many_links_and_links_of_any_characters(store: Store) -> None:
    rows = [(name, f"r{k}", name + "!" if k % 2 else "t", 1.0) for k, name in
            enumerate([n for n in STRANGE if len(n.encode()) < 512] * 60)]  # fmt: skip
    assert store.people.add_links(links(*rows))["new"] == len(rows)
    assert store.people.links().rows() == rows
    assert store.people.add_links(links(*rows))["same"] == len(rows)


def test_merge_gives_everything_of_a_visitor_to_a_person(store: Store, place: Place) -> None:
    store.log.append(
        events(("visitor", "a", 1), ("ann", "b", 2), ("visitor", "c", 3), ("bob", "a", 4))
    )
    store.people.upsert(users(visitor={"device": "tv", "age": 1}, ann={"age": 30}))
    store.people.add_links(
        links(
            ("visitor", "near", "x", 1.0), ("y", "near", "visitor", 2.0),
            ("ann", "near", "x", 3.0), ("bob", "near", "x", 4.0),
        )
    )  # fmt: skip
    shown = np.zeros(1, dtype=np.float32)
    store.impressions.add(
        Impression("s", 0, 1.0, "untrained", np.zeros(1, dtype=np.int32), shown, shown,
                   np.zeros((1, 0), dtype=np.float32))
    )  # fmt: skip
    before = store.tail(Position()).position
    assert store.people.merge(0, into=1) == 2
    assert store.log.history(1, 9, 9).times.tolist() == [1, 2, 3]
    assert len(store.log.history(0, 9, 9)) == 0
    assert store.people.get([0, 1])["user_id"].to_list() == [None, "ann"]
    assert json.loads(store.people.get([1])["attributes"][0]) == {"age": 30, "device": "tv"}
    assert sorted(store.people.links().rows()) == [
        ("ann", "near", "x", 3.0), ("bob", "near", "x", 4.0), ("y", "near", "ann", 2.0),
    ]  # fmt: skip
    shown_to = store.impressions.get("s")
    assert shown_to is not None
    assert shown_to.user == 1
    tail = place.open().tail(before)
    assert tail.retracted
    assert tail.retracted_users.tolist() == [0, 1]
    assert tail.users
    assert tail.links
    # The device may be somebody else's next: its id starts anew.
    store.log.append(events(("visitor", "z", 9)))
    assert store.people.numbers(["visitor"]).tolist() == [3]
    assert store.people.merge(3, into=1) == 1


def test_merge_needs_two_known_people(store: Store) -> None:
    store.log.append(events(("a", "i", 1), ("b", "i", 2)))
    for visitor, into in ((0, 0), (0, 7), (7, 0), (-1, 0)):
        with pytest.raises(StoreError, match="expected two"):
            store.people.merge(visitor, into)
    store.people.merge(0, 1)
    with pytest.raises(StoreError, match="merged before"):
        store.people.merge(0, 1)
    assert store.log.history(1, 9, 9).times.tolist() == [1, 2]


def test_links_of_an_item_survive_a_person_of_the_same_name(store: Store) -> None:
    store.catalogue.upsert(items("5"))
    store.log.append(events(("5", "x", 1)))
    store.people.add_links(links(("5", "directed_by", "somebody", 1.0)))
    store.log.retract(user=0)
    assert len(store.people.links()) == 1


def test_people_are_found_by_how_their_id_begins(store: Store) -> None:
    ids = ["p_", "p_a", "p", "q_", "p_ä", "P_a", "p`", "乱"]
    store.people.upsert(pl.DataFrame({"user_id": ids}))
    assert store.people.named("p_", 9) == ["p_", "p_a", "p_ä"]
    assert store.people.named("p_", 2) == ["p_", "p_a"]
    assert store.people.named("x", 9) == []
