"""The client and a whole service: several workers, one of them killed, and a training."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import penchant
from penchant.serve.client import Client
from penchant.types import Event
from serve.service.running import Service
from shelves import filled, ids

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(filled(tmp_path_factory.mktemp("served") / "shelf"), workers=2) as running:
        yield running


def address(service: Service) -> str:
    return "http://{}:{}".format(*service.address)


def test_every_worker_has_read_what_was_acknowledged(service: Service) -> None:
    url = address(service)
    with penchant.connect(url) as client:
        items = [f"n{number}" for number in range(20)]
        client.add([{"item_id": item, "title": f"Number {item}"} for item in items])
        for item in items:
            # Another connection each time, and so in turn another worker.
            with penchant.connect(url) as other:
                assert client.record(Event("reader", item)) == {"new": 1, "known": 0}
                assert item not in ids(other.recommend("reader", 33, log=False))
                assert item in ids(other.recommend("reader", 33, seen="keep", log=False))


def test_a_killed_worker_is_not_noticed(service: Service) -> None:
    url = address(service)
    faults: list[BaseException] = []
    over = threading.Event()
    sent = [0]

    def ask(client: Client) -> None:
        try:
            while not over.is_set():
                assert client.record(Event("busy", "w1", "view"))["new"] == 1
                sent[0] += 1
                assert len(client.recommend("ann", 3)) == 3
        except BaseException as fault:
            faults.append(fault)

    with penchant.connect(url, retries=8) as client:
        thread = threading.Thread(target=ask, args=(client,))
        thread.start()
        for _ in range(3):
            before = sent[0]
            os.kill(service.workers[0], signal.SIGKILL)
            while sent[0] < before + 15 and not faults:
                over.wait(0.05)
        over.set()
        thread.join()
        assert faults == []
        assert len(client.export("busy")["events"]) == sent[0]


@pytest.mark.slow
def test_a_training_is_waited_for_and_taken_back(own_shelf: Path) -> None:
    with (
        Service(own_shelf, "--effort", "fast", workers=2) as service,
        penchant.connect(address(service)) as client,
    ):
        (before,) = client.snapshots()
        told: list[tuple[str, float]] = []
        report = client.train(progress=lambda *step: told.append(step))
        assert told
        assert "NDCG@10" in str(report)
        after = client.snapshots()
        assert [one.current for one in after].count(True) == 1
        assert (len(after) == 2) == report.published
        assert next(one.id for one in after if one.current) == report.snapshot
        back = client.activate(before.id)
        assert back.id == before.id
        assert back.current
        assert client.status().snapshot == before.id
