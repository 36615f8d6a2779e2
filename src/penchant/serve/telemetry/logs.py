"""Logs: one line for each thing that happened, as JSON for a machine or as text for a person.

Lines are written by a thread of their own, ten times a second: to wake it for each would take more
from the answers than the line. Whoever reads them may be slow; an answer never waits for that, and
what does not fit into memory is counted and left out.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WAITING = 20_000  # lines
EVERY = 0.1  # seconds
_FLUSH = 2.0  # seconds that the last lines may take
# What the library can be told to leave out, by its own documentation ("Optimization").
_ORIGINS = ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing")


class Lines(logging.Handler):
    """Writes records to a file by its number."""

    def __init__(self, process: str, form: str, descriptor: int = 2) -> None:
        super().__init__()
        if form == "auto":
            form = "text" if os.isatty(descriptor) else "json"
        self._shape = _as_json if form == "json" else _as_text
        self._process, self._descriptor = process, descriptor
        self._waiting: deque[bytes] = deque()
        self._ended = threading.Event()
        self.lost = 0
        self._thread = threading.Thread(target=self._write, name="penchant-logs", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Have one line written soon."""
        if len(self._waiting) >= WAITING:
            self.lost += 1
            return
        try:
            self._waiting.append(self._shape(record, self._process).encode() + b"\n")
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Write what waits, if that does not take long."""
        self._ended.set()
        self._thread.join(_FLUSH)
        super().close()

    def _write(self) -> None:
        ended = False
        while not ended:
            # Asked before the lines are taken: the last ones were there by then.
            ended = self._ended.wait(EVERY)
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if self.lost:
                lost, self.lost = self.lost, 0
                lines.append(json.dumps({"process": self._process, "lost": lost}).encode() + b"\n")
            if lines:
                self._out(b"".join(lines))

    def _out(self, content: bytes) -> None:
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            return  # nobody reads any more


@contextmanager
def written(process: str, level: str, form: str) -> Iterator[Lines]:
    """Have everything that is logged in this process written as lines, until the block ends."""
    handler = Lines(process, form)
    root, own = logging.getLogger(), logging.getLogger("penchant")
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    own.setLevel(level.upper())
    logging.captureWarnings(True)
    # A line does not say where in the code it was made: finding out takes longer than writing it.
    asked = {name: getattr(logging, name) for name in _ORIGINS}
    for name in _ORIGINS:
        setattr(logging, name, None)
    before, sys.excepthook = sys.excepthook, _last_words
    try:
        yield handler
    finally:
        sys.excepthook = before
        for name, value in asked.items():
            setattr(logging, name, value)
        root.removeHandler(handler)
        handler.close()


def _last_words(kind: Any, error: BaseException, trace: Any) -> None:
    logging.getLogger("penchant").critical("died", exc_info=(kind, error, trace))


def _as_json(record: logging.LogRecord, process: str) -> str:
    content: dict[str, Any] = {
        "time": _moment(record.created),
        "level": record.levelname.lower(),
        "process": process,
        "logger": record.name,
        "message": record.getMessage(),
        **_fields(record),
    }
    if record.exc_info:
        content["exception"] = logging.Formatter().formatException(record.exc_info)
    return json.dumps(content, ensure_ascii=False, default=str)


def _as_text(record: logging.LogRecord, process: str) -> str:
    fields = " ".join(f"{k}={v}" for k, v in _fields(record).items())
    line = f"{_moment(record.created)} {record.levelname.lower():<7} {process:<10} "
    line += " ".join(part for part in (record.getMessage(), fields) if part)
    if record.exc_info:
        line += "\n" + logging.Formatter().formatException(record.exc_info)
    return line


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = dict(getattr(record, "fields", {}))
    if request_id := getattr(record, "request_id", ""):
        fields["request_id"] = request_id
    return fields


def _moment(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
