"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from penchant.store.durable import checksum, replaced


def test_a_file_takes_the_place_of_another_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    with path.open("rb") as reading, replaced(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
        file.write(b", all of it")
        assert reading.read() == b"old"
    assert path.read_bytes() == b"new, all of it"
    assert (
        checksum(path)
        == checksum(path, synced=True)
        == hashlib.sha256(b"new, all of it").hexdigest()
    )
    assert [*tmp_path.iterdir()] == [path]


def test_where_anything_is_raised_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")

    def broken() -> None:
        with replaced(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]
    with pytest.raises(FileNotFoundError), replaced(tmp_path / "none" / "state.json"):
        pass
