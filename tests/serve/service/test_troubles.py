"""A service whose ground gives way: the disk, the lock, the directory, the snapshot, a source.

What it answers while it lasts, and that all is well afterwards. Kills are in test_faults.py.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import re
import resource
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import penchant
from learn.release.test_gate import ITEMS, NOW, SETTINGS, clicks
from penchant.serve.http.config import HttpConfig
from penchant.store.open import LOG_FILE, open_store
from penchant.store.snapshots import CURRENT
from serve.http.live import served
from serve.service.running import Service, eventually
from shelves import MUTE, filled, mute

pytestmark = pytest.mark.service

TIMEOUT = 1.5  # seconds for an answer, in the settings of these services
HTTP = f"\n[http]\nrate_loopback = 0\nuser_rate = 0\ntimeout = {TIMEOUT}\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    shelf = filled(tmp_path_factory.mktemp("troubled") / "shelf")
    (shelf / "penchant.toml").write_text(MUTE + HTTP)
    with Service(shelf, workers=2) as running:
        yield running


def event(key: str, user: str = "kim", **rest: object) -> dict[str, object]:
    return {"user_id": user, "item_id": "w1", "event": "click", "event_id": key, **rest}


def sent(service: Service, body: object) -> tuple[int, dict[str, Any], str | None]:
    """Return status, body and Retry-After of an answer to events."""
    connection = service.connect()
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/events", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers["Retry-After"]
    finally:
        connection.close()


def refused(answer: tuple[int, dict[str, Any], str | None]) -> str:
    """Return why, after a look at the form of the problem."""
    status, problem, retry = answer
    assert (status, problem["status"]) == (503, 503)
    assert problem["type"] == "urn:penchant:problem:unavailable"
    assert retry is not None
    assert int(retry) >= 1
    return str(problem["detail"])


def answers(service: Service, user: str = "ann") -> dict[str, Any]:
    status, slate = service.ask(f"/v1/recommend/{user}?k=3")
    assert status == 200, slate
    assert len(slate["recommendations"]) == 3
    return dict(slate)


def counted(service: Service, *bodies: dict[str, object]) -> None:
    """Check that each of these events is in the log, once: sent again, it is known."""
    for body in bodies:
        status, counts = service.ask("/v1/events", body)
        assert (status, counts["new"], counts["known"]) == (200, 0, 1), (body, counts)


def well(service: Service, key: str) -> None:
    """Check that both workers take events in, and answer from them."""
    # The pauses before a process is started again grow with each time that it ended.
    eventually(lambda: len(service.workers) == 2 and _ready(service), within=60)
    body = event(key, user=key, item_id="w2")
    assert service.ask("/v1/events", body)[0] == 200
    for _ in range(4):
        status, slate = service.ask(f"/v1/recommend/{key}?k=13")
        assert status == 200
        assert "w2" not in {line["item_id"] for line in slate["recommendations"]}


# The store is locked


@contextmanager
def turn_held(shelf: Path) -> Iterator[None]:
    """Hold what writers of the log take turns by, as a process of Penchant would."""
    file = os.open((shelf / LOG_FILE).with_suffix(".lock"), os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def transaction_held(shelf: Path) -> Iterator[None]:
    """Hold the lock of the database itself, as somebody with another program would."""
    stranger = sqlite3.connect(shelf / LOG_FILE, isolation_level=None)
    try:
        stranger.execute("BEGIN IMMEDIATE")
        yield
    finally:
        stranger.close()


@pytest.mark.parametrize("held", [turn_held, transaction_held])
def test_a_locked_store_keeps_events_waiting_and_loses_none(
    service: Service, held: Callable[[Path], Any]
) -> None:
    name = held.__name__
    many = [event(f"{name}-{n}", user=f"{name}-{n % 5}") for n in range(60)]
    got: list[tuple[int, dict[str, Any], str | None]] = []

    def send(body: dict[str, object]) -> None:
        got.append(sent(service, body))

    threads = [threading.Thread(target=send, args=(body,)) for body in many]
    began = time.monotonic()
    with held(service.shelf):
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            answers(service)
            assert service.ask("/health/live")[0] == 200
            time.sleep(0.05)
        # More than wait at once: whoever wants to know how things are still hears it.
        assert service.ask("/v1/status")[0] == 200
        assert service.ask("/metrics")[0] == 200
        assert time.monotonic() - began < TIMEOUT + 10
        assert {"no answer within 1.5 s" in refused(answer) for answer in got} == {True}
        late = event(f"{name}-late", user=f"{name}-late")
        patient = threading.Thread(target=send, args=(late,))
        patient.start()
        time.sleep(TIMEOUT / 3)
    patient.join()
    assert got.pop()[0] == 200  # the lock was let go in time
    counted(service, late)
    # A refusal by the clock says: perhaps. Sent again, each is there once.
    for body in many:
        assert service.ask("/v1/events", body)[0] == 200
    counted(service, *many)
    for person in range(5):
        _, export = service.ask(f"/v1/users/{name}-{person}")
        assert len(export["events"]) == len(many) // 5
    well(service, f"after-{name}")


# The disk is full


def limit(service: Service, size: float) -> None:
    """Let no worker write beyond so many bytes of a file, as on a disk that is full."""
    for pid in service.workers:
        most = (resource.RLIM_INFINITY if size < 0 else int(size), resource.RLIM_INFINITY)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, most)


def test_a_full_disk_is_said_and_events_are_taken_again_when_there_is_space(
    service: Service,
) -> None:
    log = service.shelf / f"{LOG_FILE}-wal"
    before = event("before-full")
    assert service.ask("/v1/events", before)[0] == 200
    limit(service, max(1, log.stat().st_size // 4096) * 4096)
    kept, lost = [before], []
    try:
        for n in range(40):
            body = event(f"full-{n}", query="x" * 8_000)
            answer = sent(service, body)
            if answer[0] == 200:
                kept.append(body)
                continue
            assert "stored nothing of this" in refused(answer)
            lost.append(body)
            answers(service)
        assert len(lost) > 10
    finally:
        limit(service, -1)
    counted(service, *kept)
    for body in lost:  # what was refused so is not there
        status, counts = service.ask("/v1/events", body)
        assert (status, counts["new"]) == (200, 1)
    counted(service, *lost)
    well(service, "after-full")


# The directory is gone


def test_a_directory_that_is_gone_and_back_has_all_that_was_acknowledged(
    service: Service,
) -> None:
    before = event("before-gone")
    assert service.ask("/v1/events", before)[0] == 200
    away = service.shelf.with_name("away")
    kept = [before]
    service.shelf.rename(away)
    try:
        for n in range(30):
            body = event(f"gone-{n}")
            status, problem, _ = sent(service, body)
            assert status in (200, 503), problem
            kept += [body] * (status == 200)
            status, slate = service.ask("/v1/recommend/ann?k=3")
            assert status in (200, 503), slate
            assert service.ask("/health/live")[0] == 200
        assert service.ask("/v1/train")[0] in (200, 503)
        assert service.ask("/v1/train", {}, "POST")[0] == 503
        # Nobody may begin another shelf in its place.
        assert not service.shelf.exists()
    finally:
        away.rename(service.shelf)
    counted(service, *kept)
    well(service, "after-gone")


def test_a_worker_that_begins_while_the_directory_is_gone_makes_no_other(
    service: Service,
) -> None:
    away = service.shelf.with_name("away")
    ready, learning = len(service.lines("ready")), len(service.lines("learning here"))
    service.shelf.rename(away)
    try:
        victims = service.workers
        for pid in [*victims, service.background]:
            os.kill(pid, 9)
        eventually(lambda: "is gone" in service.log)
        assert not service.shelf.exists()
    finally:
        away.rename(service.shelf)
    eventually(lambda: len(service.workers) == 2 and set(service.workers).isdisjoint(victims))
    eventually(lambda: _ready(service))
    # All three of them: who is still opening the directory is no part of the next test.
    eventually(lambda: len(service.lines("ready")) >= ready + 3)
    eventually(lambda: len(service.lines("learning here")) > learning)
    well(service, "after-restart")


def test_an_empty_directory_in_its_place_is_not_taken_for_the_shelf(service: Service) -> None:
    """As when the disk of a shelf is no longer mounted."""
    before = event("before-empty")
    assert service.ask("/v1/events", before)[0] == 200
    away = service.shelf.with_name("away")
    kept = [before]
    service.shelf.rename(away)
    service.shelf.mkdir()
    try:
        many = [event(f"empty-{n}", user=f"empty-{n}") for n in range(60)]
        got: dict[str, int] = {}

        def send(body: dict[str, object]) -> None:  # from threads that must connect afresh too
            got[str(body["event_id"])] = sent(service, body)[0]
            assert service.ask(f"/v1/recommend/{body['user_id']}?k=3")[0] in (200, 503)

        threads = [threading.Thread(target=send, args=(body,)) for body in many]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(got.values()) <= {200, 503}
        assert len(got) == len(many)
        kept += [body for body in many if got[str(body["event_id"])] == 200]
        assert not (service.shelf / LOG_FILE).exists()
    finally:
        shutil.rmtree(service.shelf)
        away.rename(service.shelf)
    counted(service, *kept)
    well(service, "after-empty")


def _ready(service: Service) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return service.ask("/health/ready")[0] == 200
    return False


# A snapshot is spoilt


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shelf with two snapshots; the newer one is current."""
    shelf = mute(tmp_path_factory.mktemp("learned") / "shelf", SETTINGS + "threads = 1\n" + HTTP)
    with penchant.open(shelf, effort="fast") as engine:
        engine.add([{"item_id": f"i{n}", "title": f"Thing {n}"} for n in range(ITEMS)])
        engine.record(clicks("u", seed=1), now=NOW)
        engine.train()
    with open_store(shelf) as store:
        first = store.snapshots.current()
        assert first is not None
        folder = store.snapshots.begin()
        shutil.copytree(first.folder, folder, dirs_exist_ok=True)
        summary = {k: v for k, v in first.manifest.items() if k not in ("files", "parent")}
        store.snapshots.publish(folder, summary)
    return shelf


@pytest.fixture
def shelf(learned: Path, tmp_path: Path) -> Path:
    """A copy of `learned` to spoil."""
    return Path(shutil.copytree(learned, tmp_path / "shelf"))


def missing(folder: Path) -> None:
    shutil.rmtree(folder)


def truncated(folder: Path) -> None:
    os.truncate(_largest(folder), 100)


def tampered(folder: Path) -> None:
    """Change one byte of an array, where it is."""
    with _largest(folder).open("r+b") as file:
        file.seek(-8, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def _largest(folder: Path) -> Path:
    return max(folder.glob("*.npy"), key=lambda path: path.stat().st_size)


def snapshots(shelf: Path) -> tuple[str, str]:
    """Return the ids of the snapshot before the current one, and of that."""
    with open_store(shelf, read_only=True) as store:
        older, newer = store.snapshots.list()
        assert store.snapshots.named == newer
    return older, newer


def warned(service: Service) -> str:
    status, said = service.ask("/v1/status")
    return "\n".join(said["warnings"]) if status == 200 else ""


@pytest.mark.parametrize("spoil", [missing, truncated, tampered])
def test_a_snapshot_that_is_spoilt_at_the_start_is_replaced_by_the_one_before(
    shelf: Path, spoil: Callable[[Path], None]
) -> None:
    older, newer = snapshots(shelf)
    spoil(shelf / "snapshots" / newer)
    with Service(shelf, "--effort", "fast", workers=1) as service:
        assert answers(service, "u1")["snapshot"] == older
        assert f"{newer} cannot be used; {older} answers in its place" in warned(service)
        spoil(shelf / "snapshots" / older)
        eventually(lambda: older in warned(service))


def test_a_snapshot_that_is_spoilt_while_it_answers_is_said_and_answers_go_on(
    shelf: Path,
) -> None:
    older, newer = snapshots(shelf)
    folder = shelf / "snapshots" / newer
    safe = shutil.copytree(folder, shelf.parent / "safe")
    with Service(shelf, "--effort", "fast", workers=2) as service:
        for spoil in (tampered, missing):
            spoil(folder)
            eventually(lambda: f"snapshot {newer}, which answers, are missing" in warned(service))
            assert answers(service, "u1")["snapshot"] == newer
            status, problem = service.ask(f"/v1/snapshots/{newer}:activate", {}, "POST")
            assert (status, "no sound snapshot" in problem["detail"]) == (404, True)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(safe, folder)
        # Without a pointer the one that was loaded goes on.
        pointer = shelf / "snapshots" / CURRENT
        pointer.unlink()
        eventually(lambda: "names none" in warned(service))
        for person in range(20):
            assert answers(service, f"u{person}")["snapshot"] == newer
        assert service.ask(f"/v1/snapshots/{older}:activate", {}, "POST")[0] == 200
        eventually(lambda: answers(service, "u1")["snapshot"] == older)
        # What is mapped into memory and cut off ends who reads it; the next takes the one before.
        truncated(shelf / "snapshots" / older)
        eventually(lambda: _goes_on(service, older, newer), within=60)


def _goes_on(service: Service, spoilt: str, sound: str) -> bool:
    """Return whether every worker has left the spoilt one; requests may be cut off meanwhile."""
    with suppress(OSError, http.client.HTTPException):
        found = {service.ask(f"/v1/recommend/u{n}?k=3")[1]["snapshot"] for n in range(10)}
        return found <= {spoilt, sound} and spoilt in warned(service)
    return False


# A source hangs, or raises


def test_a_source_that_hangs_costs_one_request_and_is_told(tmp_path: Path) -> None:
    settings = HttpConfig(rate=0, rate_loopback=0, user_rate=0, timeout=TIMEOUT)
    let, asked = threading.Event(), threading.Event()
    with penchant.open(filled(tmp_path / "shelf")) as engine:
        source = engine._replica.follow().pipeline.recall.sources[0]
        score = type(source).score

        def hangs(*given: Any) -> Any:
            asked.set()
            assert let.wait(60)
            return score(source, *given)

        with served(engine, settings) as live, live.client() as client:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(source, "score", hangs)
                answer = client.get("/v1/recommend/ann?k=3")
                assert asked.is_set()
                assert answer.status_code == 503
                assert "no answer within 1.5 s" in answer.json()["detail"]
                assert answer.headers["Retry-After"]
                for person in ("bob", "ann", "kim"):
                    answer = client.get(f"/v1/recommend/{person}?k=3")
                    assert answer.status_code == 200
                    assert len(answer.json()["recommendations"]) == 3
                assert _skipped(client.get("/metrics").text, source.name, "hangs") == 3
                assert f"'{source.name}': 'hangs: skipped'" in _why(
                    client, answer.json()["slate_id"]
                )
                let.set()

            def asked_again() -> bool:
                before = _skipped(client.get("/metrics").text, source.name, "hangs")
                assert client.get("/v1/recommend/bob?k=3").status_code == 200
                return _skipped(client.get("/metrics").text, source.name, "hangs") == before

            eventually(asked_again)  # once the one that was stuck has come back


def test_a_source_that_raises_costs_its_own_part_and_is_told(tmp_path: Path) -> None:
    def raises(*_: object) -> None:
        raise RuntimeError("on purpose")

    with penchant.open(filled(tmp_path / "shelf")) as engine:
        source = engine._replica.follow().pipeline.recall.sources[0]
        with served(engine) as live, live.client() as client:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(source, "score", raises)
                for person in ("bob", "ann", "kim"):
                    answer = client.get(f"/v1/recommend/{person}?k=3")
                    assert answer.status_code == 200
                    assert len(answer.json()["recommendations"]) == 3
            assert _skipped(client.get("/metrics").text, source.name, "failed") == 3
            assert "RuntimeError" in _why(client, answer.json()["slate_id"])


def _skipped(metrics: str, source: str, reason: str) -> float:
    name = f'penchant_source_skipped_total{{reason="{reason}",source="{source}"}}'
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(name))


def _why(client: Any, slate: str) -> str:
    found = client.get(f"/v1/slates/{slate}/reasons")
    assert found.status_code == 200
    return str(found.json()["explanations"])


# The page


PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"


def test_the_page_names_tests_that_there_are_and_every_one_of_these() -> None:
    root = PAGE.parents[1]
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8")))
    assert len(named) > 60
    for path, name in sorted(named):
        found = (root / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", found, re.MULTILINE), f"{path}::{name}"
    here = str(Path(__file__).relative_to(root))
    mine = set(re.findall(r"^def (test_\w+)\(", Path(__file__).read_text(), re.MULTILINE))
    mine.discard("test_the_page_names_tests_that_there_are_and_every_one_of_these")
    assert mine <= {name for path, name in named if path == here}
