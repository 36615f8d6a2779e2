"""The metrics by name: what is counted, in which unit, and what each says.

Of several processes the files of each lie in one folder, under a name that a process keeps when it
is started again: counters go on, nothing is counted twice, and there are no more files than
processes. Gauges that hold for one process say which in the label `process`, and go with it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import prometheus_client.values
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER = "metrics"
STATES = ("idle", "requested", "training", "failed")
_REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0)
_STAGE = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)
_LATEST: Literal["livemostrecent"] = "livemostrecent"


class Metrics:
    """Everything that is counted. With `shared`, a folder, together with other processes."""

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared
        self._registry = registry = CollectorRegistry()
        self._further: list[Collector] = []

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"penchant_{name}", about, labels, registry=registry)

        def histogram(name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"penchant_{name}", about, labels, buckets=buckets, registry=registry)

        def latest(name: str, about: str, *labels: str) -> Gauge:
            return Gauge(
                f"penchant_{name}", about, labels, registry=registry, multiprocess_mode=_LATEST
            )

        self.requests = counter("requests_total", "Requests answered.", "route", "method", "status")
        self.request_seconds = histogram(
            "request_seconds", "Time from a request to its answer.", _REQUEST, "route"
        )
        self.stage_seconds = histogram(
            "stage_seconds", "Time of one stage of an answer.", _STAGE, "stage"
        )
        self.slates = counter("slates_total", "Slates answered.")
        self.shared = counter(
            "answers_shared_total", "Answers given by another worker than was asked: it was idler."
        )
        self.shown = counter("shown_items_total", "Items in those slates.")
        self.shown_by = counter(
            "shown_items_by_source_total",
            "Items in those slates that a source had proposed; divided by all: its hit rate.",
            "source",
        )
        self.skipped = counter(
            "source_skipped_total",
            "Answers given without a source, because it failed, hangs, was late or not ready.",
            "source",
            "reason",
        )
        self.recorded = counter(
            "recorded_total", "Rows of items, people, links and events, by outcome.", "outcome"
        )
        self.troubles = counter(
            "troubles_total", "What went wrong beside the requests; the log says how.", "where"
        )
        self.behind_events = latest(
            "log_lag_events", "Events of the log not folded yet.", "process"
        )
        self.behind_seconds = latest(
            "freshness_seconds",
            "For how long there have been such events; 0 where there are none.",
            "process",
        )
        self.waiting = latest("writes_waiting", "Writes on their way to disk.", "process")
        self.lost = latest(
            "impressions_failed", "Impressions that could not be written.", "process"
        )
        self.warnings = latest("warnings", "Warnings of the engine since it was opened.", "process")
        self.snapshot_number = latest(
            "snapshot_number",
            "Number of the snapshot that answers, 0 before any training.",
            "process",
        )
        self.memory = latest(
            "memory_bytes", "Memory of the process that is not swapped out.", "process"
        )
        self.connections = latest("connections", "Connections that a worker holds.", "process")
        self.items = latest("catalogue_items", "Items of the catalogue.")
        self.events = latest("log_events", "The last offset of the log.")
        self.snapshot_created = latest(
            "snapshot_created_seconds", "When the current snapshot was made, since the epoch."
        )
        self.snapshot_age = latest("snapshot_age_seconds", "How old the current snapshot is.")
        self.quarantined = latest("quarantined_rows", "Rows kept aside, by reason.", "reason")
        self.store_bytes = latest("store_bytes", "Size of the files of the store.", "file")
        self.training_state = latest(
            "training_state", "1 for the state that training is in.", "state"
        )
        self.training_seconds = latest("training_seconds", "How long the last training took.")
        self.training_next = latest(
            "training_next_seconds", "When the next training is due, since the epoch; 0: never."
        )
        self.findings = latest(
            "findings", "What the watch over the log found and lasts.", "kind", "severity"
        )
        self.trainings = counter("trainings_total", "Trainings that ended.", "outcome")

    def also(self, collector: Collector) -> None:
        """Have this collected whenever everything is."""
        self._further.append(collector)

    def render(self) -> bytes:
        """Return everything in the text format of Prometheus, of all processes together."""
        registry = self._registry
        if self._shared is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(self._shared))  # type: ignore[no-untyped-call]
        content = generate_latest(registry)
        if self._further:
            further = CollectorRegistry()
            for one in self._further:
                further.register(one)
            content += generate_latest(further)
        return content


def join(folder: Path, process: str) -> None:
    """Have metrics made from now on lie in a folder that several processes share.

    The library knows processes by number, which would leave files behind for each that died; it
    takes any other name that no two living processes have.
    """
    folder.mkdir(exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    kind = prometheus_client.values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]
    prometheus_client.values.ValueClass = kind


def ended(folder: Path, process: str) -> None:
    """Forget the gauges of a process that is gone; what it counted stays."""
    for path in folder.glob(f"gauge_live*_{process}.db"):
        path.unlink(missing_ok=True)
