"""What a process of the service tells about itself: metrics, a line for each request, traces."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from penchant.serve.telemetry.coverage import Coverage
from penchant.serve.telemetry.metrics import FOLDER, STATES, Metrics, join
from penchant.serve.telemetry.tracing import Application, Tracing, tracing
from penchant.types import Slate, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_OUTCOMES = ("new", "changed", "same", "known", "quarantined", "duplicates", "removed")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logging.getLogger("penchant.request")
_troubles = logging.getLogger("penchant.trouble")
_Given = ParamSpec("_Given")


def _harmless(
    tell: Callable[Concatenate[Telemetry, _Given], None],
) -> Callable[Concatenate[Telemetry, _Given], None]:
    """Return the method, what goes wrong in it kept inside: counters lie in files, and disks are
    full. The first of each kind is logged."""

    @wraps(tell)
    def told(self: Telemetry, /, *given: _Given.args, **named: _Given.kwargs) -> None:
        try:
            tell(self, *given, **named)
        except Exception as error:
            kind = f"{tell.__name__}: {type(error).__name__}"
            if kind not in self._untold:
                self._untold.add(kind)
                _troubles.error("telemetry", extra={"fields": {"error": f"{kind}: {error}"}})

    return told


class Telemetry:
    """Counts, measures and tells. Alone, or through `shared` together with other processes.

    No method raises or waits: who is told of an answer must not be who prevents it.
    """

    def __init__(
        self,
        metrics: Metrics | None = None,
        coverage: Coverage | None = None,
        traces: Tracing | None = None,
        process: str = "here",
    ) -> None:
        self.metrics = Metrics() if metrics is None else metrics
        self._coverage = Coverage() if coverage is None else coverage
        self._traces = traces
        self._process = process
        self._reasons: set[str] = set()
        self._findings: set[tuple[str, str]] = set()
        self._untold: set[str] = set()
        self.metrics.also(_Shown(self))

    def request(
        self,
        route: str,
        method: str,
        status: int,
        seconds: float,
        request_id: str = "",
        **fields: Any,
    ) -> None:
        """Count one request, and log its line. `route` is a template: it must hold no id."""
        method = method if method in _METHODS else "OTHER"
        self._count(route, method, status, seconds)
        if _log.isEnabledFor(logging.INFO):
            line = {
                "request_id": request_id,
                "method": method,
                "route": route,
                "status": status,
                "ms": round(1000 * seconds, 2),
                **fields,
            }
            level = logging.ERROR if status >= 500 else logging.INFO
            _log.log(level, "request", extra={"fields": line})

    @_harmless
    def _count(self, route: str, method: str, status: int, seconds: float) -> None:
        self.metrics.requests.labels(route, method, str(status)).inc()
        self.metrics.request_seconds.labels(route).observe(seconds)

    @_harmless
    def answer(self, slate: Slate) -> None:
        """Count one slate: the time of each stage, and whose proposals were shown."""
        metrics = self.metrics
        metrics.slates.inc()
        for stage in slate.trace.stages:
            metrics.stage_seconds.labels(stage.stage).observe(stage.seconds)
            for name, note in stage.notes.items():
                reason = note.partition(":")[0] if isinstance(note, str) else ""
                if reason in ("failed", "late", "hangs", "not ready"):
                    metrics.skipped.labels(name, reason).inc()
        hits: dict[str, int] = {}
        for line in slate:
            for source in {r.name for r in line.reasons if r.kind == "source"}:
                hits[source] = hits.get(source, 0) + 1
        metrics.shown.inc(len(slate))
        for source, many in hits.items():
            metrics.shown_by.labels(source).inc(many)
        self._coverage.show(line.item_id for line in slate)
        if self._traces is not None:
            self._traces.stages(slate)

    @_harmless
    def shared(self) -> None:
        """Count an answer that another worker gave."""
        self.metrics.shared.inc()

    @_harmless
    def recorded(self, counts: Mapping[str, Any]) -> None:
        """Count rows that came in, by what became of them."""
        for outcome in _OUTCOMES:
            many = counts.get(outcome, 0)
            many = sum(many.values()) if isinstance(many, Mapping) else many
            if many:
                self.metrics.recorded.labels(outcome).inc(many)

    def render(self) -> bytes:
        """Return everything counted, by all processes, in the text format of Prometheus."""
        return self.metrics.render()

    def traced(self, app: Application) -> Application:
        """Return the application with a span around each request, or as it is without tracing."""
        return app if self._traces is None else self._traces.wrapped(app)

    def trace(self) -> Mapping[str, str]:
        """Return where in a trace this is, for another process; empty without tracing."""
        return {} if self._traces is None else self._traces.here()

    def beneath(self, trace: Mapping[str, str]) -> AbstractContextManager[None]:
        """Have the spans of a block hang below those of the process that sent `trace`."""
        return nullcontext() if self._traces is None else self._traces.beneath(trace)

    @_harmless
    def observe(self, status: Status, behind: float, connections: int) -> None:
        """Set what one process knows of itself; `behind` is for how long it lagged, in seconds."""
        number = status.snapshot.partition("-")[0]
        metrics = self.metrics
        for gauge, value in (
            (metrics.snapshot_number, int(number) if number.isdigit() else 0),
            (metrics.behind_events, status.lag),
            (metrics.behind_seconds, behind),
            (metrics.waiting, status.waiting),
            (metrics.lost, status.failed),
            (metrics.warnings, len(status.warnings)),
            (metrics.memory, _memory()),
            (metrics.connections, connections),
        ):
            gauge.labels(self._process).set(value)

    @_harmless
    def held(
        self,
        *,
        items: int,
        events: int,
        snapshot_created: float | None,
        quarantined: Mapping[str, int],
        state: str,
        sizes: Mapping[str, int],
    ) -> None:
        """Set what holds for the whole directory."""
        metrics = self.metrics
        metrics.items.set(items)
        metrics.events.set(events)
        if snapshot_created is not None:
            metrics.snapshot_created.set(snapshot_created)
            metrics.snapshot_age.set(max(0.0, time.time() - snapshot_created))
        for reason in self._reasons - set(quarantined):
            metrics.quarantined.labels(reason).set(0)
        self._reasons |= set(quarantined)
        for reason, many in quarantined.items():
            metrics.quarantined.labels(reason).set(many)
        for name, size in sizes.items():
            metrics.store_bytes.labels(name).set(size)
        for one in STATES:
            metrics.training_state.labels(one).set(int(one == state))

    @_harmless
    def trained(self, state: Mapping[str, Any], outcome: str | None) -> None:
        """Set the state of training; with an `outcome`, count one that ended."""
        for one in STATES:
            self.metrics.training_state.labels(one).set(int(one == state["state"]))
        self.metrics.training_next.set(state.get("next") or 0)
        if outcome is not None:
            self.metrics.trainings.labels(outcome).inc()
            began, ended = state.get("started"), state.get("ended")
            if began is not None and ended is not None:
                self.metrics.training_seconds.set(max(0.0, ended - began))

    @_harmless
    def found(self, lasting: Mapping[tuple[str, str], int]) -> None:
        """Set how many findings of the watch last, by kind and severity; those not named: none."""
        for gone in self._findings - set(lasting):
            self.metrics.findings.labels(*gone).set(0)
        self._findings |= set(lasting)
        for (kind, severity), many in lasting.items():
            self.metrics.findings.labels(kind, severity).set(many)

    def trouble(self, where: str, error: BaseException) -> None:
        """Count and log something that went wrong beside the requests."""
        self._trouble(where)
        _troubles.error(
            where, extra={"fields": {"error": f"{type(error).__name__}: {error}"}}, exc_info=error
        )

    @_harmless
    def _trouble(self, where: str) -> None:
        self.metrics.troubles.labels(where).inc()

    def shown_lately(self) -> float:
        """Return how many distinct items were shown in the last day."""
        return self._coverage.count()

    def close(self) -> None:
        """Send what waits to be sent."""
        if self._traces is not None:
            self._traces.close()


def shared(runtime: str | Path, process: str) -> Telemetry:
    """Return the telemetry of one process of several, which share the folder `runtime`.

    To be called before any metric is made in this process.
    """
    folder = Path(runtime)
    join(folder / FOLDER, process)
    return Telemetry(Metrics(folder / FOLDER), Coverage(folder), tracing(process), process)


class _Shown(Collector):
    """The one metric that is read from what all processes share, when it is asked for."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> Iterator[Metric]:
        """Yield the number of distinct items shown lately."""
        yield GaugeMetricFamily(
            "penchant_shown_items_distinct",
            "Distinct items shown in the last 24 hours, to 1%; divided by the catalogue: coverage.",
            value=round(self._telemetry.shown_lately()),
        )


def _memory() -> int:
    """Return the resident bytes of this process, 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
