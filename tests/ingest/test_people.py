"""People and links: attributes kept, last row wins, what has no sound id is kept aside."""

from __future__ import annotations

import json

import polars as pl
import pytest

from penchant.ingest.people import read_links, read_users
from penchant.store.frames import LINKS, USERS
from penchant.types import InvalidInput, Link, User


def test_people_come_from_frames_nouns_and_dicts() -> None:
    frame = pl.DataFrame({"userID": [1, 2], "age": [24, None], "gender": ["M", "F"]})
    intake = read_users(frame)
    assert intake.frame.schema == pl.Schema(USERS)
    assert intake.frame.rows() == [("1", '{"age":24,"gender":"M"}'), ("2", '{"gender":"F"}')]
    nouns = read_users([User("a", {"age": 3}), {"id": "b", "city": "x"}, User("a")])
    assert nouns.frame.rows() == [("b", '{"city":"x"}'), ("a", "{}")]
    assert nouns.counts["duplicate_id"] == 1
    assert read_users(User("a")).counts["accepted"] == 1


def test_people_without_a_sound_id_are_kept_aside() -> None:
    intake = read_users([User(""), User("x" * 513), {"user_id": None, "age": 3}, User("ok")])
    assert intake.quarantined["reason"].to_list() == [
        "user_id_empty",
        "user_id_too_long",
        "user_id_missing",
    ]
    assert json.loads(intake.quarantined["row"][2]) == {"age": 3}
    assert intake.counts["rows"] == 4
    with pytest.raises(InvalidInput, match="'user_id'"):
        read_users(pl.DataFrame({"age": [3]}))


def test_links_come_from_frames_nouns_and_dicts() -> None:
    frame = pl.DataFrame(
        {"head_id:token": ["a"], "relation_id:token": ["r"], "tail_id:token": ["b"]}
    )
    assert read_links(frame).frame.rows() == [("a", "r", "b", 1.0)]
    assert read_links(frame).frame.schema == pl.Schema(LINKS)
    nouns = read_links(
        [Link("a", "r", "b", 0.5), {"source": 1, "target": 2}, Link("a", "r", "b", 0.7)]
    )
    assert nouns.frame.rows() == [("1", "related", "2", 1.0), ("a", "r", "b", 0.7)]
    friends = pl.DataFrame({"userID": ["1"], "friendID": ["2"]})
    intake = read_links(friends, columns={"head": "userID", "tail": "friendID"})
    assert intake.frame.rows() == [("1", "related", "2", 1.0)]
    assert any("'related'" in note for note in intake.columns.notes)


def test_bad_links_are_kept_aside() -> None:
    intake = read_links(
        [
            Link("", "r", "b"),
            Link("a", "r", ""),
            Link("a", "r" * 513, "b"),
            {"head": "a", "tail": "b", "weight": "heavy"},
            {"head": "a", "tail": "b", "weight": float("nan")},
            {"head": True, "tail": "b"},
            Link("a", "r", "b"),
        ]
    )
    assert intake.quarantined["reason"].to_list() == [
        "head_missing",
        "tail_missing",
        "link_too_long",
        "weight_unreadable",
        "weight_unreadable",
        "head_unreadable",
    ]
    assert intake.frame.height == 1
    with pytest.raises(InvalidInput, match="'tail'"):
        read_links(pl.DataFrame({"head": ["a"]}))
