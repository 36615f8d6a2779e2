"""Traces by OpenTelemetry, where its endpoint is named and its packages are installed.

A span for each request, beneath that of whoever asked if they say so (W3C trace context), and one
for each stage of an answer. Without an endpoint nothing of it is loaded.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from penchant.types import Slate

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
ROUTE = "penchant.route"  # in the scope of a request: the template of its path
_FLUSH = 2_000  # milliseconds

_log = logging.getLogger("penchant.tracing")


class Tracing:
    """Makes spans, and has `provider` send them."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import context, propagate, trace

        self._provider = provider
        self._tracer = provider.get_tracer("penchant")
        self._trace, self._propagate, self._context = trace, propagate, context

    def wrapped(self, app: Application) -> Application:
        """Return the application with a span around each request."""
        server, tracer = self._trace.SpanKind.SERVER, self._tracer

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            carrier = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
            method = scope["method"]
            with tracer.start_as_current_span(
                method,
                context=self._propagate.extract(carrier),
                kind=server,
                attributes={"http.request.method": method},
            ) as span:

                async def noted(message: Any) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                        if message["status"] >= 500:
                            span.set_status(self._trace.StatusCode.ERROR)
                    await send(message)

                await app(scope, receive, noted)
                # Only a template: a path holds ids of people.
                if template := scope.get(ROUTE):
                    span.update_name(f"{method} {template}")
                    span.set_attribute("http.route", template)

        return traced

    def here(self) -> dict[str, str]:
        """Return where in a trace this is, as the headers that say so to another process."""
        found: dict[str, str] = {}
        self._propagate.inject(found)
        return found

    @contextmanager
    def beneath(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Have spans hang below the one that another process is in."""
        token = self._context.attach(self._propagate.extract(headers))
        try:
            yield
        finally:
            self._context.detach(token)

    def stages(self, slate: Slate) -> None:
        """Add a span for each stage of an answer that was just given."""
        total = sum(stage.seconds for stage in slate.trace.stages)
        at = time.time_ns() - int(total * 1e9)
        for stage in slate.trace.stages:
            end = at + int(stage.seconds * 1e9)
            attributes: Mapping[str, Any] = {
                "penchant.came": stage.came,
                "penchant.went": stage.went,
            }
            span = self._tracer.start_span(stage.stage, start_time=at, attributes=attributes)
            span.end(end)
            at = end

    def close(self) -> None:
        """Send what waits."""
        self._provider.force_flush(_FLUSH)
        self._provider.shutdown()


def tracing(process: str, environment: Mapping[str, str] = os.environ) -> Tracing | None:
    """Return what traces this process; None where no endpoint is named, or a package is missing."""
    if not any(environment.get(name) for name in VARIABLES):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("no traces: an endpoint is named, but pip install 'penchant[tracing]' is due")
        return None
    name = environment.get("OTEL_SERVICE_NAME", "penchant")
    resource = Resource.create({"service.name": name, "service.instance.id": process})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
