"""Snapshots: published whole or not at all, refused when damaged, rolled back at will."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from penchant.store.faults import StoreError
from penchant.store.snapshots import SnapshotDamaged, Snapshots


def publish(snapshots: Snapshots, value: float = 1.0, **summary: object) -> str:
    folder = snapshots.begin()
    np.save(folder / "weights.npy", np.full((3, 2), value, dtype=np.float32))
    (folder / "names.json").write_text(json.dumps(["a", "é"]), encoding="utf-8")
    (folder / "inner").mkdir()
    (folder / "inner" / "model.onnx").write_bytes(b"\x00\x01")
    return snapshots.publish(folder, summary)


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "snapshots")


def test_what_was_published_is_read_back(snapshots: Snapshots) -> None:
    assert snapshots.current() is None
    assert snapshots.list() == []
    identity = publish(snapshots, metrics={"ndcg": 0.1}, created=12.5)
    current = snapshots.current()
    assert current is not None
    assert current.id == identity
    assert snapshots.list() == [identity]
    array = current.array("weights")
    assert isinstance(array, np.memmap)
    assert array.tolist() == [[1, 1]] * 3
    assert current.array("weights.npy").dtype == np.float32
    assert current.json("names") == current.json("names.json") == ["a", "é"]
    assert current.path("inner/model.onnx").read_bytes() == b"\x00\x01"
    assert current.has("names.json")
    assert not current.has("other.json")
    assert (current.manifest["created"], current.manifest["parent"]) == (12.5, None)
    assert current.manifest["metrics"] == {"ndcg": 0.1}
    assert snapshots.warnings == []


def test_each_knows_the_one_before_and_the_newest_is_current(snapshots: Snapshots) -> None:
    first, second = publish(snapshots, 1), publish(snapshots, 2)
    current = snapshots.current()
    assert current is not None
    assert (current.id, current.manifest["parent"]) == (second, first)
    assert snapshots.list() == [first, second]
    snapshots.activate(first)  # roll-back
    assert snapshots.current().array("weights")[0, 0] == 1  # type: ignore[union-attr]
    snapshots.activate(second)  # and forward again
    assert snapshots.current().id == second  # type: ignore[union-attr]
    with pytest.raises(StoreError, match="there is no snapshot 'x'"):
        snapshots.activate("x")


def test_a_file_that_is_not_there_is_named(snapshots: Snapshots) -> None:
    publish(snapshots)
    current = snapshots.current()
    assert current is not None
    with pytest.raises(StoreError, match=r"no file 'other.npy'; it has \['inner/model.onnx'"):
        current.array("other")
    with pytest.raises(StoreError, match="no file"):
        current.path("../current")


def test_nothing_is_ever_unpickled(snapshots: Snapshots, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "exploded"),)

    folder = snapshots.begin()
    np.save(folder / "objects.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    (folder / "pickled.npy").write_bytes(pickle.dumps(Bomb()))
    snapshots.publish(folder, {})
    current = snapshots.current()
    assert current is not None
    for name in ("objects", "pickled"):
        with pytest.raises(SnapshotDamaged, match="not an array of numbers"):
            current.array(name)
    assert not (tmp_path / "exploded").exists()


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: _flip(folder / "weights.npy"),
        lambda folder: _flip(folder / "inner" / "model.onnx"),
        lambda folder: (folder / "weights.npy").unlink(),
        lambda folder: (folder / "weights.npy").write_bytes(b""),
        lambda folder: os.truncate(folder / "weights.npy", 100),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("{"),
        lambda folder: (folder / "manifest.json").write_text("[]"),
        lambda folder: _flip(folder / "manifest.json"),
    ],
)
def test_a_damaged_snapshot_is_refused_and_the_one_before_answers(
    tmp_path: Path, damage: object
) -> None:
    snapshots = Snapshots(tmp_path / "s")
    oldest, good, bad = (publish(snapshots, k) for k in range(3))
    damage(tmp_path / "s" / bad)  # type: ignore[operator]
    fresh = Snapshots(tmp_path / "s")
    with pytest.raises(SnapshotDamaged):
        fresh.open(bad)
    with pytest.raises(SnapshotDamaged):
        fresh.activate(bad)
    current = fresh.current()
    assert current is not None
    assert current.id == good
    assert any(bad in warning for warning in fresh.warnings)
    assert any(f"{good} answers in its place" in warning for warning in fresh.warnings)
    assert fresh.list() == [oldest, good, bad]


def test_what_changes_after_it_was_opened_is_noticed(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "s")
    identity = publish(snapshots)
    assert snapshots.spoilt(identity) is None  # nobody has it open
    snapshots.open(identity)
    assert snapshots.spoilt(identity) is None
    _flip(tmp_path / "s" / identity / "weights.npy")
    assert f"snapshot {identity}, which answers, are missing or" in str(snapshots.spoilt(identity))
    with pytest.raises(SnapshotDamaged):
        snapshots.open(identity)
    _flip(tmp_path / "s" / identity / "weights.npy")
    snapshots.open(identity)  # as it was
    assert snapshots.spoilt(identity) is None


def test_tampering_with_a_file_and_its_checksum_is_noticed(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "s")
    identity = publish(snapshots)
    folder = tmp_path / "s" / identity
    _flip(folder / "weights.npy")
    import hashlib

    manifest = json.loads((folder / "manifest.json").read_text())
    checksum = hashlib.sha256((folder / "weights.npy").read_bytes()).hexdigest()
    manifest["files"]["weights.npy"] = checksum
    (folder / "manifest.json").write_text(json.dumps(manifest))
    fresh = Snapshots(tmp_path / "s")
    with pytest.raises(SnapshotDamaged, match=r"manifest .* was changed"):
        fresh.open(identity)
    assert fresh.current() is None
    assert "answering as before any training" in fresh.warnings[-1]


def test_a_pointer_to_nowhere_falls_back(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "s")
    identity = publish(snapshots)
    (tmp_path / "s" / "current").write_text("000009-nothing\n")
    assert snapshots.current().id == identity  # type: ignore[union-attr]
    (tmp_path / "s" / "current").write_text("")
    assert snapshots.current() is None
    assert "names none of the snapshots there" in snapshots.warnings[-1]


def test_a_half_written_folder_is_never_seen(snapshots: Snapshots) -> None:
    identity = publish(snapshots)
    folder = snapshots.begin()
    np.save(folder / "weights.npy", np.zeros(3))
    assert snapshots.list() == [identity]
    assert snapshots.current().id == identity  # type: ignore[union-attr]
    with pytest.raises(StoreError, match="expected a folder that begin"):
        snapshots.publish(folder.parent / identity / "inner", {})


def test_a_summary_that_is_not_json_publishes_nothing(snapshots: Snapshots) -> None:
    with pytest.raises(StoreError, match="not JSON serializable"):
        publish(snapshots, metrics={1, 2})
    assert snapshots.list() == []
    assert snapshots.current() is None


def test_prune_keeps_the_newest_and_the_current(snapshots: Snapshots) -> None:
    names = [publish(snapshots, k) for k in range(5)]
    snapshots.activate(names[0])
    opened = snapshots.open(names[1]).array("weights")
    assert snapshots.prune(keep=2) == names[1:3]
    assert snapshots.list() == [names[0], *names[3:]]
    assert opened[0, 0] == 1  # who has it open goes on reading it
    assert snapshots.prune(keep=0) == names[3:]
    assert snapshots.current().id == names[0]  # type: ignore[union-attr]
    assert publish(snapshots).startswith("000002-")


def test_prune_clears_what_a_dead_process_began(snapshots: Snapshots) -> None:
    mine = snapshots.begin()
    code = (
        "import sys; from pathlib import Path; from penchant.store.snapshots import Snapshots;"
        "print(Snapshots(Path(sys.argv[1])).begin())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(snapshots.directory)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs = Path(done.stdout.strip())
    assert theirs.is_dir()
    snapshots.prune(keep=3)
    assert mine.is_dir()
    assert not theirs.exists()


def test_publishing_at_once_from_several_threads_gives_distinct_ids(tmp_path: Path) -> None:
    names: list[str] = []

    def work(k: int) -> None:
        names.append(publish(Snapshots(tmp_path / "s"), k))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == Snapshots(tmp_path / "s").list()
    assert sorted(int(name[:6]) for name in names) == [1, 2, 3, 4, 5, 6]


def test_opened_to_read_nothing_is_written(tmp_path: Path) -> None:
    publish(Snapshots(tmp_path / "s"))
    reader = Snapshots(tmp_path / "s", read_only=True)
    assert reader.current() is not None
    for call in (reader.begin, lambda: reader.prune(1), lambda: reader.activate("x")):
        with pytest.raises(StoreError, match="opened to read"):
            call()
    assert Snapshots(tmp_path / "none", read_only=True).list() == []
    assert not (tmp_path / "none").exists()
