"""The encoder of a snapshot: tuned on the log, kept by later trainings, and gone with it.

The topic of an item cannot be told from its words but by who wanted what: see `made`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import penchant
from learn.tuning.made import model_folder, texts
from penchant.language.encoder.open import OWN, EncoderConfig, own_encoder
from penchant.learn.encoder.export import export
from penchant.learn.release.encoding import same_encoder
from penchant.rank.answer.served import Served
from shelves import ids

ITEMS, PEOPLE, DAY = 80, 240, 86_400.0
BEGIN = 1.6e9
SETTINGS = """
[encoder]
model = "{model}"
max_tokens = 64
[text]
reviews = 0
[learn]
requests = 300
least_compared = 1000000
"""
TUNED = "encoder = true\nencoder_seconds = 20\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    source = model_folder(folder / "plain")
    # What is opened is an export; what is tuned are the weights beside it.
    export(source, folder / "exported")
    for path in (folder / "exported").iterdir():
        shutil.copy2(path, source / path.name)
    return source


def people(seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(PEOPLE):
        liked = rng.permutation(np.arange(person % 4, ITEMS, 4))[:9]
        moments = np.sort(rng.random(len(liked))) * 90 * DAY + BEGIN
        rows += [
            {"user_id": f"u{person}", "item_id": f"i{item}", "event": "click", "timestamp": moment}
            for item, moment in zip(liked, moments, strict=True)
        ]
    return rows


def written(shelf: Path, model: Path, more: str = "") -> None:
    (shelf / "penchant.toml").write_text(SETTINGS.format(model=model) + more, encoding="utf-8")


@pytest.fixture(scope="module")
def tuned(model: Path, tmp_path_factory) -> Path:
    """A shelf with two snapshots: one of the plain encoder, and one of a tuned."""
    shelf = tmp_path_factory.mktemp("shelf")
    written(shelf, model)
    with penchant.open(shelf, effort="fast") as engine:
        engine.add([{"item_id": f"i{n}", "title": text} for n, text in enumerate(texts(ITEMS))])
        engine.record(people(), now=BEGIN + 91 * DAY)
        engine.train()
    written(shelf, model, TUNED)
    with penchant.open(shelf, effort="fast") as engine:
        engine.train()
    return shelf


@pytest.fixture
def own(tuned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tuned, tmp_path / "shelf"))


def served(engine: penchant.Engine) -> Served:
    return engine._replica.follow()


def same_topic(engine: penchant.Engine) -> float:
    """Return which share of the nearest five texts of each item are of its topic."""
    rows = served(engine).vectors.rows(np.arange(ITEMS, dtype=np.int32))
    near = np.argsort(-(rows @ rows.T) + 9 * np.eye(ITEMS), axis=1)[:, :5]
    return float((near % 4 == np.arange(ITEMS)[:, None] % 4).mean())


def manifest(shelf: Path) -> dict:
    current = (shelf / "snapshots" / "current").read_text().strip()
    found: dict = json.loads((shelf / "snapshots" / current / "manifest.json").read_text())
    return found


def test_a_tuned_encoder_lies_in_its_snapshot_and_says_what_it_gained(tuned: Path) -> None:
    found = manifest(tuned)
    assert found["encoder"]["kept"] == "tuned"
    assert found["encoder"]["best"] > found["encoder"]["before"]
    assert {f"{OWN}/meta.json", f"{OWN}/model.int8.onnx"} <= set(found["files"])
    assert f"{OWN}/model.onnx" not in found["files"]
    assert not (tuned / "tuning").exists()


def test_texts_that_the_same_people_want_are_near_where_it_reads(own: Path) -> None:
    with penchant.open(own, effort="fast") as engine:
        after = same_topic(engine)
        engine.activate(engine.snapshots()[0].id)
        before = same_topic(engine)
    assert after > before + 0.04


def test_a_new_item_and_a_question_are_read_by_the_encoder_of_the_snapshot(own: Path) -> None:
    text = texts(ITEMS)[2]
    with penchant.open(own, effort="fast") as engine:
        engine.add([{"item_id": "new", "title": text}])
        now = served(engine)
        assert now.encoder is not None
        twin, row = now.vectors.rows(np.array([2, ITEMS], dtype=np.int32))
        assert twin @ row > 0.99
        asked = engine.recommend(text=text, now=BEGIN + 92 * DAY, k=5)
        assert {"i2", "new"} <= set(ids(asked))
        first = now.encoder
        engine.activate(engine.snapshots()[0].id)
        plain = served(engine)
        assert plain.encoder is not None
        assert plain.encoder.id != first.id
        twin, row = plain.vectors.rows(np.array([2, ITEMS], dtype=np.int32))
        assert twin @ row > 0.99
        assert {"i2", "new"} <= set(ids(engine.recommend(text=text, now=BEGIN + 92 * DAY, k=5)))


def test_what_was_written_while_another_snapshot_answered_is_read_again(
    own: Path, model: Path
) -> None:
    written(own, model, TUNED)
    with penchant.open(own, effort="fast") as engine:
        latest = engine.status().snapshot
        engine.activate(engine.snapshots()[0].id)
        engine.add([{"item_id": "i3", "title": texts(ITEMS)[2]}])
        engine.activate(latest)
        twin, row = served(engine).vectors.rows(np.array([2, 3], dtype=np.int32))
        assert twin @ row > 0.99


def test_a_training_that_tunes_nothing_goes_on_with_it(own: Path, model: Path) -> None:
    before = own / "snapshots" / (own / "snapshots" / "current").read_text().strip()
    written(own, model)
    with penchant.open(own, effort="fast") as engine:
        engine.train()
    after = own / "snapshots" / (own / "snapshots" / "current").read_text().strip()
    assert after != before
    assert same_encoder(before, after)
    assert manifest(own)["encoder"] == {"kept": "of the snapshot before"}


@pytest.mark.parametrize("change", ["off", "text"])
def test_it_is_let_go_where_the_settings_say_so(own: Path, model: Path, change: str) -> None:
    written(own, model, "encoder = false\n")
    if change == "text":  # what an item says is another text by now
        written(own, model)
        settings = own / "penchant.toml"
        settings.write_text(settings.read_text().replace("reviews = 0", 'parts = ["{title}!"]'))
    with penchant.open(own, effort="fast") as engine:
        engine.train()
    assert manifest(own)["encoder"] is None
    assert not any(name.startswith(OWN) for name in manifest(own)["files"])


def test_the_gate_asks_each_snapshot_in_its_own_space(own: Path, model: Path) -> None:
    written(own, model, "encoder = false\n")
    settings = own / "penchant.toml"
    settings.write_text(settings.read_text().replace("1000000", "20"))
    with penchant.open(own, effort="fast") as engine:
        engine.record(
            [row | {"timestamp": row["timestamp"] + 120 * DAY} for row in people(1)],
            now=BEGIN + 220 * DAY,
        )
        report = engine.train()
    gate = report.data["gate"]
    assert gate["ndcg_before"] > 0.05
    assert "not comparable" not in gate["reason"]


def test_what_is_tried_before_is_said_and_what_pays_is_learned_with(
    model: Path, tmp_path: Path
) -> None:
    written(tmp_path, model, TUNED + "encoder_trials = 3\n")
    with penchant.open(tmp_path, effort="fast") as engine:
        engine.add([{"item_id": f"i{n}", "title": text} for n, text in enumerate(texts(ITEMS))])
        engine.record(people(), now=BEGIN + 91 * DAY)
        report = engine.train()
    tried = {one["what"]: one for one in report.data["encoder"]["tried"]}
    assert list(tried) == ["together", "next_item", "category", "hard_negatives", "pretraining"]
    assert "no item has a category" in tried["category"]["problem"]
    assert tried["together"]["kept"]
    assert report.data["encoder"]["best"] > report.data["encoder"]["before"]
    assert not (tmp_path / "tuning").exists()


def test_a_damaged_encoder_is_a_damaged_snapshot(own: Path) -> None:
    found = own / "snapshots" / (own / "snapshots" / "current").read_text().strip()
    path = found / OWN / "model.int8.onnx"
    path.write_bytes(path.read_bytes()[:-9])
    with penchant.open(own, effort="fast") as engine:
        assert engine.status().snapshot == engine.snapshots()[0].id
        assert len(engine.recommend("u1", now=BEGIN + 92 * DAY)) == 10


def test_no_behaviour_to_learn_from_leaves_the_plain_encoder(model: Path, tmp_path: Path) -> None:
    written(tmp_path, model, TUNED)
    with penchant.open(tmp_path, effort="fast") as engine:
        engine.add([{"item_id": f"i{n}", "title": text} for n, text in enumerate(texts(ITEMS))])
        engine.record(people()[:200], now=BEGIN + 91 * DAY)
        report = engine.train()
    assert report.data["encoder"]["kept"] == "original"
    assert "of 100 questions" in report.data["encoder"]["reason"]


def test_a_model_without_its_weights_cannot_be_tuned_and_reads_on(
    model: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("meta.json", "model.int8.onnx", "model.onnx", "tokenizer.json"):
        shutil.copy2(model / name, bare / name)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    written(shelf, bare, TUNED)
    with penchant.open(shelf, effort="fast") as engine:
        engine.add([{"item_id": f"i{n}", "title": text} for n, text in enumerate(texts(ITEMS))])
        engine.record(people(), now=BEGIN + 91 * DAY)
        report = engine.train()
    assert report.data["encoder"]["kept"] == "original"
    assert "safetensors" in report.data["encoder"]["reason"]


def test_the_precision_in_the_folder_is_taken(tuned: Path) -> None:
    found = tuned / "snapshots" / (tuned / "snapshots" / "current").read_text().strip()
    asked = EncoderConfig(precision="fp32", endpoint="http://127.0.0.1:9/v1")
    config = own_encoder(asked, found)
    assert (config.precision, config.endpoint) == ("int8", "")
    assert own_encoder(asked, tuned) is asked
    assert own_encoder(EncoderConfig(model="none"), found).model == "none"
