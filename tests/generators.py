"""Generators on loopback that speak OpenAI's protocol: good ones, and every kind of bad one."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Says = Callable[[list[str], str], object]


class Chat(BaseHTTPRequestHandler):
    """One request, and the ways to answer it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({"path": self.path, **body})
        self.server.headers.append({k.lower(): v for k, v in self.headers.items()})
        with suppress(OSError):  # the other side has had enough
            self.server.reply(self, body)

    def begin(self, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        """Send a head after which what comes ends with the connection."""
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def whole(self, status: int, body: Any, **headers: str) -> None:
        """Send JSON in one piece."""
        self.begin(status, "application/json", **headers)
        self.wfile.write(json.dumps(body).encode())

    def piece(self, delta: dict[str, Any], **more: Any) -> None:
        """Send one chunk of a stream."""
        choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish", None)}
        frame = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        told = json.dumps({**frame, "choices": [choice], **more})
        self.wfile.write(f"data: {told}\n\n".encode())

    def stream(self, text: str, usage: Any = None, finish: str = "stop") -> None:
        """Send a text as a model does, some letters at a time."""
        self.begin()
        self.piece({"role": "assistant", "content": ""})
        for start in range(0, len(text), 40):
            self.piece({"content": text[start : start + 40]})
        self.piece({}, finish=finish, usage=usage)
        self.wfile.write(b"data: [DONE]\n\n")

    def until_cut_off(self, seconds: float = 30.0) -> Iterator[None]:
        """Yield ten times a second for as long as the server runs and the other side may listen."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not self.server.ended.wait(0.1):
            yield

    def log_message(self, *_: object) -> None:
        pass


Reply = Callable[[Chat, dict[str, Any]], None]


class ChatServer(ThreadingHTTPServer):
    """Answers each chat with `reply`, and keeps what was asked."""

    daemon_threads = True

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), Chat)
        self.reply = reply
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def keys(self) -> list[str]:
        return [headers["authorization"] for headers in self.headers]


@contextmanager
def chatting(reply: Reply) -> Iterator[ChatServer]:
    """Run a server for as long as the block lasts."""
    server = ChatServer(reply)
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()


def saying(*texts: str, usage: Any = None, finish: str = "stop") -> Reply:
    """Return a reply that says one text after the other, and then the last again."""
    left = list(texts)

    def reply(chat: Chat, body: dict[str, Any]) -> None:
        chat.stream(left.pop(0) if len(left) > 1 else left[0], usage, finish)

    return reply


def extractive(passages: list[str], question: str) -> str:
    """Return the sentence of the passages that shares most words with the question, cited."""
    asked = set(re.findall(r"\w+", question.lower()))
    told = [
        (part.strip().rstrip("."), number)
        for number, passage in enumerate(passages, 1)
        for part in re.split(r"(?<=[.?]) ", passage)
        if not part.endswith("?")
    ]
    best = max(told, key=lambda one: len(asked & set(re.findall(r"\w+", one[0].lower()))))
    return f"{best[0]} [{best[1]}]."


@contextmanager
def generating(says: Says = extractive, status: int = 200) -> Iterator[ChatServer]:
    """Run a generator that answers each question of a `Composer` with what `says` makes of it."""

    def reply(chat: Chat, body: dict[str, Any]) -> None:
        if status != 200:
            return chat.whole(status, {"error": {"message": "on purpose"}}, retry_after_ms="1")
        told, asked = re.findall(
            r"\[\[data \w+\n(.*?)\ndata \w+\]\]", body["messages"][1]["content"], re.DOTALL
        )
        passages = [re.sub(r"^- \(\d+\) ", "", line) for line in told.split("\n")]
        chat.stream(json.dumps({"answer": says(passages, asked.removeprefix("- "))}))

    with chatting(reply) as server:
        yield server
