"""The watch as the background does it: what it finds goes to metrics, logs and the webhook."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

import penchant
from penchant.evaluate.watch.findings import Findings
from penchant.serve.service.watching import Watching
from penchant.serve.telemetry.observing import Telemetry
from penchant.store.open import open_store
from shelves import MUTE, mute

from .test_webhook import KEY, Receiver, wait

DAY = 86_400.0
START = 1_735_689_600.0
NOW = START + 14 * DAY


def clicks(begin: float, end: float, every: float, people: int = 50) -> pl.DataFrame:
    n = int((end - begin) / every)
    return pl.DataFrame(
        {
            "user_id": [f"u{k * 7 % people}" for k in range(n)],
            "item_id": [f"i{k * 11 % 30}" for k in range(n)],
            "event": ["click"] * n,
            "timestamp": [begin + k * every for k in range(n)],
        }
    )


def test_a_silence_reaches_everybody_and_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver()
    settings = f'[watch]\nwebhook = "{receiver.url}"\nwebhook_key = "{KEY}"\nreplay = 0\n'
    shelf = mute(tmp_path / "shelf", MUTE + settings)
    now = [NOW + 300.0]
    telemetry = Telemetry()
    with penchant.open(shelf) as engine:
        engine.record(clicks(START, NOW, 60.0), now=NOW)
        watching = Watching(shelf, None, telemetry.found, clock=lambda: now[0])
        watching()
        assert b'kind="silence"' not in telemetry.render()
        now[0] = NOW + 6 * 3600.0
        with caplog.at_level(logging.INFO, logger="penchant.watch"):
            watching()
        assert b'penchant_findings{kind="silence",severity="critical"} 1.0' in telemetry.render()
        assert any("no events of any kind" in line for line in caplog.messages)
        wait(lambda: len(receiver.taken) == 1)
        told = json.loads(receiver.taken[0][1])
        assert told["state"] == "open"
        assert told["finding"]["subject"] == "events"
        # They come again, and an hour later it is over.
        engine.record(clicks(now[0], now[0] + 2 * 3600.0, 60.0), now=now[0] + 2 * 3600.0)
        now[0] += 2 * 3600.0
        watching()
        watching()
        wait(lambda: len(receiver.taken) == 2)
        told = json.loads(receiver.taken[1][1])
        assert told["state"] == "over"
        assert b'penchant_findings{kind="silence",severity="critical"} 0.0' in telemetry.render()
    watching.close()
    receiver.close()
    assert [one.over is not None for one in Findings.load(shelf).rows] == [True]


def test_what_is_switched_off_does_nothing(tmp_path: Path) -> None:
    shelf = mute(tmp_path / "shelf", MUTE + "[watch]\non = false\n")
    penchant.open(shelf).close()
    told: list[Mapping[tuple[str, str], int]] = []
    watching = Watching(shelf, None, told.append)
    watching()
    watching.close()
    assert told == []
    assert not (shelf / "watch").exists()


def test_a_person_is_named_neither_in_logs_nor_in_what_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver()
    settings = f'[watch]\nwebhook = "{receiver.url}"\nwebhook_key = "{KEY}"\nreplay = 0\n'
    settings += '[cleaning]\noff = ["burst"]\n'
    shelf = mute(tmp_path / "shelf", MUTE + settings)
    now = [NOW + 300.0]
    with penchant.open(shelf) as engine:
        engine.record(clicks(START, NOW, 240.0, people=140), now=NOW)
        watching = Watching(shelf, None, lambda _: None, clock=lambda: now[0])
        watching()
        usual = clicks(NOW, NOW + 3600.0, 240.0, people=140)
        flood = clicks(NOW + 60.0, NOW + 3600.0, 5.0, people=1).with_columns(
            user_id=pl.lit("somebody-special")
        )
        engine.record(pl.concat([usual, flood]), now=NOW + 3600.0)
        now[0] = NOW + 3900.0
        with caplog.at_level(logging.INFO, logger="penchant.watch"):
            watching()
        kinds = {one.kind: one for one in Findings.load(shelf).open}
        assert "person" in kinds
        wait(lambda: len(receiver.taken) == len(kinds))
        with open_store(shelf, read_only=True) as store:
            assert store.people.get([kinds["person"].person])["user_id"][0] == "somebody-special"
    watching.close()
    receiver.close()
    said = b"".join(body for _, body in receiver.taken).decode() + caplog.text
    assert "somebody-special" not in said
    assert f"person:{kinds['person'].person}" not in said
