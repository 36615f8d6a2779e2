"""A directory is read whole and left alone, and rebuilt with nothing from after the cut."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest

import penchant
from penchant.evaluate.past import read_past, rebuild
from penchant.evaluate.plan import plan
from penchant.rank.answer.stops import Stops
from penchant.store.open import open_store
from penchant.store.tail import Position
from penchant.types import InvalidInput

from . import shop


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return shop.make(tmp_path_factory.mktemp("past") / "shop")


@pytest.fixture(scope="module")
def past(directory):
    return read_past(directory)


def test_everything_is_read_as_it_was_recorded(past):
    told = shop.events().sort("timestamp", maintain_order=True)
    assert past.events.height == 720
    assert past.events["user_id"].to_list() == told["user_id"].to_list()
    assert past.events["item_id"].to_list() == told["item_id"].to_list()
    assert past.events["event"].to_list() == told["event"].to_list()
    assert (past.events["timestamp"] / 1e6).to_list() == told["timestamp"].to_list()
    assert past.events["text"].null_count() == 660
    assert past.events["key"].n_unique() == 720
    assert past.items.height == 41
    assert past.links.height == 1


def test_wishes_are_told_from_the_rest(past):
    assert past.positives.height == 600
    assert past.met.height == 660
    assert set(past.events.filter(pl.Series(past.wanted))["event"]) == {"click"}


def test_reading_leaves_the_directory_alone(directory):
    def state():
        return {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(directory.rglob("*"))
            if file.is_file() and not file.name.endswith(("-shm", "-wal", ".lock"))
        }

    before = state()
    read_past(directory)
    assert state() == before


def test_what_is_rebuilt_holds_the_past_alone(past, tmp_path):
    made = plan(past.positives, past.items["item_id"].to_list())
    keep = past.before(made)
    rebuild(past, keep, tmp_path / "then")
    with open_store(tmp_path / "then", read_only=True) as store:
        tail = store.tail(Position())
        assert len(tail.events) == keep.sum()
        assert tail.events.times.max() < made.split.cut
        assert tail.items.height == 41
        assert store.people.links().rows() == past.links.rows()
        who = store.people.get(store.people.numbers(["u0"]).tolist())
        assert "NO" in who["attributes"][0]
        assert store.snapshots.current() is None
    again = read_past(tmp_path / "then")
    assert again.events.drop("key").rows() == past.events.filter(keep).drop("key").rows()
    with penchant.open(tmp_path / "then") as engine:
        assert len(engine.recommend("u1", 5, now=made.split.cut)) == 5
    # No experiment of the settings runs there.
    assert Stops(tmp_path / "then").read().halted


def test_leave_one_out_keeps_all_but_the_held_out_pairs(past):
    made = plan(past.positives, protocol="leave-one-out")
    keep = past.before(made)
    assert (~keep).sum() == 60
    held = past.events.filter(~keep)
    assert held["user_id"].n_unique() == 60
    assert set(held["event"]) == {"click"}


def test_a_directory_without_events_is_refused(tmp_path):
    with penchant.open(tmp_path / "empty") as engine:
        engine.add(pl.DataFrame({"item_id": ["x"], "title": ["X"]}))
    with pytest.raises(InvalidInput, match="no events"):
        read_past(tmp_path / "empty")


def test_pseudonyms_stay_pseudonyms(tmp_path):
    past = read_past(shop.make(tmp_path / "private", pseudonyms=True))
    assert np.all([user.startswith("p_") for user in past.events["user_id"]])
