"""One event is believed as it is or refused loudly, with the name of the rule it breaks."""

from __future__ import annotations

import json
import math
import time
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.ingest.cells import Refused
from penchant.ingest.cleaning import REFUSALS, CleaningConfig
from penchant.ingest.door import one_event
from penchant.ingest.events import read_events
from penchant.ingest.keys import id_key
from penchant.ingest.kinds import Kinds
from penchant.store.frames import EVENTS
from penchant.types import Event, InvalidInput

NOW = 1_704_110_400.0
KINDS = Kinds()


def one(event: Event | dict[str, Any], **config: Any) -> dict[str, Any]:
    row = one_event(event, NOW, KINDS, CleaningConfig(**config))
    assert pl.from_dicts([row], schema=EVENTS, strict=True).row(0, named=True) == row
    return row


def test_an_event_becomes_one_row() -> None:
    event = Event(
        "u",
        "i",
        "like",
        NOW - 5,
        2.5,
        "e1",
        "s1",
        "nice",
        {"device": "tv", "at": datetime(2024, 1, 1)},
    )
    row = one(event)
    assert (row["user_id"], row["item_id"], row["event"]) == ("u", "i", "like")
    assert row["timestamp"] == (NOW - 5) * 1_000_000
    assert (row["value"], row["slate_id"], row["text"], row["shared"]) == (2.5, "s1", "nice", 1.0)
    assert row["key"] == id_key("e1")
    assert json.loads(row["context"]) == {"device": "tv", "at": "2024-01-01T00:00:00"}


def test_absent_time_means_now_and_each_call_is_an_event() -> None:
    first, second = one(Event("u", "i")), one(Event("u", "i"))
    assert first["timestamp"] == NOW * 1_000_000
    assert first["key"] != second["key"]
    assert first["context"] is None


def test_a_dict_may_speak_another_system() -> None:
    row = one({"userId": 7, "movieId": 5.0, "rating": 4, "device": "tv", "none": None})
    assert (row["user_id"], row["item_id"], row["event"], row["value"]) == ("7", "5", "rating", 4)
    assert json.loads(row["context"]) == {"device": "tv"}
    assert one({"user_id": "u", "item_id": "i"})["event"] == "click"
    assert one({"user_id": "u", "text": "space opera", "event": "search"})["item_id"] is None


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (Event("", "i"), "user_id_empty"),
        (Event(None, "i"), "user_id_missing"),  # type: ignore[arg-type]
        ({"item_id": "i"}, "user_id_missing"),
        (Event("u" * 513, "i"), "user_id_too_long"),
        (Event("é" * 257, "i"), "user_id_too_long"),
        (Event("\ud800", "i"), "user_id_unreadable"),
        (Event(b"u", "i"), "user_id_unreadable"),  # type: ignore[arg-type]
        (Event(True, "i"), "user_id_unreadable"),  # type: ignore[arg-type]
        (Event("u"), "item_id_missing"),
        (Event("u", text=""), "item_id_missing"),
        (Event("u", ""), "item_id_empty"),
        (Event("u", "i" * 513), "item_id_too_long"),
        (Event("u", 1.5), "item_id_unreadable"),  # type: ignore[arg-type]
        (Event("u", "i", ""), "event_unreadable"),
        (Event("u", "i", "k" * 65), "event_unreadable"),
        (Event("u", "i", None), "event_unreadable"),  # type: ignore[arg-type]
        (Event("u", "i", timestamp=NOW * 1000), "timestamp_unreadable"),
        (Event("u", "i", timestamp="soon"), "timestamp_unreadable"),  # type: ignore[arg-type]
        (Event("u", "i", timestamp=math.nan), "timestamp_unreadable"),
        (Event("u", "i", timestamp=-1.0), "timestamp_impossible"),
        (Event("u", "i", timestamp=NOW + 301), "timestamp_in_future"),
        (Event("u", "i", value=math.nan), "value_not_finite"),
        (Event("u", "i", value=math.inf), "value_not_finite"),
        (Event("u", "i", value=10**400), "value_not_finite"),
        (Event("u", "i", value=1e13), "value_too_large"),
        (Event("u", "i", value="much"), "value_unreadable"),  # type: ignore[arg-type]
        (Event("u", "i", "purchase", value=-1), "value_negative"),
        (Event("u", "i", "dwell", value=-1), "value_negative"),
        (Event("u", "i", text="x" * 100_001), "text_unreadable"),
        (Event("u", "i", text=5), "text_unreadable"),  # type: ignore[arg-type]
        (Event("u", "i", event_id=1.5), "event_id_unreadable"),  # type: ignore[arg-type]
        (Event("u", "i", slate_id=1.5), "slate_id_unreadable"),  # type: ignore[arg-type]
        (Event("u", "i", slate_id="s" * 513), "slate_id_too_long"),
        (Event("u", "i", context={"x": object()}), "context_unreadable"),
        (Event("u", "i", context={"x": "\ud800"}), "context_unreadable"),
        (Event("u", "i", context=["x"]), "context_unreadable"),  # type: ignore[arg-type]
        (Event("u", "i", context={"x": "y" * 70_000}), "context_too_large"),
    ],
)
def test_what_cannot_be_believed_is_refused_by_name(event: Any, rule: str) -> None:
    with pytest.raises(Refused, match="expected") as caught:
        one_event(event, NOW, KINDS)
    assert caught.value.rule == rule
    assert rule in REFUSALS
    # The same event in a batch is kept aside under the same name, or repaired and counted.
    intake = read_events([event, Event("sound", "i")], now=NOW, kinds=KINDS)
    repaired = {"negative_purchase", "text_truncated"} & intake.counts.keys()
    assert intake.quarantined["reason"].to_list() == ([] if repaired else [rule])
    assert "sound" in intake.frame["user_id"]


def test_strangers_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Event or a dict"):
        one_event(5, NOW, KINDS)  # type: ignore[arg-type]


def test_ids_of_the_full_length_and_any_characters_pass() -> None:
    for text in ("u" * 512, "é" * 256, "😀" * 128, "\x00", " ", "مرحبا", "推荐", "a\nb", "'; --"):
        assert one(Event(text, text))["user_id"] == text


def test_numbers_may_be_of_any_numeric_type() -> None:
    for value in (2, 2.0, np.float32(2), np.int64(2), Decimal(2), "2", True + True):
        assert one(Event("u", "i", value=value))["value"] == 2.0  # type: ignore[arg-type]


def test_durations_counts_and_depths_become_shares_and_keep_what_came() -> None:
    row = one(Event("u", "i", "dwell", value=30))
    assert row["value"] == pytest.approx(math.log1p(30) / math.log1p(1800))
    assert json.loads(row["context"]) == {"raw_value": 30.0}
    assert one(Event("u", "i", "dwell", value=1e6))["value"] == 1.0
    assert one(Event("u", "i", "scroll", value=80))["value"] == 0.8
    assert one(Event("u", "i", "scroll", value=0.8))["value"] == 0.8
    assert one(Event("u", "i", "play_count", value=0))["value"] == 0.0
    assert one(Event("u", "i", "dwell", value=30), off=("value_normalised",))["value"] == 30


def test_a_click_takes_the_share_of_the_time_that_followed_it() -> None:
    row = one(Event("u", "i", context={"dwell_seconds": 30}))
    assert row["value"] == pytest.approx(math.log1p(30) / math.log1p(1800))
    assert json.loads(row["context"]) == {"dwell_seconds": 30}
    assert one(Event("u", "i", value=3, context={"dwell_seconds": 30}))["value"] == 3


def test_the_allowance_for_clocks_is_configurable() -> None:
    event = Event("u", "i", timestamp=NOW + 1000)
    assert one(event, future_call=2000)["timestamp"] == (NOW + 1000) * 1_000_000
    assert one(event, off=("timestamp_in_future",))["timestamp"] == (NOW + 1000) * 1_000_000


IDS = st.text(min_size=1, max_size=40).filter(lambda s: 1 <= len(s.encode()) <= 512)


@given(
    user=IDS,
    item=IDS,
    kind=st.sampled_from(["click", "purchase", "dwell", "scroll", "rating", "share"]),
    when=st.none() | st.floats(0, NOW),
    value=st.none() | st.floats(0, 1e6),
    text=st.none() | st.text(min_size=1, max_size=20),
    context=st.dictionaries(
        st.text(max_size=5),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        max_size=3,
    ),
)
def test_one_event_and_a_batch_of_one_agree(
    user: str,
    item: str,
    kind: str,
    when: float | None,
    value: float | None,
    text: str | None,
    context: dict[str, Any],
) -> None:
    event = Event(user, item, kind, when, value, text=text, context=context)
    alone = one_event(event, NOW, KINDS)
    batch = read_events([event], now=NOW, kinds=KINDS).frame
    a, b = alone, batch.row(0, named=True)
    for name in ("user_id", "item_id", "event", "timestamp", "slate_id", "text", "shared"):
        assert a[name] == b[name]
    assert a["value"] == pytest.approx(b["value"]) if value is not None else b["value"] is None
    assert json.loads(a["context"] or "{}") == json.loads(b["context"] or "{}")


def test_one_event_takes_a_tenth_of_a_millisecond_at_most() -> None:
    event = Event("u", "i", context={"device": "tv"})
    cleaning = CleaningConfig()
    spent = []
    for _ in range(500):
        start = time.perf_counter()
        one_event(event, NOW, KINDS, cleaning)
        spent.append(time.perf_counter() - start)
    assert sorted(spent)[len(spent) // 2] < 0.0001
