"""A real `penchant serve` for tests, and questions to it over the wire."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

START = 180.0  # seconds; a busy machine is no failure
COMMAND = Path(sys.executable).with_name("penchant")


class Service:
    """One service in a process of its own; `log` is what it wrote on standard error."""

    def __init__(self, shelf: Path, *options: object, workers: int = 2, wait: bool = True) -> None:
        self.shelf = shelf
        self._log = shelf.parent / f"{shelf.name}-{time.monotonic_ns()}.log"
        given = [str(one) for one in options]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [COMMAND, "serve", shelf, "--port", "0", "--workers", str(workers), *given],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.address = ("127.0.0.1", 0)
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START)
        if not ready:
            self.stop()
        line = self.process.stdout.readline() if ready else ""
        found = re.search(r"http://\S+", line)
        assert found is not None, (line, self.log)
        parts = urlsplit(found[0])
        self.address = (str(parts.hostname), int(parts.port or 0))

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Return what was logged with this message."""
        found = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in found if line["message"] == message]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.address, timeout=30)

    def ask(
        self,
        path: str,
        body: Any = None,
        method: str | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> tuple[int, Any]:
        """Return status and body; JSON where it is."""
        own = connection is None
        connection = self.connect() if connection is None else connection
        try:
            content = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            method = method or ("GET" if body is None else "POST")
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            read = answer.read()
            kind = answer.headers.get("Content-Type", "")
            return answer.status, json.loads(read) if "json" in kind else read.decode()
        finally:
            if own:
                connection.close()

    def metrics(self) -> dict[str, float]:
        """Return every sample by its name with labels."""
        status, text = self.ask("/metrics")
        assert status == 200, text
        found = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in found}

    def pids(self, module: str = "") -> list[int]:
        """Return the processes of the service below the parent, those of one module if named."""
        return [p for p in descendants(self.process.pid) if module in command(p)]

    @property
    def workers(self) -> list[int]:
        return self.pids("service.worker")

    @property
    def background(self) -> int:
        return self.pids("service.background")[0]

    def stop(self, number: int = signal.SIGTERM, within: float = 60.0) -> int:
        """Return the exit status after a signal to the parent."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        assert self.process.stdout is not None
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            for pid in [*self.pids(), self.process.pid]:
                kill(pid)
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.stop()


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they did."""
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                for child in map(int, (task / "children").read_text().split()):
                    found += [child, *descendants(child)]
    return found


def command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def alive(pid: int) -> bool:
    """Return whether a process runs; one that ended and was not asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(true: Callable[[], Any], within: float = 30.0, every: float = 0.05) -> Any:
    """Return the first answer that is true; fails when none is in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if found := true():
            return found
        time.sleep(every)
    raise AssertionError(f"never true within {within} s: {true}")


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
