"""Files and frames of every kind become one table; what cannot be read says why."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from penchant.ingest.tables import read_table
from penchant.types import Event, InvalidInput, Item

FRAME = pl.DataFrame(
    {"user_id": ["007", "é 😀"], "item_id": ["a,b", 'say "x"'], "value": [1.5, 2.0]}
)


def write(path: Path, frame: pl.DataFrame = FRAME) -> Path:
    match path.suffix:
        case ".csv":
            frame.write_csv(path)
        case ".tsv":
            frame.write_csv(path, separator="\t")
        case ".jsonl" | ".ndjson":
            frame.write_ndjson(path)
        case ".parquet":
            frame.write_parquet(path)
        case ".arrow" | ".feather":
            frame.write_ipc(path)
    return path


@pytest.mark.parametrize(
    "suffix", [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather"]
)
def test_a_file_keeps_its_ids_as_they_are(tmp_path: Path, suffix: str) -> None:
    # A name with the characters of a glob is a name.
    table = read_table(write(tmp_path / f"events[1]*{suffix}"), "events")
    assert table.frame is not None
    assert table.frame["user_id"].to_list() == ["007", "é 😀"]
    assert table.frame["item_id"].to_list() == ["a,b", 'say "x"']
    assert [float(v) for v in table.frame["value"]] == [1.5, 2.0]


def test_a_packed_file_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    packed = tmp_path / "events.CSV.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbfuser_id,item_id\n01,x\n"))
    table = read_table(str(packed), "events")
    assert table.frame is not None
    assert table.frame.rows() == [("01", "x")]
    assert table.frame.columns == ["user_id", "item_id"]


def test_recbole_and_movielens_files_are_read(tmp_path: Path) -> None:
    inter = tmp_path / "ml.inter"
    inter.write_text('user_id:token\titem_id:token\n1\t"quoted\n')
    table = read_table(inter, "events")
    assert table.frame is not None
    assert table.frame.rows() == [("1", '"quoted')]
    ratings = tmp_path / "ratings.dat"
    ratings.write_text("1::1193::5::978300760\n1::661::3::978302109\n")
    table = read_table(ratings, "events")
    assert table.frame is not None
    assert table.frame.columns == ["user_id", "item_id", "rating", "timestamp"]
    movies = tmp_path / "movies.dat"
    movies.write_bytes("1::Amélie (2001)::Comedy|Romance\n".encode("latin-1"))
    table = read_table(movies, "items")
    assert table.frame is not None
    assert table.frame["title"][0] == "Amélie (2001)"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"user_id,item_id\n", "found only"),
        ("a.csv", b"user_id\n\xff\xfe\n", "UTF-8"),
        ("a.csv", b"user_id,item_id\n1,2,3\n", "more fields"),
        ("a.parquet", b"PAR1 this is none", "parquet"),
        ("a.jsonl", b'{"user_id": 1}\n{"user', "line 2"),
        ("a.jsonl", b'[{"user_id": 1}]\n', "an object a line"),
        ("a.csv.gz", b"not packed", "reading it failed"),
        ("a.xlsx", b"PK", "convert it"),
        ("notes.dat", b"1::2\n", "MovieLens"),
        ("ratings.dat", b"1::2::3\n", "line 1 has 3"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        read_table(path, "events")


def test_what_is_no_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="found nothing"):
        read_table(tmp_path / "no.csv", "events")
    with pytest.raises(InvalidInput, match="directory"):
        read_table(tmp_path, "events")
    with pytest.raises(InvalidInput, match="expected a file"):
        read_table("a\0b.csv", "events")
    with pytest.raises(InvalidInput, match="lazy frame"):
        read_table(pl.scan_csv(tmp_path / "no.csv"), "events")


def test_lines_of_mixed_types_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"user_id": 1, "x": [1]}\n\n{"user_id": "b", "x": {"y": 2}}\n')
    table = read_table(path, "events")
    assert table.frame is not None
    assert table.frame.to_dict(as_series=False) == {
        "user_id": ["1", "b"],
        "x": ["[1]", '{"y": 2}'],
    }


@pytest.mark.parametrize("kind", ["lazy", "arrow", "pandas", "pandas-objects", "capsule"])
def test_frames_of_other_libraries_are_taken(kind: str) -> None:
    class Capsule:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return FRAME.__arrow_c_stream__(requested_schema)

    source = {
        "lazy": lambda: FRAME.lazy(),
        "arrow": lambda: pa.table(FRAME.to_dict(as_series=False)),
        "pandas": lambda: pd.DataFrame(FRAME.to_dict(as_series=False)),
        "pandas-objects": lambda: pd.DataFrame(FRAME.to_dict(as_series=False), dtype=object),
        "capsule": Capsule,
    }[kind]()
    table = read_table(source, "events")
    assert table.frame is not None
    assert table.frame.rows() == FRAME.rows()


def test_missing_values_of_pandas_are_missing() -> None:
    source = pd.DataFrame({"user_id": ["a", None], "value": [1.0, float("nan")]})
    table = read_table(source, "events")
    assert table.frame is not None
    assert table.frame.rows() == [("a", 1.0), (None, None)]


def test_objects_stay_objects_and_strangers_are_refused() -> None:
    assert read_table(Event("u", "i"), "events").objects == (Event("u", "i"),)
    assert len(read_table(({"user_id": str(i)} for i in range(3)), "events")) == 3
    with pytest.raises(InvalidInput, match="Item at position 1"):
        read_table([Event("u", "i"), Item("i")], "events")
    with pytest.raises(InvalidInput, match="text as keys"):
        read_table([{1: 2}], "events")
    for stranger in (5, None, b"bytes"):
        with pytest.raises(InvalidInput, match="expected events as a path"):
            read_table(stranger, "events")


def test_pandas_is_never_imported_by_us(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv")
    code = (
        "import sys; from penchant.ingest.tables import read_table; "
        f"read_table({str(path)!r}, 'events'); read_table([{{'user_id': 1}}], 'events'); "
        "print('pandas' in sys.modules, 'pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
