"""Metrics of several processes: they add up, outlive a process, and forget only what died."""

from __future__ import annotations

from pathlib import Path

from penchant.serve.telemetry.metrics import FOLDER, ended
from shelves import elsewhere

COUNT = """
import os, signal, sys
from penchant.serve.telemetry.observing import shared
from penchant.types import Status
telemetry = shared(sys.argv[1], sys.argv[2])
for _ in range(int(sys.argv[3])):
    telemetry.request("/v1/status", "GET", 200, 0.003)
status = Status(snapshot="000004-abc", items=3, offset=9, lag=2, waiting=1)
telemetry.observe(status, 0.5, 7)
"""
SHOW = """
import sys
from penchant.serve.telemetry.observing import shared
print(shared(sys.argv[1], "reader").render().decode())
"""
ASKED = 'penchant_requests_total{method="GET",route="/v1/status",status="200"}'


def samples(runtime: Path) -> dict[str, float]:
    lines = elsewhere(SHOW, runtime).splitlines()
    found = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in found}


def test_counters_add_up_over_processes_and_restarts(tmp_path: Path) -> None:
    elsewhere(COUNT, tmp_path, "worker-0", 3)
    elsewhere(COUNT, tmp_path, "worker-1", 4)
    elsewhere(COUNT, tmp_path, "worker-0", 5)  # started again
    found = samples(tmp_path)
    assert found[ASKED] == 12
    assert found['penchant_request_seconds_count{route="/v1/status"}'] == 12
    assert found['penchant_request_seconds_bucket{le="0.0025",route="/v1/status"}'] == 0
    assert found['penchant_request_seconds_bucket{le="0.005",route="/v1/status"}'] == 12
    # As many files as processes and kinds, however often one is started.
    assert len(list((tmp_path / FOLDER).glob("counter_*.db"))) == 3


def test_gauges_say_whose_they_are_and_go_with_their_process(tmp_path: Path) -> None:
    elsewhere(COUNT, tmp_path, "worker-0", 1)
    elsewhere(COUNT, tmp_path, "worker-1", 1)
    found = samples(tmp_path)
    for process in ("worker-0", "worker-1"):
        assert found[f'penchant_log_lag_events{{process="{process}"}}'] == 2
        assert found[f'penchant_freshness_seconds{{process="{process}"}}'] == 0.5
        assert found[f'penchant_snapshot_number{{process="{process}"}}'] == 4
        assert found[f'penchant_connections{{process="{process}"}}'] == 7
    assert 'penchant_log_lag_events{process="reader"}' not in found
    ended(tmp_path / FOLDER, "worker-1")
    after = samples(tmp_path)
    assert 'penchant_log_lag_events{process="worker-1"}' not in after
    assert 'penchant_log_lag_events{process="worker-0"}' in after
    assert after[ASKED] == 2


def test_what_nobody_measured_is_not_told(tmp_path: Path) -> None:
    elsewhere(COUNT, tmp_path, "worker-0", 0)
    found = samples(tmp_path)
    assert "penchant_catalogue_items" not in found
    assert found["penchant_shown_items_distinct"] == 0
