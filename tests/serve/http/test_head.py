"""What comes before a body: no request, or one whose head has no end."""

from __future__ import annotations

import json
import socket

import pytest

from penchant.serve.http.head import MOST, Head
from penchant.serve.service.accepting import Connection

from .live import Live, drained

LINE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"


def refused(answer: bytes, status: int) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["instance"].encode() in head


def endless(live: Live, begin: bytes, part: bytes) -> tuple[int, bytes]:
    """Return how many bytes were taken of a head without end, and the answer."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as line:
        line.sendall(begin)
        sent = 0
        try:
            while sent < 100 * MOST:
                line.sendall(part)
                sent += len(part)
        except OSError:
            pass
        return sent, drained(line)


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        (LINE + b"X-Long: ", b"a" * 10_000),
        (LINE, b"X-Short: b\r\n" * 1_000),
        (b"GET /", b"a" * 10_000),
        (b"GET /?", b"a=b&" * 2_500),
    ],
)
def test_a_head_without_end_is_not_read_to_the_end(live: Live, begin: bytes, part: bytes) -> None:
    sent, answer = endless(live, begin, part)
    assert sent < 100 * MOST
    if answer:  # a client that goes on writing may lose it
        refused(answer, 431)
    with live.client() as client:
        assert client.get("/health/live").status_code == 200


def test_a_head_that_is_too_long_is_told_so(live: Live) -> None:
    refused(live.raw(LINE + b"X-Long: " + b"a" * MOST), 431)


@pytest.mark.parametrize("beyond", [1, 3 * MOST])
def test_an_address_that_is_too_long_is_told_so(live: Live, beyond: int) -> None:
    address = b"/health/live?x=" + b"a" * (MOST + beyond)
    refused(live.raw(b"GET " + address + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"), 431)


def test_a_long_head_is_no_trouble(live: Live) -> None:
    sent = LINE + b"X-Long: " + b"a" * (MOST - 1_000) + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as line:
        for _ in range(3):  # each request begins to count anew
            line.sendall(sent)
            assert line.recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_body_does_not_count(live: Live) -> None:
    body = b" " * 2 * MOST + b'{"user_id":"u","item_id":"w1"}'
    with live.client() as client:
        for _ in range(3):
            assert client.post("/v1/events", content=body).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET / SPDY/9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        LINE + b"Bad Header: 1\r\n\r\n",
    ],
)
def test_what_is_no_request(live: Live, sent: bytes) -> None:
    refused(live.raw(sent), 400)


def test_smuggled_requests_are_refused(live: Live) -> None:
    sent = (
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"
    )
    assert live.raw(sent).startswith(b"HTTP/1.1 400")


def test_the_service_takes_its_connections_so() -> None:
    assert issubclass(Connection, Head)
