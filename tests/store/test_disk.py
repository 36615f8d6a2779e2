"""Disks that are full, limited or read-only, and what is left on them."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from penchant.store.faults import StoreError, StoreFull, StoreReadOnly
from penchant.store.open import Store, open_store
from penchant.types import Error
from store.frames import events
from store.test_database import in_child


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as store:
        yield store


def test_a_full_disk_is_a_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    if mounted:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True
        )
        mounted = done.returncode == 0
    if not mounted:
        pytest.skip("a small file system can only be mounted by root")
    try:
        _fill_up(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill_up(folder: Path) -> None:
    text = "x" * 20_000
    (folder / "ballast").write_bytes(b"x" * 4_000_000)
    with open_store(folder / "s") as store:
        kept = 0

        def record() -> None:
            nonlocal kept
            for k in range(1000):
                row = {"user_id": "u", "text": text, "event_id": str(k), "timestamp": k}
                store.log.append(events(row))
                kept = k + 1

        with pytest.raises(StoreFull, match="nothing of this batch was stored") as caught:
            record()
        assert isinstance(caught.value, Error)
        assert kept > 10
        # Reading goes on, everything acknowledged is there, and nothing else.
        assert len(store.log.history(0, 10**6, 1e9)) == kept
        with pytest.raises(StoreFull):
            store.snapshots.publish(_big(store.snapshots.begin()), {})
        assert store.snapshots.current() is None
    (folder / "ballast").unlink()
    with open_store(folder / "s") as store:
        assert len(store.log.scan(0, 10**6)) == kept
        # As the message advises: free space, then repeat.
        row = {"user_id": "u", "text": text, "event_id": str(kept), "timestamp": kept}
        assert store.log.append(events(row)).new == 1


def _big(folder: Path) -> Path:
    try:
        (folder / "big.bin").write_bytes(b"x" * 4_000_000)
    except OSError:
        # The learner would have failed here; publish what got written, which must fail too.
        (folder / "big.bin").unlink()
        for k in range(100_000):
            try:
                (folder / f"{k}.bin").write_bytes(b"x" * 4096)
            except OSError:
                break
    return folder


def _limited(directory: str, queue: object) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    kept = 0
    try:
        with open_store(directory) as store:
            for k in range(1000):
                store.log.append(events({"user_id": "u", "text": "x" * 9000, "event_id": str(k)}))
                kept = k + 1
    except StoreError as error:
        queue.put((kept, type(error).__name__, str(error)))  # type: ignore[attr-defined]


def test_a_limit_of_file_size_is_a_clear_error(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_limited, args=(str(tmp_path / "s"), queue))
    process.start()
    kept, name, text = queue.get(timeout=60)
    process.join()
    assert name == "StoreFull"
    assert "nothing of this batch was stored" in text
    with open_store(tmp_path / "s") as store:
        assert len(store.log.scan(0, 10**6)) == kept


@pytest.fixture
def open_folder() -> Path:
    """A folder that others than its owner may enter; pytest's own may not be."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _as_nobody(work: object) -> int:
    """Run `work` in a child without the rights of root, for whom no directory is read-only."""

    def unprivileged() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        work()  # type: ignore[operator]

    return in_child(unprivileged)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_read_only_directory(open_folder: Path) -> None:
    place = open_folder / "s"
    with open_store(place) as store:
        store.log.append(events(("u", "i", 1)))
    for path in [place, *place.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)

    def work() -> None:
        with pytest.raises(StoreReadOnly, match=r"can only be read.*read_only=True"):
            open_store(place)
        # To read it, no right to write is needed: all of it is in the one file.
        with open_store(place, read_only=True) as store:
            assert store.log.history(0, 9, 9).times.tolist() == [1]
            assert store.snapshots.current() is None
        with pytest.raises(StoreError, match="cannot be created"):
            open_store(place / "new")

    assert _as_nobody(work) == 0
    place.chmod(0o700)
    if os.geteuid() == 0:

        def shut_out() -> None:
            with pytest.raises(StoreError, match="cannot be read"):
                open_store(place, read_only=True)

        assert _as_nobody(shut_out) == 0
    place.chmod(0o755)


def test_the_write_ahead_log_does_not_grow_for_ever(store: Store) -> None:
    text = "x" * 50_000
    for k in range(300):
        store.log.append(events({"user_id": "u", "text": text, "event_id": str(k)}))
        store.log.history(0, 3, 9)
    assert (store.directory / "penchant.db-wal").stat().st_size < 12_000_000


def test_forgotten_text_is_not_left_in_the_files(store: Store) -> None:
    secret = "a very private wish 4711"
    for k in range(50):
        row = {"user_id": f"u{k % 2}", "text": secret + "x" * 3000 * (k % 2), "event_id": str(k)}
        store.log.append(events(row))
    for user in (0, 1):
        store.log.retract(user=user)
    for path in store.directory.iterdir():
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path.name
