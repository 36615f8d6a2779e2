"""A service as its users meet it: several processes that answer as one, whatever ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import penchant
import world
from serve.service.running import Service, alive, eventually, kill
from shelves import filled

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    shelf = filled(tmp_path_factory.mktemp("served") / "shelf")
    with Service(shelf, "--log-format", "json", workers=3) as running:
        yield running


def test_an_event_changes_the_next_answer_at_every_worker(service: Service) -> None:
    for turn in range(20):
        item = f"w{turn % 6 + 1}"
        event = {"user_id": f"new-{turn}", "item_id": item, "event": "click"}
        status, counts = service.ask("/v1/events", event)
        assert (status, counts["new"]) == (200, 1)
        for _ in range(3):
            status, slate = service.ask(f"/v1/recommend/new-{turn}?k=13")
            assert status == 200
            assert item not in {line["item_id"] for line in slate["recommendations"]}


def test_connections_that_come_at_once_spread_over_the_workers(service: Service) -> None:
    connections = [service.connect() for _ in range(32)]
    try:
        for connection in connections:
            assert service.ask("/health/live", connection=connection)[0] == 200
        # Workers say how many they hold once a second; /metrics is a connection of its own.
        held = eventually(lambda: _spread(service, 32))
        assert min(held) >= 7, held
    finally:
        for connection in connections:
            connection.close()


def _spread(service: Service, least: int) -> list[int] | None:
    metrics = service.metrics()
    held = [int(v) for name, v in metrics.items() if name.startswith("penchant_connections")]
    return held if sum(held) >= least else None


def test_metrics_add_up_over_the_workers(service: Service) -> None:
    asked = 'penchant_requests_total{method="GET",route="/v1/status",status="200"}'
    timed = 'penchant_request_seconds_count{route="/v1/status"}'
    before = service.metrics()
    for _ in range(30):
        assert service.ask("/v1/status")[0] == 200
    after = service.metrics()
    assert after[asked] - before.get(asked, 0) == 30
    assert after[timed] - before.get(timed, 0) == 30


def test_what_metrics_promise_is_there(service: Service) -> None:
    service.ask("/v1/recommend/ann?k=3")
    gauges = [f'penchant_memory_bytes{{process="worker-{slot}"}}' for slot in range(3)]
    # They are measured once a second, or every few.
    eventually(lambda: {"penchant_catalogue_items", *gauges} <= set(service.metrics()))
    metrics = service.metrics()
    assert metrics["penchant_catalogue_items"] == len(world.ITEMS)
    assert metrics['penchant_training_state{state="idle"}'] == 1
    assert metrics["penchant_shown_items_distinct"] >= 3
    assert metrics['penchant_stage_seconds_count{stage="gather"}'] >= 1
    assert any(name.startswith("penchant_shown_items_by_source_total") for name in metrics)
    for process in ("worker-0", "worker-1", "worker-2"):
        assert metrics[f'penchant_memory_bytes{{process="{process}"}}'] > 1e7
        assert metrics[f'penchant_log_lag_events{{process="{process}"}}'] >= 0


def test_every_request_is_one_line_without_people(service: Service) -> None:
    status, _ = service.ask("/v1/recommend/a-very-private-name?k=2")
    assert status == 200
    line = eventually(lambda: service.lines("request"))[-1]
    assert {"time", "level", "process", "method", "route", "status", "ms"} <= set(line)
    assert line["request_id"]
    assert "a-very-private-name" not in service.log


def test_a_killed_worker_is_replaced_and_nobody_is_refused_meanwhile(service: Service) -> None:
    before = service.metrics()
    victim = service.workers[0]
    kill(victim)
    refused = 0
    for _ in range(40):
        try:
            assert service.ask("/v1/recommend/ann?k=2")[0] == 200
        except OSError:
            refused += 1  # a connection that the dead one had accepted and not answered
    assert refused <= 1
    fresh = eventually(lambda: len(service.workers) == 3 and service.workers)
    assert victim not in fresh
    eventually(lambda: len([r for r in service.lines("ready") if "worker" in r["process"]]) >= 4)
    # Counters outlive the process that counted.
    name = 'penchant_requests_total{method="GET",route="/v1/status",status="200"}'
    assert service.metrics()[name] >= before[name]


def test_a_killed_background_is_replaced(service: Service) -> None:
    eventually(lambda: service.lines("learning here"))
    victim = service.background
    kill(victim)
    assert service.ask("/v1/status")[0] == 200
    eventually(lambda: service.pids("service.background") not in ([], [victim]))
    eventually(lambda: len(service.lines("learning here")) == 2)


def test_a_graceful_stop_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    service = Service(filled(tmp_path / "shelf"), workers=2)
    acknowledged: list[dict[str, str]] = []
    slates: list[tuple[str, str]] = []
    over = threading.Event()

    def click(name: int) -> None:
        turn = 0
        while not over.is_set():
            key = f"{name}-{turn}"
            event = {"user_id": f"u{name}", "item_id": "w1", "event": "click", "event_id": key}
            try:
                status, _ = service.ask("/v1/events", event)
                if status == 200:
                    acknowledged.append(event)
                status, slate = service.ask(f"/v1/recommend/u{name}?k=3")
                if status == 200:
                    slates.append((slate["slate_id"], slate["recommendations"][0]["item_id"]))
            except OSError:
                return
            turn += 1

    threads = [threading.Thread(target=click, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    pids = [service.process.pid, *service.pids()]
    assert service.stop() == 0
    over.set()
    for thread in threads:
        thread.join()
    assert not any(map(alive, pids))
    assert len(acknowledged) > 20
    with penchant.open(service.shelf) as engine:
        for slate_id, item_id in slates:
            assert engine.explain(slate_id, item_id).sentence
        for event in acknowledged:  # one by one: of many at once, some would be too quick
            assert engine.record(event)["known"] == 1
    assert "ended by force" not in service.log


def test_killing_the_parent_leaves_no_orphan(tmp_path: Path) -> None:
    service = Service(filled(tmp_path / "shelf"), workers=2)
    pids = service.pids()
    assert len(pids) == 3
    kill(service.process.pid)
    service.process.wait(10)
    eventually(lambda: not any(map(alive, pids)), within=20)
    service.stop()


def test_two_services_on_one_directory_are_one(tmp_path: Path) -> None:
    shelf = filled(tmp_path / "shelf")
    with Service(shelf, workers=1) as first, Service(shelf, workers=1) as second:
        eventually(lambda: first.lines("learning here") or second.lines("learning here"))
        learns, waits = (first, second) if first.lines("learning here") else (second, first)
        eventually(lambda: "another service learns in this directory" in waits.log)
        for turn in range(10):
            there, here = (first, second) if turn % 2 else (second, first)
            event = {"user_id": f"both-{turn}", "item_id": "s2", "event": "click"}
            assert there.ask("/v1/events", event)[0] == 200
            _, slate = here.ask(f"/v1/recommend/both-{turn}?k=13")
            assert "s2" not in {line["item_id"] for line in slate["recommendations"]}
        assert waits.ask("/v1/train")[1]["state"] == "idle"
        learns.stop()
        # Who waited takes over.
        eventually(lambda: waits.lines("learning here"))


def test_a_service_that_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    shelf = filled(tmp_path / "shelf")

    def refused(*options: object) -> str:
        service = Service(shelf, *options, wait=False)
        assert service.process.wait(30) == 2, service.log
        assert service.process.stdout is not None
        service.process.stdout.close()
        lines = service.log.strip().splitlines()
        assert len(lines) == 1, lines
        return lines[0]

    assert "there is no key" in refused("--host", "0.0.0.0")
    assert "expected a time like" in refused("--learn-every", "soon")
    assert "workers is 1 or more" in refused("--workers", "0")
    with Service(shelf, workers=1) as service:
        assert "cannot listen" in refused("--port", service.address[1])
    with (shelf / "penchant.toml").open("a") as settings:
        settings.write("\n[service]\nworker = 3\n")
    assert "has no key 'worker'" in refused()


def test_a_service_whose_workers_cannot_begin_gives_up(tmp_path: Path) -> None:
    shelf = filled(tmp_path / "shelf")
    (shelf / "penchant.db").write_bytes(b"no database at all" * 1_000)
    service = Service(shelf, workers=2, wait=False)
    assert service.process.wait(60) == 2
    assert service.process.stdout is not None
    assert service.process.stdout.read() == ""
    service.process.stdout.close()
    last = service.log.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "not a database" in last
    assert not any("again_in" in line for line in service.log.splitlines())
