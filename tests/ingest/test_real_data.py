"""The real data sets come in whole, with the mapping that is printed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from penchant.ingest.events import read_events
from penchant.ingest.items import read_items
from penchant.ingest.kinds import Kinds
from penchant.ingest.people import read_links, read_users

DATA = Path(__file__).parents[3] / "shared" / "data"
NOW = 1_700_000_000.0

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.exists(), reason=f"the real data sets are not at {DATA}"),
]


def test_ml_100k_comes_in_whole() -> None:
    intake = read_events(DATA / "ml_100k" / "events.parquet", now=NOW, kinds=Kinds())
    assert intake.counts == {
        "rows": 100_000,
        "accepted": 100_000,
        "quarantined": 0,
        "duplicates": 0,
    }
    assert intake.scales == {"rating": (1.0, 5.0)}
    raw = pl.read_parquet(DATA / "ml_100k" / "events.parquet")
    assert intake.frame["timestamp"].to_list() == (raw["timestamp"] * 1_000_000).to_list()
    items = read_items(DATA / "ml_100k" / "items.parquet")
    assert items.counts["accepted"] == 1682
    assert "attributes   <- year, kg_entity" in str(items)
    assert read_users(DATA / "ml_100k" / "users.parquet").counts["accepted"] == 943
    links = read_links(DATA / "ml_100k" / "kg.parquet")
    assert links.counts["accepted"] == links.counts["rows"] == 91_631


def test_online_retail_comes_in_with_its_repetitions_counted() -> None:
    path = DATA / "online_retail" / "events.parquet"
    intake = read_events(path, now=NOW, kinds=Kinds())
    assert intake.counts["rows"] == 406_829
    assert intake.counts["accepted"] == pl.read_parquet(path).n_unique() == 401_602
    assert intake.counts["exact_duplicate"] == 5227
    assert intake.counts["quarantined"] == 0
    assert "burst" not in intake.counts
    assert 0 < intake.counts["value_clipped"] < 200
    for shown in ("timestamp    <- timestamp", "context      <- unit_price, invoice, country"):
        assert shown in str(intake)
    again = read_events(path, now=NOW + 86_400, kinds=Kinds())
    assert again.frame["key"].equals(intake.frame["key"])


def test_visitors_without_a_name_are_kept_aside() -> None:
    path = DATA / "online_retail" / "events_anonymous.parquet"
    intake = read_events(path, now=NOW, kinds=Kinds())
    assert intake.counts["quarantined"] == intake.counts["user_id_missing"] == 135_080


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("amazon_beauty", 198_502),
        ("coat", 11_600),
        ("frappe", 96_203),
        ("lastfm_hetrec", 92_834),
        ("mind_sample", 189_359),
        ("open_bandit", 39_990),
    ],
)
def test_the_other_sets_come_in(name: str, least: int) -> None:
    intake = read_events(DATA / name / "events.parquet", now=NOW, kinds=Kinds())
    assert intake.counts["accepted"] >= least
    items = read_items(DATA / name / "items.parquet")
    assert items.counts["accepted"] == items.counts["rows"]


def test_a_review_that_is_always_one_is_a_wish() -> None:
    intake = read_events(DATA / "amazon_beauty" / "events.parquet", now=NOW, kinds=Kinds())
    kinds = Kinds().with_scales(intake.scales)
    ones = pl.Series([1.0], dtype=pl.Float32).to_numpy()
    codes = pl.Series([0], dtype=pl.Int16).to_numpy()
    assert kinds.strength(("review",), codes, ones)[0] == 1.0
