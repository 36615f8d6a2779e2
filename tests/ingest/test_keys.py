"""Keys: the same row, the same key, in any version; what has no id of its own lies by its time."""

from __future__ import annotations

import polars as pl

from penchant.ingest.keys import content_keys, fresh_key, id_key

_SECOND = 1_000_000


def rows(times: list[int], **columns: object) -> pl.DataFrame:
    n = len(times)
    return pl.DataFrame(
        {
            "user_id": ["u"] * n,
            "item_id": [f"i{k}" for k in range(n)],
            "event": ["click"] * n,
            "timestamp": times,
            "value": [1.5] * n,
            "slate_id": [None] * n,
            "text": ["宇宙"] * n,
            "context": [None] * n,
            "undated": [False] * n,
            "numbered": [False] * n,
        }
        | columns,
        schema_overrides=dict.fromkeys(
            ("slate_id", "context", "text", "user_id", "item_id", "event"), pl.String
        )
        | {
            "timestamp": pl.Int64,
            "value": pl.Float64,
            "undated": pl.Boolean,
            "numbered": pl.Boolean,
        },
    )


def test_a_key_is_what_it_was_so_that_a_file_read_years_later_adds_nothing() -> None:
    keys = content_keys(rows([1_700_000_000 * _SECOND, 0]), b"salt")
    assert [key.hex() for key in keys] == [
        "060a2418112c94a2ff13bbe2321be4fe",
        "0000000055b52d0f0b6ddd6abe67ccb2",
    ]


def test_keys_are_in_the_order_of_times_as_far_as_times_go() -> None:
    minute = 60 * _SECOND
    times = [0, minute, 1_000_000 * minute, 30_000_000 * minute, 1_000_000_000 * minute]
    keys = content_keys(rows(times)).to_list()
    assert keys == sorted(keys)
    fresh = [fresh_key(time) for time in times]
    assert fresh == sorted(fresh)
    assert [key[:4] for key in fresh] == [key[:4] for key in keys]


def test_keys_of_one_moment_all_differ_in_pieces_of_any_length() -> None:
    n = 120_001
    frame = rows([1_700_000_000 * _SECOND] * n)
    keys = content_keys(frame)
    assert keys.n_unique() == n
    assert keys[n - 2 :].to_list() == content_keys(frame[n - 2 :]).to_list()
    assert len({fresh_key(5) for _ in range(1000)}) == 1000


def test_the_time_of_undated_rows_is_in_no_part_of_the_key() -> None:
    first, later = (
        content_keys(rows([time] * 3, undated=[True] * 3, item_id=["i"] * 3, numbered=[True] * 3))
        for time in (1_700_000_000 * _SECOND, 1_800_000_000 * _SECOND)
    )
    assert first.to_list() == later.to_list()
    assert first.n_unique() == 3


def test_a_number_is_told_by_its_bits() -> None:
    frame = rows([5] * 4, item_id=["i"] * 4, value=[0.0, -0.0, None, 5e-324])
    keys = content_keys(frame).to_list()
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_an_id_makes_the_key_alone() -> None:
    assert id_key("a") == id_key("a") != id_key("b")
    assert len(id_key("a")) == 16


def test_no_rows_have_no_keys() -> None:
    assert content_keys(rows([])).dtype == pl.Binary
    assert len(content_keys(rows([]))) == 0
