"""Logs: one line each, never in the way of an answer, and the last ones are not lost."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from penchant.serve.telemetry import logs
from shelves import elsewhere

WRITE = """
import logging, sys
from penchant.serve.telemetry import logs
with logs.written("worker-3", sys.argv[1], sys.argv[2]):
    log = logging.getLogger("penchant.request")
    log.info("request", extra={"fields": {"route": "/v1/rank/{user}", "ms": 1.5}})
    log.debug("detail")
    log.error("half", extra={"request_id": "r1"})
    logging.getLogger("somebody.else").info("unasked")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("broke")
"""


def lines(*options: str) -> list[str]:
    code = f"import os; os.dup2(1, 2)\n{WRITE}"
    return elsewhere(code, *options).splitlines()


def test_a_line_is_json_with_the_fields_at_the_top() -> None:
    read = [json.loads(line) for line in lines("info", "json")]
    assert [one["message"] for one in read] == ["request", "half", "broke"]
    first = read[0]
    assert first["route"] == "/v1/rank/{user}"
    assert (first["level"], first["process"], first["ms"]) == ("info", "worker-3", 1.5)
    assert first["time"].endswith("Z")
    assert read[1]["request_id"] == "r1"
    assert "ZeroDivisionError" in read[2]["exception"]


def test_text_is_for_people_and_levels_are_kept() -> None:
    found = lines("warning", "text")
    assert " error " in found[0]
    assert "half request_id=r1" in found[0]
    assert found[-1] == "ZeroDivisionError: division by zero"


def test_auto_is_json_where_no_person_reads() -> None:
    assert json.loads(lines("info", "auto")[0])["message"] == "request"


def test_a_reader_that_is_stuck_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import logging

    monkeypatch.setattr(logs, "WAITING", 50)
    reading, writing = os.pipe()
    handler = logs.Lines("worker-0", "json", writing)
    record = logging.LogRecord("penchant", logging.INFO, "", 0, "x" * 5_000, None, None)
    began = time.monotonic()
    for _ in range(500):
        handler.emit(record)
    assert time.monotonic() - began < 2.0
    written = bytearray()

    def read() -> None:
        while part := os.read(reading, 1 << 20):
            written.extend(part)

    thread = threading.Thread(target=read)
    thread.start()
    handler.close()
    os.close(writing)
    thread.join()
    os.close(reading)
    said = [json.loads(line) for line in written.decode().splitlines()]
    lost = sum(line.get("lost", 0) for line in said)
    # What did not fit is counted, and all that did is there.
    assert lost > 50
    assert sum("message" in line for line in said) + lost == 500
