"""Circumstances are learned where they tell something, and only there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from numbered import empty, make_view
from penchant.interests.context.config import ContextConfig
from penchant.interests.context.crowd import Crowd
from penchant.interests.context.schema import Schema
from penchant.learn.context.learning import crowd, learn, write
from penchant.learn.view import View
from penchant.store.artefacts import Artefacts

N, ITEMS = 6_000, 40
TEXTS = tuple(json.dumps({"weather": w, "mood": m}) for w in ("sun", "rain") for m in "abc")


def log(seed: int = 0) -> View:
    """In the sun the first items are wanted, in the rain the others; the mood decides nothing."""
    rng = np.random.default_rng(seed)
    contexts = rng.integers(0, len(TEXTS), N).astype(np.int32)
    rain = contexts >= 3
    items = (rng.integers(0, ITEMS // 2, N) + np.where(rain, ITEMS // 2, 0)).astype(np.int32)
    swap = rng.random(N) < 0.2
    items[swap] = rng.integers(0, ITEMS, int(swap.sum()))
    users = rng.integers(0, 200, N).astype(np.int32)
    times = 1e9 + np.sort(rng.random(N)) * 3e7
    view = make_view(users, items, times, empty(ITEMS))
    return replace(view, contexts=contexts, context_texts=TEXTS)


def test_a_field_that_tells_is_kept_and_noise_is_not() -> None:
    found = learn(log(), 1.03e9, ContextConfig())
    assert found.schema is not None
    assert [field.name for field in found.schema.fields] == ["weather"]
    assert found.gains["weather"] > 0.1
    assert found.gains["mood"] < 0.0
    assert found.gains["hour"] < 0.0


def test_nothing_is_learned_where_it_is_switched_off_or_nothing_tells() -> None:
    assert learn(log(), 1.03e9, ContextConfig(learn=False)).schema is None
    ignoring = ContextConfig(ignore=("weather",))
    assert learn(log(), 1.03e9, ignoring).schema is None
    silent = replace(log(), contexts=None, context_texts=())
    assert learn(silent, 1.03e9, ContextConfig()).schema is None


def test_nothing_of_the_window_is_known_to_it() -> None:
    view = log()
    begin = float(view.times[N // 2])
    past = learn(view, begin, ContextConfig())
    later = replace(view, contexts=np.where(view.times < begin, view.contexts, -1))  # type: ignore[arg-type]
    assert learn(later, begin, ContextConfig()).gains == past.gains


def test_what_is_learned_is_written_and_read(tmp_path: Path) -> None:
    view, folder = log(), Artefacts(tmp_path)
    found = learn(view, 1.03e9, ContextConfig())
    write(found.schema, view, folder)
    schema = Schema.load(folder)
    assert schema is not None
    assert found.schema is not None
    here = schema.here({"weather": "rain"}, 1e9)
    items = np.arange(ITEMS, dtype=np.int32)
    kept = Crowd.load(folder, schema, view.columns).lift(here, items)
    assert np.array_equal(kept, crowd(found.schema, view).lift(here, items))
    assert (kept[0, ITEMS // 2 :] > 0.2).all()
    assert (kept[0, : ITEMS // 2] < -0.2).all()


def test_a_log_of_which_nothing_lies_before_teaches_nothing() -> None:
    assert learn(log(), 0.0, ContextConfig()).schema is None
