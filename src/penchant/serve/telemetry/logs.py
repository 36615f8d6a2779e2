"""Logs: one line for each thing that happened, as JSON for a machine or as text for a person.

Lines are written by a thread of their own. Whoever reads them may be slow; an answer never waits
for that, and what does not fit into memory is counted and left out.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WAITING = 20_000  # lines
_FLUSH = 2.0  # seconds that the last lines may take
_TOGETHER = 200


class Lines(logging.Handler):
    """Writes records to a file by its number."""

    def __init__(self, process: str, form: str, descriptor: int = 2) -> None:
        super().__init__()
        if form == "auto":
            form = "text" if os.isatty(descriptor) else "json"
        self._shape = _as_json if form == "json" else _as_text
        self._process, self._descriptor = process, descriptor
        self._waiting: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self.lost = 0
        self._thread = threading.Thread(target=self._write, name="penchant-logs", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put one line into the queue."""
        try:
            self._waiting.put_nowait(self._shape(record, self._process).encode() + b"\n")
        except queue.Full:
            self.lost += 1
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Write what waits, if that does not take long."""
        try:
            self._waiting.put(None, timeout=_FLUSH)
            self._thread.join(_FLUSH)
        except queue.Full:
            pass
        super().close()

    def _write(self) -> None:
        while (line := self._waiting.get()) is not None:
            lines = [line]
            last = False
            while len(lines) < _TOGETHER and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    last = True
                    break
                lines.append(following)
            if self.lost:
                lost, self.lost = self.lost, 0
                lines.append(json.dumps({"process": self._process, "lost": lost}).encode() + b"\n")
            self._out(b"".join(lines))
            if last:
                return

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
    before, sys.excepthook = sys.excepthook, _last_words
    try:
        yield handler
    finally:
        sys.excepthook = before
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
