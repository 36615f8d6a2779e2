"""Bodies: huge, malformed, of the wrong kind, slow, and broken off."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator

import httpx2
import pytest

import penchant
from penchant.serve.http.config import HttpConfig

from .live import Live, drained, served

LIMIT = 200_000
TIGHT = HttpConfig(
    rate=0, rate_loopback=0, user_rate=0, body_bytes=LIMIT, buffer_bytes=500_000, body_timeout=1.0
)
POSTS = ("/v1/events", "/v1/items", "/v1/users", "/v1/links", "/v1/recommend", "/v1/rank/ann")


@pytest.fixture
def live(engine: penchant.Engine) -> Iterator[Live]:
    with served(engine, TIGHT) as found:
        yield found


def head(path: str, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def event(size: int) -> bytes:
    return b'{"user_id":"u","item_id":"w1","filler":"' + b"x" * size + b'"}'


def stored(engine: penchant.Engine) -> int:
    return len(engine.export("u")["events"])


def emptied(live: Live) -> bool:
    """Return whether nothing is held of any body, soon."""
    until = time.monotonic() + 5
    while live.reception.room.held and time.monotonic() < until:
        time.sleep(0.01)
    return live.reception.room.held == 0


def test_too_much_is_refused(client: httpx2.Client, live: Live) -> None:
    assert client.post("/v1/events", content=event(50_000)).status_code == 200
    for path in POSTS:
        refused = client.post(path, content=event(LIMIT))
        assert refused.status_code == 413, path
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert "body_bytes" in refused.json()["detail"]
    assert stored(live.engine) == 1
    assert live.reception.room.held == 0


def test_too_much_is_refused_before_it_was_sent(live: Live) -> None:
    """What a client says about the length is enough, and it need not send a byte."""
    for length in (LIMIT + 1, 10**12, 10**30):
        answer = live.raw(head("/v1/events", f"Content-Length: {length}"))
        if length < 2**63:
            assert b" 413 " in answer.split(b"\r\n")[0]
        else:
            assert b" 400 " in answer.split(b"\r\n")[0]
    waiting = head("/v1/events", f"Content-Length: {LIMIT + 1}", "Expect: 100-continue")
    assert b" 413 " in live.raw(waiting).split(b"\r\n")[0]
    assert emptied(live)


def test_too_much_without_a_length_is_counted_as_it_comes(live: Live) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as line:
        line.sendall(head("/v1/events", "Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        sent = 0
        try:
            while sent < 100 * LIMIT:
                line.sendall(chunk)
                sent += 65_536
        except OSError:
            pass
        answer = drained(line)
    assert b" 413 " in answer.split(b"\r\n")[0] or not answer  # a reset may swallow it
    assert emptied(live)


def test_the_bodies_of_all_have_a_limit(live: Live) -> None:
    lines = []
    try:
        for _ in range(8):
            line = socket.create_connection(("127.0.0.1", live.port), timeout=10)
            line.sendall(head("/v1/events", f"Content-Length: {LIMIT}") + event(0)[:20])
            line.sendall(b"x" * (LIMIT - 100))
            lines.append(line)
        answers = [drained(line) for line in lines]
    finally:
        for line in lines:
            line.close()
    statuses = {answer.split(b" ", 2)[1] for answer in answers if answer}
    assert statuses == {b"429", b"408"}
    refused = next(answer for answer in answers if b" 429 " in answer)
    assert b"retry-after: 1" in refused.lower()
    assert emptied(live)


def test_a_slow_body_is_not_waited_for(live: Live, client: httpx2.Client) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as line:
        line.sendall(head("/v1/events", "Content-Length: 1000") + b'{"user_id"')
        began = time.monotonic()
        while client.get("/health/live").status_code == 200 and time.monotonic() < began + 0.5:
            line.sendall(b" ")
        answer = drained(line) + drained(line)
        took = time.monotonic() - began
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"application/problem+json" in answer
    assert took < 6
    assert stored(live.engine) == 0


def test_a_body_that_is_broken_off_is_no_error(live: Live, client: httpx2.Client) -> None:
    for sent in (b"", b'{"user_id":"u","item_id":"w1"}'):
        with socket.create_connection(("127.0.0.1", live.port), timeout=10) as line:
            line.sendall(head("/v1/events", "Content-Length: 1000") + sent)
    time.sleep(0.2)
    assert client.get("/v1/status").status_code == 200
    assert stored(live.engine) == 0
    assert 'status="5' not in client.get("/metrics").text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"nonsense",
        b"{'user_id': 'u'}",
        b'{"user_id": "u", "item_id": "w1"} {}',
        b'{"user_id": "u", "item_id": "w1", "value": NaN}',
        b'{"user_id": "u", "item_id": "w1", "value": Infinity}',
        b'{"user_id": "\xff", "item_id": "w1"}',
        b'{"user_id": "\\ud800", "item_id": "w1"}',
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b"\xef\xbb\xbf{}",
        b"\x00",
        '{"user_id": "u"}'.encode("utf-16"),
        b"null",
        b"true",
        b"7",
        b"1e999",
        b'"/etc/passwd"',
        b'["/etc/passwd"]',
        b'[["user_id", "u"]]',
        b'[{"user_id": "u", "item_id": "w1"}, 7]',
        b"[null]",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_malformed_bodies_are_refused_whole(client: httpx2.Client, live: Live, body: bytes) -> None:
    for path in POSTS:
        if not body.strip() and path == "/v1/recommend":
            continue
        answer = client.post(path, content=body)
        assert answer.status_code == 422, path
        problem = answer.json()
        assert problem["status"] == 422
        assert "expected" in problem["detail"]
        assert "passwd" not in problem["detail"]
    assert stored(live.engine) == 0


def test_a_line_that_is_none_is_named(client: httpx2.Client, live: Live) -> None:
    good = b'{"user_id":"u","item_id":"w1"}'
    for bad in (b"{", b"7x", b"\xff"):
        answer = client.post(
            "/v1/events",
            content=b"\n".join([good, b"", bad, good]),
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert answer.status_code == 422
        assert "line 3" in answer.json()["detail"]
    for other in (b"[1]", b'"/etc/passwd"'):
        answer = client.post(
            "/v1/events",
            content=b"\n".join([good, other]),
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert answer.status_code == 422
        assert "position 1" in answer.json()["detail"]
    assert stored(live.engine) == 0


def test_lines_may_end_as_on_windows(client: httpx2.Client, live: Live) -> None:
    rows = b'{"user_id":"u","item_id":"w1"}\r\n{"user_id":"u","item_id":"w2"}\r\n'
    kind = {"Content-Type": "Application/X-NDJSON; charset=UTF-8"}
    assert client.post("/v1/events", content=rows, headers=kind).json()["new"] == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/csv"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/xml"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": ";;;"},
        {"Content-Encoding": "gzip"},
    ],
)
def test_bodies_of_another_kind(client: httpx2.Client, headers: dict[str, str]) -> None:
    for path in POSTS:
        answer = client.post(path, content=gzip.compress(event(10)), headers=headers)
        assert (
            answer.status_code == (422 if headers["Content-Type"] == ";;;" else 415)
            if ("Content-Type" in headers)
            else 415
        )


def test_kinds_that_are_json(client: httpx2.Client) -> None:
    for kind in ("application/json", "application/json; charset=utf-8", "application/ld+json"):
        answer = client.post("/v1/events", content=event(1), headers={"Content-Type": kind})
        assert answer.status_code == 200, kind


def test_members_nobody_reads_are_refused(client: httpx2.Client) -> None:
    for path, body in (
        ("/v1/recommend/ann", {"kk": 3}),
        ("/v1/recommend/ann", {"user_id": "eve"}),
        ("/v1/rank/ann", {"items": ["w1"], "k": 3}),
        ("/v1/recommend:batch", {"user_ids": ["ann"], "where": "x"}),
        ("/v1/users/ann/merge", {"into": "eve", "from": "ann"}),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code == 422, path
        assert "known are" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"k": "3"},
        {"k": 3.0},
        {"k": True},
        {"k": 0},
        {"k": 10_001},
        {"text": 7},
        {"where": ["price"]},
        {"where": "(" * 5000},
        {"where": "price < " + "9" * 5000},
        {"seen": "never"},
        {"exclude": "w1"},
        {"exclude": [None]},
        {"exclude": [{"a": 1}]},
        {"context": "tv"},
        {"context": []},
        {"now": "yesterday"},
        {"now": 1e300},
        {"now": True},
        {"history": {"w1": 1}},
        {"log": "yes"},
        {"log": 1},
    ],
    ids=repr,
)
def test_members_of_another_kind_are_refused(client: httpx2.Client, body: object) -> None:
    answer = client.post("/v1/recommend/ann", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]
