"""What is counted of answers and records, asked of a real engine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import penchant
import world
from penchant.serve.telemetry.observing import Telemetry
from penchant.types import StageTrace, Trace
from shelves import filled


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[penchant.Engine]:
    with penchant.open(filled(tmp_path / "shelf")) as opened:
        yield opened


def samples(telemetry: Telemetry) -> dict[str, float]:
    lines = telemetry.render().decode().splitlines()
    found = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in found}


def test_an_answer_is_counted_by_stage_and_by_source(engine: penchant.Engine) -> None:
    telemetry = Telemetry()
    slate = engine.recommend("ann", 5, now=world.NOW)
    telemetry.answer(slate)
    telemetry.answer(engine.recommend("eve", 3, now=world.NOW))
    found = samples(telemetry)
    assert found["penchant_slates_total"] == 2
    assert found["penchant_shown_items_total"] == 8
    for stage in slate.trace.stages:
        assert found[f'penchant_stage_seconds_count{{stage="{stage.stage}"}}'] == 2
    name = "penchant_shown_items_by_source_total"
    hits = {key: value for key, value in found.items() if key.startswith(name)}
    assert hits
    assert all(0 < value <= 8 for value in hits.values())
    proposed = {r.name for line in slate for r in line.reasons if r.kind == "source"}
    assert {f'{name}{{source="{source}"}}' for source in proposed} <= set(hits)
    shown = {line.item_id for line in slate}
    assert found["penchant_shown_items_distinct"] >= len(shown)


def test_a_source_that_was_skipped_is_told(engine: penchant.Engine) -> None:
    telemetry = Telemetry()
    slate = engine.recommend("ann", 2, now=world.NOW)
    notes = {
        "linear": "failed: ValueError: on purpose",
        "text": "late: skipped",
        "lexical": "not ready: reading",
        "after": 3,
    }
    telemetry.answer(replace(slate, trace=Trace((StageTrace("gather", 1, 1, 0.1, notes),))))
    found = samples(telemetry)
    name = "penchant_source_skipped_total"
    assert found[f'{name}{{reason="failed",source="linear"}}'] == 1
    assert found[f'{name}{{reason="late",source="text"}}'] == 1
    assert found[f'{name}{{reason="not ready",source="lexical"}}'] == 1
    assert sum(value for key, value in found.items() if key.startswith(name)) == 3


def test_records_are_counted_by_what_became_of_them(engine: penchant.Engine) -> None:
    telemetry = Telemetry()
    event = {"user_id": "ann", "item_id": "w6", "event_id": "once", "timestamp": world.NOW}
    telemetry.recorded(engine.record(event, now=world.NOW))
    telemetry.recorded(engine.record(event, now=world.NOW))
    telemetry.recorded({"new": 2, "quarantined": {"item_id_missing": 3, "user_id_missing": 1}})
    found = samples(telemetry)
    assert found['penchant_recorded_total{outcome="new"}'] == 3
    assert found['penchant_recorded_total{outcome="known"}'] == 1
    assert found['penchant_recorded_total{outcome="quarantined"}'] == 4


def test_requests_are_counted_under_names_that_nobody_can_multiply() -> None:
    telemetry = Telemetry()
    telemetry.request("/v1/status", "GET", 200, 0.01, "r1")
    telemetry.request("unknown", "BREW", 405, 0.001)
    telemetry.request("unknown", "PROPFIND", 405, 0.001)
    found = samples(telemetry)
    assert found['penchant_requests_total{method="OTHER",route="unknown",status="405"}'] == 2
    assert found['penchant_request_seconds_sum{route="/v1/status"}'] == 0.01


def test_what_holds_for_the_directory_and_its_trainings_is_told() -> None:
    telemetry = Telemetry()
    telemetry.held(
        items=9,
        events=12,
        snapshot_created=None,
        quarantined={"bad": 2},
        state="idle",
        sizes={"penchant.db": 4096},
    )
    telemetry.held(items=9, events=12, snapshot_created=1.0, quarantined={}, state="idle", sizes={})
    telemetry.trained({"state": "training", "next": 5.0}, None)
    telemetry.trained({"state": "failed", "next": None, "started": 10.0, "ended": 12.5}, "failed")
    found = samples(telemetry)
    assert found['penchant_quarantined_rows{reason="bad"}'] == 0  # they were looked at
    assert found['penchant_training_state{state="failed"}'] == 1
    assert found['penchant_training_state{state="training"}'] == 0
    assert found['penchant_trainings_total{outcome="failed"}'] == 1
    assert found["penchant_training_seconds"] == 2.5
    assert found["penchant_snapshot_age_seconds"] > 1e9


def test_findings_that_are_over_are_told_as_none() -> None:
    telemetry = Telemetry()
    telemetry.found({("rate", "warning"): 2, ("item", "notice"): 1})
    telemetry.found({("item", "notice"): 3})
    found = samples(telemetry)
    assert found['penchant_findings{kind="rate",severity="warning"}'] == 0
    assert found['penchant_findings{kind="item",severity="notice"}'] == 3


def test_what_cannot_be_counted_costs_nobody_an_answer(
    engine: penchant.Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = Telemetry()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for counter in (
        telemetry.metrics.slates,
        telemetry.metrics.requests,
        telemetry.metrics.troubles,
    ):
        monkeypatch.setattr(counter, "labels", full)
        monkeypatch.setattr(counter, "inc", full)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            telemetry.answer(engine.recommend("ann", 2, now=world.NOW))
            telemetry.request("/v1/recommend", "GET", 200, 0.01)
            telemetry.trouble("watch", ValueError("on purpose"))
    said = [record.message for record in caplog.records if record.name.startswith("penchant.")]
    assert said.count("request") == 3  # the line is written all the same
    assert said.count("watch") == 3
    assert said.count("telemetry") == 3  # once for each of the three
