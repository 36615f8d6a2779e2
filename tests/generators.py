"""A generator on loopback that speaks OpenAI's protocol: it repeats passages, or says what it is
told to."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Says = Callable[[list[str], str], object]


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


class GeneratorServer:
    """Answers each chat with what `says` makes of the passages and the question."""

    def __init__(self, says: Says) -> None:
        self.says = says
        self.status = 200
        self.requests: list[dict] = []
        self.keys: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append({"path": self.path, **body})
                outer.keys.append(self.headers["Authorization"])
                text = body["messages"][-1]["content"]
                told, question = text.rsplit("\n\nQuestion: ", 1)
                passages = [re.sub(r"^\[\d+\] ", "", line) for line in told.split("\n")]
                message = {"role": "assistant", "content": outer.says(passages, question)}
                choice = {"index": 0, "finish_reason": "stop", "message": message}
                whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
                payload = json.dumps({**whole, "choices": [choice]}).encode()
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.send_header("retry-after-ms", "1")
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@contextmanager
def generating(says: Says = extractive) -> Iterator[GeneratorServer]:
    """Run a generator for as long as the block lasts."""
    server = GeneratorServer(says)
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
