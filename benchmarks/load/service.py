"""The service under test: started as people start it, and what each of its processes costs."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

STARTS = 120.0  # seconds that a service may take until it answers
ENDS = 60.0  # and until it is gone after it was asked to go
SKIPPED = "penchant_source_skipped_total"
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Unready(Exception):
    """The service ended, or did not answer in time."""


@dataclass(frozen=True)
class Service:
    """A running `penchant serve`."""

    host: str
    port: int
    process: psutil.Process
    log: Path

    def ask(self, method: str, path: str, body: Any = None, wait: float = 60.0) -> tuple[int, Any]:
        """Return status and answer of one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=wait)
        try:
            content = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            plain = "json" not in (answer.getheader("Content-Type") or "")
            return answer.status, text if plain else json.loads(text)
        finally:
            connection.close()

    def processes(self) -> dict[str, psutil.Process]:
        """Return the processes of the service by name: parent, workers in order, the others.

        A worker is who was started by the parent and holds connections or listens on the port.
        """
        children = sorted(self.process.children(), key=lambda one: one.pid)
        named = {"parent": self.process}
        workers = others = 0
        for child in children:
            try:
                ports = {one.laddr.port for one in child.net_connections("tcp") if one.laddr}
            except psutil.Error:
                continue
            if self.port in ports:
                workers += 1
                named[f"worker {workers}"] = child
            else:
                others += 1
                named["background" if others == 1 else f"background {others}"] = child
        return named

    def spread(self) -> dict[str, int]:
        """Return how many open connections each worker serves."""
        found = {}
        for name, process in self.processes().items():
            if name.startswith("worker"):
                open_ones = process.net_connections("tcp")
                found[name] = sum(
                    one.status == psutil.CONN_ESTABLISHED and one.laddr.port == self.port
                    for one in open_ones
                )
        return found

    def cpu(self) -> dict[str, float]:
        """Return the seconds of the CPU that each process has used, children that ended too."""
        found = {}
        for name, process in self.processes().items():
            with_ended = process.cpu_times()
            found[name] = sum(with_ended[:4]) if name != "parent" else sum(with_ended[:2])
        return found

    def memory(self) -> dict[str, tuple[float, float]]:
        """Return for each process the megabytes it holds, and those of them that are its own."""
        found = {}
        for name, process in self.processes().items():
            full = process.memory_full_info()
            found[name] = (full.rss / 1e6, full.uss / 1e6)
        return found

    def metrics(self) -> Metrics:
        """Return what /metrics says at this moment."""
        status, text = self.ask("GET", "/metrics")
        return Metrics.read(text) if status == 200 else Metrics({})


@dataclass(frozen=True)
class Metrics:
    """Samples of Prometheus: for each name, values by their labels."""

    samples: Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]

    @classmethod
    def read(cls, text: str) -> Metrics:
        """Return the samples of a page of metrics."""
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = defaultdict(dict)
        for line in text.splitlines():
            if not line.startswith("#") and (match := SAMPLE.match(line)):
                labels = tuple(sorted(LABEL.findall(match[2] or "")))
                found[match[1]][labels] = float(match[3])
        return cls(dict(found))

    def total(self, name: str, label: str, among: Collection[str]) -> float:
        """Return the sum of the samples of this name whose label is among these."""
        found = self.samples.get(name, {})
        return sum(value for labels, value in found.items() if dict(labels).get(label) in among)

    def means(self, name: str, label: str, before: Metrics) -> dict[str, tuple[float, float]]:
        """Return by a label of a histogram the mean and the count of what came since `before`."""
        sums: dict[str, float] = defaultdict(float)
        counts: dict[str, float] = defaultdict(float)
        for ending, into in (("_sum", sums), ("_count", counts)):
            earlier = before.samples.get(name + ending, {})
            for labels, value in self.samples.get(name + ending, {}).items():
                into[dict(labels).get(label, "")] += value - earlier.get(labels, 0.0)
        return {one: (sums[one] / count, count) for one, count in counts.items() if count > 0}


@contextmanager
def serving(shelf: Path, workers: int, *more: str) -> Iterator[Service]:
    """Yield the service on a shelf, ready to answer; it is stopped as `kill` would afterwards."""
    port = free_port()
    command = [sys.executable, "-c", "from penchant.serve.cli import main; main()"]
    command += ["serve", str(shelf), "--port", str(port), "--workers", str(workers), *more]
    environment = {name: value for name, value in os.environ.items() if name != "PENCHANT_API_KEY"}
    with tempfile.NamedTemporaryFile("w+", suffix=".log", delete=False) as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    service = Service("127.0.0.1", port, psutil.Process(child.pid), Path(log.name))
    try:
        _until_ready(service, child, workers)
        yield service
    finally:
        _end(child, service)
    service.log.unlink(missing_ok=True)


def _until_ready(service: Service, child: subprocess.Popen[bytes], workers: int) -> None:
    until = time.monotonic() + STARTS
    while time.monotonic() < until:
        if child.poll() is not None:
            break
        try:
            status, _ = service.ask("GET", "/health/ready", wait=5.0)
        except (OSError, http.client.HTTPException):
            status = 0
        if status == 200 and len(service.spread()) >= workers:
            # One worker may be ready before the others.
            time.sleep(1.0)
            return
        time.sleep(0.1)
    raise Unready(f"the service did not answer; its last words ({service.log}):\n{words(service)}")


def _end(child: subprocess.Popen[bytes], service: Service) -> None:
    if child.poll() is not None:
        return
    family = service.process.children(recursive=True)
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(ENDS)
    except subprocess.TimeoutExpired:
        print(f"the service did not end within {ENDS:.0f} s; killed", file=sys.stderr)
        child.kill()
        for one in family:
            if one.is_running():
                one.kill()


def words(service: Service, lines: int = 15) -> str:
    """Return the last lines that the service wrote."""
    return "\n".join(service.log.read_text(errors="replace").splitlines()[-lines:])


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port
