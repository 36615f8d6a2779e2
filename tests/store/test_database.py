"""Where bytes live when things go wrong: forks, kills, full disks, strange places."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from penchant.store.database import Database
from penchant.store.faults import (
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreReadOnly,
)
from penchant.store.lock import FileLock
from penchant.store.open import Store, open_store
from penchant.store.place import file_system, prepare
from penchant.store.tail import Position
from store.frames import events


@pytest.fixture
def store(tmp_path: Path) -> Store:
    with open_store(tmp_path / "store") as store:
        yield store


def in_child(work: object) -> int:
    """Run `work` in a forked child and return its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()  # type: ignore[operator]
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_use_after_a_fork_is_refused(store: Store, tmp_path: Path) -> None:
    store.log.append(events(("u", "i", 1)))
    # Made here: threads of polars itself do not outlive a fork.
    frame = events(("u", "i", 2))

    def work() -> None:
        for call in (
            lambda: store.log.append(frame),
            lambda: store.log.history(0, 1, 9),
            lambda: store.moved(),
            lambda: store.tail(Position()),
            lambda: store.impressions.get("s"),
        ):
            with pytest.raises(StoreClosed, match="forked"):
                call()
        store.close()  # harmless: it is the parent's
        with open_store(tmp_path / "store") as own:
            assert own.log.history(0, 9, 9).times.tolist() == [1]
            assert own.log.retract(event_id="never") == 0

    assert in_child(work) == 0
    store.log.append(events(("u", "i", 4)))
    assert store.log.scan(0, 9).times.tolist() == [1, 4]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with lock.held():
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    try:
        other = FileLock(tmp_path / "lock")
        with lock.held():
            pass
        lock.close()
        got = threading.Event()

        def take() -> None:
            with other.held():
                got.set()

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        assert got.wait(10)
        thread.join()
        other.close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


_APPEND = """
import sys
sys.path.insert(0, sys.argv[2])
from store.frames import events
from penchant.store.open import open_store
store = open_store(sys.argv[1])
for k in range(100_000):
    store.log.append(events((f"u{k % 7}", f"i{k % 5}", k, "click", str(k)), ("both", "x", k)))
    print(k, flush=True)
"""


def test_acknowledged_events_survive_kill_9(tmp_path: Path) -> None:
    for delay in (0.0, 0.05, 0.2):
        process = subprocess.Popen(
            [sys.executable, "-c", _APPEND, str(tmp_path / "s"), str(Path(__file__).parents[1])],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.kill()
        rest = process.stdout.read().split()
        process.stdout.close()
        process.wait()
        acknowledged = int(rest[-1]) if rest else 0
        with open_store(tmp_path / "s") as store:
            log = store.log.scan(0, 10**6)
            singles = log.times[log.users != store.people.numbers(["both"])[0]]
            kept = sorted(set(singles.tolist()))
            # Whole batches, none lost that was acknowledged, at most one that was not yet.
            assert kept == list(range(len(kept)))
            assert len(kept) in (acknowledged + 1, acknowledged + 2) or delay > 0
            assert len(kept) >= acknowledged + 1
            assert len(log) % 2 == 0
            assert len(singles) == len(kept)


def test_files_that_are_no_store_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="is a file, or lies in one; a store is a directory"):
        open_store(tmp_path / "file")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "penchant.db").write_text("this is a text and no database " * 50)
    with pytest.raises(StoreDamaged, match="not a database"):
        open_store(tmp_path / "s")
    assert (tmp_path / "s" / "penchant.db").read_text().startswith("this is a text")


def test_nothing_is_made_where_one_only_wants_to_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        open_store(tmp_path / "none", read_only=True)
    assert not (tmp_path / "none").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="is not a store yet"):
        open_store(tmp_path / "empty", read_only=True)
    assert list((tmp_path / "empty").iterdir()) == []


def test_urls_that_cannot_be_followed(tmp_path: Path) -> None:
    for url, complaint in (
        ("mysql://somewhere/db", "sqlite or postgresql"),
        ("no url", "expected the URL"),
        ("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2", "failed"),
    ):
        with pytest.raises(StoreError, match=complaint):
            open_store(tmp_path / "s", url)


def test_passwords_are_not_in_messages(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path / "s", "postgresql://me:s3cret@127.0.0.1:1/x?connect_timeout=2")
    assert "s3cret" not in str(caught.value)


def test_network_file_systems_are_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    place = (tmp_path / "my share").resolve()
    escaped = str(place).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\n")
    assert file_system(place / "deep", mounts) == "nfs4"
    assert file_system(Path(f"{place}er"), mounts) == "ext4"
    with pytest.raises(StoreError, match=r"network file system \(nfs4\).*PostgreSQL"):
        prepare(place, read_only=False, local=True, mounts=mounts)
    prepare(place, read_only=False, local=False, mounts=mounts)  # only snapshots lie there
    mounts.write_text(f"server:/x {escaped} nfs4 rw 0 0\n/dev/sdb {escaped} xfs rw 0 0\n")
    prepare(place, read_only=False, local=True, mounts=mounts)  # mounted over it since
    assert file_system(place, tmp_path / "missing") is None


def test_many_threads_come_and_go_without_leaving_connections(store: Store) -> None:
    store.log.append(events(("u", "i", 1)))
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for _ in range(60):
        thread = threading.Thread(target=lambda: store.log.history(0, 1, 9))
        thread.start()
        thread.join()
    store.log.history(0, 1, 9)
    assert len(store.databases[0]._connections) <= 3
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before + 9


def test_a_program_that_does_not_close_still_ends_and_keeps_what_it_showed(tmp_path: Path) -> None:
    code = """
import sys
sys.path.insert(0, sys.argv[2])
from conformance.test_impressions import shown
from penchant.store.open import open_store
store = open_store(sys.argv[1])
for k in range(50):
    store.impressions.add(shown(f"s{k}"))
"""
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s"), str(Path(__file__).parents[1])],
        check=True, timeout=60,
    )  # fmt: skip
    with open_store(tmp_path / "s") as store:
        assert len(store.impressions) == 50


def test_opening_many_times_at_once_makes_one_store(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with open_store(tmp_path / "s") as store:
                store.log.append(events((threading.current_thread().name, "i", 1)))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with open_store(tmp_path / "s") as store:
        assert len(store.log.scan(0, 99)) == 8


def test_the_file_of_a_database_is_known(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    assert database.file == tmp_path / "x.db"
    database.close()
    with pytest.raises(StoreReadOnly, match="opened to read"):
        Database(f"sqlite:///{tmp_path}/x.db", read_only=True).write(lambda connection: None)
