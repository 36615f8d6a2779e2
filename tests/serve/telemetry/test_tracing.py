"""Traces: spans of a request and its stages beneath the caller's; nothing loaded when not asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import penchant
import world
from penchant.serve.telemetry.observing import Telemetry
from penchant.serve.telemetry.tracing import ROUTE, Tracing, tracing
from shelves import elsewhere, filled

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_and_its_stages_hang_below_the_caller(tmp_path: Path) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry(traces=Tracing(provider))
    with penchant.open(filled(tmp_path / "shelf")) as engine:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            slate = await asyncio.to_thread(engine.recommend, "ann", 3, now=world.NOW)
            await asyncio.to_thread(telemetry.answer, slate)
            scope[ROUTE] = "/v1/recommend/{user}"
            await send({"type": "http.response.start", "status": 503, "headers": []})

        async def nothing(*_: Any) -> None:
            return

        scope = {"type": "http", "method": "GET", "headers": [(b"traceparent", PARENT.encode())]}
        asyncio.run(telemetry.traced(app)(scope, nothing, nothing))
    telemetry.close()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    request = spans["GET /v1/recommend/{user}"]
    assert f"{request.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{request.parent.span_id:016x}" == PARENT.split("-")[2]
    assert request.attributes["http.response.status_code"] == 503
    assert not request.status.is_ok
    gather = spans["gather"]
    assert gather.parent.span_id == request.context.span_id
    assert gather.attributes["penchant.came"] == len(world.ITEMS)
    assert gather.end_time <= spans["features"].end_time
    assert "ann" not in "".join(str(span.attributes) for span in spans.values())


def test_without_an_endpoint_there_is_no_tracing_and_nothing_of_it_is_loaded() -> None:
    assert tracing("worker-0", {}) is None

    async def app(*_: Any) -> None:
        return

    assert Telemetry().traced(app) is app
    code = """
import sys
from penchant.serve.telemetry.observing import Telemetry
Telemetry()
print(sorted({"opentelemetry", "fastapi", "uvicorn", "torch"} & set(sys.modules)))
"""
    assert elsewhere(code) == "[]"


def test_with_an_endpoint_spans_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    found = tracing("worker-0", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert isinstance(found, Tracing)
    found._provider.shutdown()
