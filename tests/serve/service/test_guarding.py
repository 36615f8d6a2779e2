"""The background keeps the results of experiments, and says what it stopped."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import penchant
from penchant.evaluate.experiment.measured import read_results
from penchant.rank.answer.stops import Stops
from penchant.serve.service.guarding import Guarding
from penchant.store.open import open_store
from shelves import mute

pytestmark = pytest.mark.service

NOW = 1_700_000_000.0
SETTINGS = """[encoder]
model = "none"
[experiments.doors]
metric = "click-through"
least = 50
guards = { click-through = 0.0 }
[experiments.doors.variants.closed]
share = 0.5
recommend = { opening = false }
"""


def test_what_does_harm_is_stopped_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = mute(tmp_path / "shelf", SETTINGS)
    rng = np.random.default_rng(0)
    with penchant.open(shelf) as engine:
        engine.add([penchant.Item(f"i{n}", title=f"thing {n}") for n in range(30)])
        engine.add(users=[{"user_id": f"u{n}"} for n in range(600)])
        for n in range(600):
            slate = engine.recommend(f"u{n}", 3, now=NOW + n)
            engine._store.impressions.flush()
            shown = engine._store.impressions.get(slate.id)
            assert shown is not None
            # Whoever is in the variant hardly ever takes anything.
            if rng.random() < (0.02 if "closed" in shown.variant else 0.6):
                event = penchant.Event(
                    f"u{n}", slate[0].item_id, "click", NOW + n + 0.5, slate_id=slate.id
                )
                engine.record(event, now=NOW + n + 1)
    with open_store(shelf) as store, caplog.at_level(logging.ERROR):
        guarding = Guarding(store, wall=lambda: NOW + 1_000)
        assert guarding() == 1
        assert guarding() == 0  # once
        assert "closed" in Stops(store.directory).read().of("doors")
    (found,) = read_results(shelf)
    assert found["state"] == "stopped"
    (told,) = [one for one in caplog.records if one.message == "a variant was stopped"]
    assert told.fields["variant"] == "closed"  # type: ignore[attr-defined]
