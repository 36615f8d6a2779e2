"""kill -9 in mid-write, at random points: nothing acknowledged is lost, nothing counts twice.

Clients write all the while, and send again what was not acknowledged, under the same event_id, as
the API asks for. In the end the log holds each event once, and the service answers as an engine
does that reads the log afresh.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

import penchant
from conformance.conftest import fresh_database, postgres  # noqa: F401
from learn.release.test_gate import ITEMS, NOW, SETTINGS, clicks
from penchant.store.open import open_store
from serve.service.running import Service, eventually, kill
from shelves import mute

pytestmark = pytest.mark.service

KILLS, SLOW_KILLS = 10, 200
CLIENTS, PEOPLE = 4, 12
WRITTEN = 15  # events between two kills, at least
LIMITS = "\n[http]\nrate_loopback = 0\nuser_rate = 0\n"


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the tables lie: None in the directory, else the address of a fresh database."""
    if request.param == "sqlite":
        return None
    made: Callable[[], str] = request.getfixturevalue("fresh_database")
    return made()


@pytest.fixture
def shelf(tmp_path: Path, url: str | None) -> Path:
    """A shelf that has learned, so that there is something for a training to take the place of."""
    directory = mute(tmp_path / "shelf", SETTINGS + "threads = 1\n" + LIMITS)
    with penchant.open(directory, effort="fast", url=url) as engine:
        engine.add([{"item_id": f"i{n}", "title": f"Thing {n}"} for n in range(ITEMS)])
        engine.record(clicks("u", seed=1), now=NOW)
        engine.train()
    return directory


class Victim:
    """A service that is killed, in parts or as a whole, and started again by who runs it."""

    def __init__(self, shelf: Path, url: str | None, rng: random.Random) -> None:
        self._shelf, self._rng = shelf, rng
        self._options = ("--effort", "fast", "--log-level", "warning")
        if url is not None:
            self._options += ("--url", url)
        self.service = self._started()

    def kill(self, what: str) -> None:
        service = self.service
        if what == "worker":
            kill(self._rng.choice(service.workers or [service.process.pid]))
        elif what == "learner":
            self._learn(service)
        else:
            pids = [service.process.pid, *service.pids()]
            self._rng.shuffle(pids)  # some see the others die, each time others
            for pid in pids:
                kill(pid)
            service.stop()
            self.service = self._started()

    def _learn(self, service: Service) -> None:
        with suppress(OSError, http.client.HTTPException):
            service.ask("/v1/train", {}, "POST")
            learner = eventually(lambda: service.pids("penchant.learn"), within=20)
            time.sleep(self._rng.random() * 2.0)
            for pid in learner if self._rng.random() < 0.5 else service.pids("background"):
                kill(pid)

    def _started(self) -> Service:
        return Service(self._shelf, *self._options, workers=2)


class Client(threading.Thread):
    """Writes one event, or several, after the other; each again until it is acknowledged."""

    def __init__(self, victim: Victim, name: int) -> None:
        super().__init__(name=f"client-{name}", daemon=True)
        self._victim, self._rng = victim, random.Random(name)
        self._name = name
        self.over = threading.Event()
        self.acknowledged: list[str] = []
        self.items: list[str] = []
        self.problems: list[str] = []
        self.again = 0

    def run(self) -> None:
        turn = 0
        while not self.over.is_set():
            turn += 1
            if turn % 20 == 0:
                item = {"item_id": f"new-{self._name}-{turn}", "title": f"Fresh {turn}"}
                self._send("/v1/items", item)
                self.items.append(item["item_id"])
                continue
            many = 1 if turn % 5 else 4
            people = self._rng.sample(range(PEOPLE), many)
            events = [
                {
                    "user_id": f"p{person}",
                    "item_id": f"i{self._rng.randrange(ITEMS)}",
                    "event": "click",
                    "event_id": f"{self._name}-{turn}-{place}",
                }
                for place, person in enumerate(people)
            ]
            self._send("/v1/events", events[0] if many == 1 else events)
            self.acknowledged += [event["event_id"] for event in events]

    def _send(self, path: str, body: object) -> None:
        while True:
            try:
                status, answer = self._victim.service.ask(path, body)
            except (OSError, http.client.HTTPException, ValueError):
                self.again += 1
                time.sleep(0.02)
                continue
            if status == 200:
                return
            self.problems.append(f"{status} {answer}")
            time.sleep(0.05)


def killed(victim: Victim, clients: list[Client], kills: int, rng: random.Random) -> None:
    """Kill at random points, each time while clients write."""
    for turn in range(kills):
        before = written(clients)
        eventually(lambda enough=before + WRITTEN: written(clients) >= enough, within=120)
        time.sleep(rng.random() * 0.3)
        # A whole service takes the longest to come back; the others are as telling.
        victim.kill(("worker", "learner", "worker", "service", "worker")[turn % 5])


def written(clients: list[Client]) -> int:
    return sum(len(client.acknowledged) for client in clients)


@pytest.mark.parametrize(
    ("url", "kills"),
    [
        ("sqlite", KILLS),
        pytest.param("sqlite", SLOW_KILLS, marks=pytest.mark.slow),
        pytest.param("postgres", KILLS, marks=pytest.mark.slow),
    ],
    indirect=["url"],
)
def test_killed_at_random_points_it_loses_nothing_and_doubles_nothing(
    shelf: Path, url: str | None, kills: int
) -> None:
    rng = random.Random(kills)
    victim = Victim(shelf, url, rng)
    clients = [Client(victim, name) for name in range(CLIENTS)]
    try:
        for client in clients:
            client.start()
        killed(victim, clients, kills, rng)
        for client in clients:
            client.over.set()
        for client in clients:
            client.join(60)
            assert not client.is_alive()
        agrees(victim.service, shelf, url, clients)
        assert victim.service.stop() == 0
    finally:
        for client in clients:
            client.over.set()
        victim.service.stop()


def agrees(service: Service, shelf: Path, url: str | None, clients: list[Client]) -> None:
    """Check that each event is there once, and that what was folded equals a rebuild."""
    eventually(lambda: len(service.workers) == 2)
    assert [p for client in clients for p in client.problems] == []
    assert sum(client.again for client in clients) > 0  # some were cut off in the middle

    sent = [key for client in clients for key in client.acknowledged]
    assert len(set(sent)) == len(sent)
    with open_store(shelf, url) as store:
        log = store.log.scan(0, 10**9)
        people = store.people.numbers([f"p{n}" for n in range(PEOPLE)])
        assert int(pl.Series(log.users).is_in(people.tolist()).sum()) == len(sent)
        known = store.catalogue.numbers([i for client in clients for i in client.items])
        assert (known >= 0).all()

    # Nobody writes any more: whoever has folded all along answers as who reads it all now.
    eventually(lambda: service.ask("/v1/train")[1]["state"] in ("idle", "failed"), within=120)
    now = time.time()
    question = {"k": 20, "now": now, "log": False}
    with penchant.open(shelf, url=url) as engine:
        for person in [*(f"p{n}" for n in range(PEOPLE)), "u1", "nobody"]:
            fresh = engine.recommend(person, 20, now=now, log=False)
            for _ in range(3):
                status, slate = service.ask(f"/v1/recommend/{person}", question)
                assert (status, slate["snapshot"]) == (200, fresh.snapshot)
                given = {r["item_id"]: r["score"] for r in slate["recommendations"]}
                assert list(given) == [line.item_id for line in fresh]
                expected = {line.item_id: line.score for line in fresh}
                assert given == pytest.approx(expected, rel=1e-4, abs=1e-5)
