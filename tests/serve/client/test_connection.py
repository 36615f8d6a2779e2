"""What a network does to a call: lost answers, busy services, strangers at the address."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

import penchant
import world
from penchant.serve.client import parcels
from penchant.serve.client.connection import Connection
from penchant.serve.client.problems import (
    Conflict,
    NotAllowed,
    NotFound,
    ServiceFailed,
    Unavailable,
    Unreachable,
)
from penchant.serve.http.config import HttpConfig
from penchant.types import Event, InvalidInput
from serve.client.conftest import serving
from shelves import filled, ids


@dataclass
class Line:
    """A wire to a real service that can be cut on the way back, once for each entry of `cuts`."""

    url: str
    cuts: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    connections: int = 0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[penchant.Engine]:
    with penchant.open(filled(tmp_path / "shelf")) as engine:
        yield engine


@pytest.fixture
def line(engine: penchant.Engine) -> Iterator[Line]:
    """A proxy before the service: `lost` drops the connection after the service has answered."""
    with serving(engine) as behind:
        here = Line("")

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                here.connections += 1
                super().setup()

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                cut = here.cuts.pop(0) if here.cuts else ""
                here.seen.append(f"{self.command} {self.path.partition('?')[0]}")
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() in ("content-type", "x-api-key")
                }
                if cut == "before":
                    return self.drop()
                if cut == "429":
                    return self.answer(429, {"detail": "too often", "title": "no"})
                answer = httpx2.request(
                    self.command, behind + self.path, content=body, headers=headers
                )
                if cut == "lost":
                    return self.drop()
                if cut == "late":
                    time.sleep(1.0)
                if cut.isdigit():
                    return self.answer(int(cut), {"detail": "try again", "title": "no"})
                return self.answer(answer.status_code, orjson.loads(answer.content))

            def drop(self) -> None:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

            def answer(self, status: int, content: Any) -> None:
                payload = orjson.dumps(content)
                self.send_response(status)
                self.send_header("Content-Type", "application/problem+json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_DELETE = pass_on

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that gave up waiting is part of the tests."""

        server = Server(("127.0.0.1", 0), Handler)
        here.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield here
        server.shutdown()
        server.server_close()


def test_a_lost_answer_makes_no_second_event(line: Line, engine: penchant.Engine) -> None:
    before = len(engine.export("ann")["events"])
    with penchant.connect(line.url) as client:
        line.cuts = ["lost", "lost"]
        done = client.record(Event("ann", "w1", "view"))
        assert done == {"new": 1, "known": 0}  # by the attempt whose answer was lost
        assert line.seen.count("POST /v1/events") == 3
        assert len(engine.export("ann")["events"]) == before + 1
        named = Event("ann", "w1", "view", event_id="said before")
        assert client.record(named) == {"new": 1, "known": 0}
        line.cuts = ["lost"]
        assert client.record(named) == {"new": 0, "known": 1}
        line.cuts = ["before", "lost"]
        many = [{"user_id": "ann", "item_id": f"w{i}", "event": "view"} for i in (1, 2, 2, 3)]
        done = client.record(many)
        assert done["rows"] == 4
        assert done["duplicates"] == 1
        assert done["known"] == 3
        assert len(engine.export("ann")["events"]) == before + 5


def test_a_lost_answer_is_asked_for_again(line: Line) -> None:
    with penchant.connect(line.url) as client:
        expected = ids(client.recommend("ann", 3, now=world.NOW))
        for cut in ("lost", "before", "429", "502", "503", "504"):
            line.cuts = [cut]
            assert ids(client.recommend("ann", 3, now=world.NOW)) == expected
            assert not line.cuts


def test_what_must_not_be_done_twice_is_not(line: Line, engine: penchant.Engine) -> None:
    with penchant.connect(line.url) as client:
        for cut, kind in (("lost", Unreachable), ("503", Unavailable), ("504", Unavailable)):
            line.seen.clear()
            line.cuts = [cut]
            with pytest.raises(kind):
                client.merge("jo", into="ann")
            assert len(line.seen) == 1
        line.cuts = ["lost"]
        with pytest.raises(Unreachable, match="may have been done or not"):
            client.forget("ann")
        assert engine.export("ann")["events"] == []
        line.cuts = ["429"]  # said before anything was done
        assert client.remove("w6")


def test_a_load_that_breaks_off_says_how_far_it_came(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parcels.ROWS, "items", 2)
    items = [{"item_id": f"n{i}"} for i in range(5)]
    with penchant.connect(line.url, retries=0) as client:
        line.cuts = ["", "", "lost"]
        with pytest.raises(Unreachable) as raised:
            client.add(items)
        assert raised.value.__notes__ == ["the first 4 of 5 items were taken"]
        assert client.add(items)["same"] == 5  # the last piece had arrived


def test_one_person_at_a_time_is_waited_for(engine: penchant.Engine) -> None:
    """A service that grants one person so many events a second gets a load of theirs, slower."""
    settings = HttpConfig(rate_loopback=0.0, user_rate=40.0, burst=0.5)
    events = [
        {"user_id": "ann", "item_id": "w1", "event": "view", "timestamp": world.NOW - 60 * i}
        for i in range(60)
    ]
    with (
        serving(engine, settings) as url,
        penchant.connect(url) as client,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setitem(parcels.ROWS, "events", 20)
        assert client.record(events)["new"] == 60


def test_it_gives_up_and_says_how_often_it_tried(line: Line) -> None:
    with penchant.connect(line.url, retries=1) as client:
        line.cuts = ["lost", "lost"]
        with pytest.raises(Unreachable, match=r"tried 2 times; repeating it does no harm"):
            client.status()
        line.cuts = ["503", "503"]
        with pytest.raises(Unavailable, match="try again"):
            client.status()
        assert client.status().items == 13
    with penchant.connect(line.url, retries=0) as client:
        line.cuts = ["lost"]
        with pytest.raises(Unreachable, match=r"status \((?!.*tried)"):
            client.status()
    with penchant.connect(line.url, retries=0, timeout=0.2) as client:
        line.cuts = ["late"]
        with pytest.raises(Unreachable, match=r"allows more time"):
            client.status()


def test_connections_are_kept(line: Line) -> None:
    with penchant.connect(line.url) as client:
        for _ in range(20):
            client.status()
    assert line.connections == 1


def test_nobody_there_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with (
        penchant.connect(url, retries=1) as client,
        pytest.raises(Unreachable, match="nothing was sent"),
    ):
        client.record(Event("ann", "w1"))


ANSWERS: dict[str, tuple[int, str, bytes, type[penchant.Error], str]] = {
    "a web page": (200, "text/html", b"<html>", ServiceFailed, "is it the address"),
    "no page": (404, "text/html", b"<html>", ServiceFailed, "is it the address"),
    "a proxy alone": (502, "text/html", b"<html>", Unavailable, "does its proxy reach it"),
    "moved": (301, "text/html", b"", ServiceFailed, "https://elsewhere"),
    "broken": (200, "application/json", b'{"a":', ServiceFailed, "expected JSON"),
    "failed": (500, "application/problem+json", b"", ServiceFailed, "request r1"),
    "no key": (401, "application/problem+json", b"", NotAllowed, "the detail"),
    "not allowed": (403, "application/problem+json", b"", NotAllowed, "the detail"),
    "nothing": (404, "application/problem+json", b"", NotFound, "the detail"),
    "conflict": (409, "application/problem+json", b"", Conflict, "the detail"),
    "too large": (413, "application/problem+json", b"", InvalidInput, "the detail"),
    "wrong": (422, "application/problem+json", b"", InvalidInput, "the detail"),
    "busy": (429, "application/problem+json", b"", Unavailable, "the detail"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_refusal_is_an_error_of_ours(name: str) -> None:
    status, media, content, kind, words = ANSWERS[name]
    if not content and "problem" in media:
        document = {"type": "t", "title": "T", "status": status, "detail": "the detail"}
        content = orjson.dumps(document | {"instance": "r1"})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Location", "https://elsewhere/v1/status")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with (
            penchant.connect(f"http://127.0.0.1:{server.server_port}", retries=0) as client,
            pytest.raises(kind, match=words),
        ):
            client.status()
        server.shutdown()


def test_as_long_is_waited_as_the_service_asks() -> None:
    asked: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(time.monotonic())
            self.send_response(200 if len(asked) == 2 else 429)
            self.send_header("Retry-After", "1" if len(asked) == 1 else "3600")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        line = Connection(f"http://127.0.0.1:{server.server_port}", key=None, timeout=5, retries=2)
        assert line.ask("GET", "/", harmless=True) == {}
        assert asked[1] - asked[0] >= 1.0
        with pytest.raises(Unavailable):  # an hour is longer than anybody waits
            line.ask("GET", "/", harmless=True)
        assert len(asked) == 3
        line.close()
        server.shutdown()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "shelf"}, r"penchant.open\(\)"),
        ({"url": None}, "expected the address"),
        ({"url": "ftp://host"}, "expected the address"),
        ({"url": "http://"}, "expected scheme"),
        ({"url": "http://host?a=b"}, "leave the rest out"),
        ({"key": "two\nlines"}, "printable"),
        ({"key": ""}, "printable"),
        ({"timeout": 0}, "above 0"),
        ({"timeout": "long"}, "above 0"),
        ({"retries": -1}, "from 0 to 20"),
        ({"retries": 1.5}, "from 0 to 20"),
    ],
)
def test_a_wrong_address_is_said_at_once(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        penchant.connect(**{"url": "http://127.0.0.1:1", **given})
