"""A server that is slow, that floods, fails or sends what is none, is left in time."""

from __future__ import annotations

import gzip
import resource
import time
from typing import Any

import pytest

from generators import Chat, Reply, saying
from language.generator.animals import CAT, LONG, Animal, asked, other
from penchant.language.generator.endpoint import Endpoint
from penchant.language.generator.generator import AnswerRefused, GeneratorFailed
from penchant.language.generator.prompt import Prompt


def trickle(chat: Chat, body: dict[str, Any]) -> None:
    chat.begin()
    for _ in chat.until_cut_off():
        chat.wfile.write(b"d")


def trickle_a_head(chat: Chat, body: dict[str, Any]) -> None:
    chat.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in chat.until_cut_off():
        chat.wfile.write(b"d")


def trickle_pieces(chat: Chat, body: dict[str, Any]) -> None:
    chat.begin()
    for _ in chat.until_cut_off():
        chat.piece({"content": "{"})


def trickle_an_error(chat: Chat, body: dict[str, Any]) -> None:
    chat.begin(500)
    for _ in chat.until_cut_off():
        chat.wfile.write(b"d")


def stall(chat: Chat, body: dict[str, Any]) -> None:
    for _ in chat.until_cut_off():
        pass


def stall_within(chat: Chat, body: dict[str, Any]) -> None:
    chat.begin()
    chat.piece({"content": CAT[:10]})
    stall(chat, body)


def wait_and_be_wrong(chat: Chat, body: dict[str, Any]) -> None:
    time.sleep(0.6)  # twice that is more than there is
    chat.stream("no")


@pytest.mark.parametrize(
    "reply",
    [
        *(trickle, trickle_a_head, trickle_pieces, trickle_an_error),
        *(stall, stall_within, wait_and_be_wrong),
    ],
)
def test_a_slow_server_is_left_at_the_deadline(prompt: Prompt, reply: Reply) -> None:
    began = time.monotonic()
    with pytest.raises(GeneratorFailed, match="not done after 1 seconds") as told:
        asked(reply, prompt, 1.0)
    assert time.monotonic() - began < 1 + LONG
    assert told.value.tokens > 50  # the question was sent


def test_the_endpoints_own_time_is_the_most(prompt: Prompt) -> None:
    with pytest.raises(GeneratorFailed, match=r"not done after 0\.3 seconds"):
        asked(stall, prompt, 100.0, timeout=0.3)
    with pytest.raises(GeneratorFailed, match="not done after 0 seconds"):
        asked(saying(CAT), prompt, 0.0)


def flood(piece: bytes, status: int = 200, kind: str = "text/event-stream") -> Reply:
    def reply(chat: Chat, body: dict[str, Any]) -> None:
        chat.begin(status, kind)
        for _ in range(1_000):  # a gigabyte
            chat.wfile.write(piece)

    return reply


def flood_a_head(chat: Chat, body: dict[str, Any]) -> None:
    chat.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(1_000):
        chat.wfile.write(b"X: " + b"a" * 1_000_000 + b"\r\n")


def pieces(chat: Chat, body: dict[str, Any]) -> None:
    chat.begin()
    for _ in range(1_000):
        chat.piece({"content": "a" * 1_000_000})


def a_million_items(chat: Chat, body: dict[str, Any]) -> None:
    chat.begin()
    chat.piece({"content": '{"name": "cat", "legs": 4, "eats": ["a"'})
    for _ in range(1_000):
        chat.piece({"content": ', "a"' * 1_000})


def bomb(chat: Chat, body: dict[str, Any]) -> None:
    chat.begin(Content_Encoding="gzip")
    chat.wfile.write(gzip.compress(b"a" * 100_000_000))


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (flood(b"a" * 1_000_000), "more than 4,000,000 bytes"),
        (flood(b"data: {}\n\n" * 100_000), "more than 1000 tokens can hold"),
        (flood(b"a" * 1_000_000, 500, "application/json"), "more than 4,000,000 bytes"),
        (flood(b"a" * 1_000_000, 200, "application/json"), "more than 4,000,000 bytes"),
        (flood_a_head, "buffer too long"),
        (pieces, "more than 1000 tokens can hold"),
        (a_million_items, "more than 1000 tokens can hold"),
        (bomb, "packed"),
    ],
)
def test_a_flood_is_not_read(prompt: Prompt, reply: Reply, why: str) -> None:
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(GeneratorFailed, match=why):
        asked(reply, prompt, 60.0)
    assert time.monotonic() - began < 20
    # In kilobytes: the most this process ever held, and it did not grow by what was sent.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


def fails(status: int) -> Reply:
    def reply(chat: Chat, body: dict[str, Any]) -> None:
        chat.whole(status, {"error": {"message": f"no: {'x' * 100_000}"}})

    return reply


def drop(chat: Chat, body: dict[str, Any]) -> None:
    chat.close_connection = True


def drop_within(chat: Chat, body: dict[str, Any]) -> None:
    chat.close_connection = True
    chat.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    chat.wfile.write(b"Content-Length: 100000\r\n\r\n")
    chat.piece({"content": CAT})


def tell_of_an_error(chat: Chat, body: dict[str, Any]) -> None:
    chat.begin()
    chat.wfile.write(b'data: {"error": {"message": "out of memory"}}\n\n')


def tell_of_an_error_wrongly(chat: Chat, body: dict[str, Any]) -> None:
    chat.begin()
    chat.wfile.write(b'data: {"error": "in "quotes""}\n\n')


def no_http(chat: Chat, body: dict[str, Any]) -> None:
    chat.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    chat.close_connection = True


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        *((fails(status), str(status)) for status in (400, 401, 403, 404, 422, 429, 500, 503)),
        (drop, "Connection"),
        (drop_within, ""),
        (tell_of_an_error, "out of memory"),
        (tell_of_an_error_wrongly, "JSON"),
        (no_http, ""),
        (other([1]), ""),
        (other("hello"), ""),
    ],
)
def test_a_server_that_fails_is_told(prompt: Prompt, reply: Reply, why: str) -> None:
    began = time.monotonic()
    with pytest.raises(GeneratorFailed, match="check that it runs") as told:
        asked(reply, prompt)
    assert why in str(told.value)
    assert len(str(told.value)) < 700
    assert time.monotonic() - began < LONG


@pytest.mark.parametrize("value", [{"hello": "world"}, {"choices": []}, {"choices": [{}]}, {}])
def test_what_holds_no_text_is_no_answer(prompt: Prompt, value: Any) -> None:
    with pytest.raises(AnswerRefused, match="no whole JSON object"):
        asked(other(value), prompt)


def test_nobody_there(prompt: Prompt) -> None:
    with pytest.raises(GeneratorFailed, match="gave no answer of 'small'"):
        Endpoint("http://127.0.0.1:9/v1", "small", retries=0).generate(prompt, Animal, 5)
    with pytest.raises(GeneratorFailed, match="and the key"):
        Endpoint("http://127.0.0.1:9/v1", "small", "ключ").generate(prompt, Animal, 5)
