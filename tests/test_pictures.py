"""A shop whose pictures tell what its titles do not: the engine sees them, live too.

The shop and the network that reads its pictures are those of benchmarks/pictures.py; the network is
trained here, for seconds, on styles that the shop does not have.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

import penchant
from penchant.language.media.picture import Pictures
from penchant.rank.answer.served import Served
from shelves import ids

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "pictures.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_pictures", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(script: ModuleType, tmp_path_factory) -> Path:
    return Path(script.network(tmp_path_factory.mktemp("clip") / "model", 0, 120))


@pytest.fixture(scope="module")
def trained(script: ModuleType, model: Path, tmp_path_factory) -> Path:
    shop = script.shop(0, 500)
    folder = script.laid(shop, tmp_path_factory.mktemp("shop") / "shelf", model, "files", set())
    (folder / "i7.png").write_bytes(b"no picture")
    with penchant.open(folder, effort="fast") as engine:
        engine.add(script.offered(shop, model, "files", set()))
        now = script.BEGIN + 61 * script.DAY
        engine.record(shop.events.with_columns(event=pl.lit("click")), now=now)
        report = engine.train()
        assert "tuned" in report.measured
        (warning,) = engine.status().warnings
        assert "an item goes without its picture: i7.png" in warning
    return Path(folder)


@pytest.fixture
def own(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "shelf"))


def served(engine: penchant.Engine) -> Served:
    return engine._replica.follow()


def tuned(engine: penchant.Engine, numbers: list[int]) -> np.ndarray:
    (source,) = (s for s in served(engine).pipeline.recall.sources if s.name == "tuned")
    return np.asarray(source.vectors.rows(np.array(numbers, dtype=np.int32)))


def test_the_network_tells_styles_that_it_never_saw(
    script: ModuleType, model: Path, tmp_path: Path
) -> None:
    read, shop = Pictures(model), script.shop(1)
    rows = []
    for n in range(80):
        (tmp_path / "a.png").write_bytes(shop.pictures[f"i{n}.png"])
        rows.append(read(tmp_path / "a.png"))
    near = np.argsort(-(np.array(rows) @ np.array(rows).T) + 9 * np.eye(80), axis=1)[:, :3]
    assert (shop.style[near] == shop.style[:80, None]).mean() > 0.8


def test_what_looks_alike_is_near_in_the_learned_space(script: ModuleType, trained: Path) -> None:
    shop = script.shop(0, 500)
    with penchant.open(trained, effort="fast", read_only=True) as engine:
        rows = np.nan_to_num(tuned(engine, list(range(script.ITEMS))))
    cosines = rows @ rows.T
    same = (shop.style[:, None] == shop.style) & ~np.eye(script.ITEMS, dtype=bool)
    assert cosines[same].mean() > cosines[~same].mean() + 0.05


def test_a_new_item_is_placed_by_its_picture_at_once(script: ModuleType, own: Path) -> None:
    shop = script.shop(0, 500)
    (own / "new.png").write_bytes(shop.pictures["i3.png"])
    title = shop.items[3]["title"]
    with penchant.open(own, effort="fast") as engine:
        engine.add([{"item_id": "seen", "title": title, "attributes": {"image": "new.png"}}])
        engine.add([{"item_id": "unseen", "title": title}])
        twin, with_picture, without = tuned(engine, [3, script.ITEMS, script.ITEMS + 1])
        assert twin @ with_picture > 0.99
        assert np.isfinite(without).all()
        assert twin @ without < 0.98
        # Another picture is another place.
        other = next(n for n in range(script.ITEMS) if shop.style[n] != shop.style[3])
        (own / "new.png").write_bytes(shop.pictures[f"i{other}.png"])
        engine.add([{"item_id": "seen", "title": f"{title}!", "attributes": {"image": "new.png"}}])
        assert tuned(engine, [script.ITEMS])[0] @ twin < 0.98


def test_words_find_items_that_have_pictures(script: ModuleType, trained: Path) -> None:
    shop = script.shop(0, 500)
    with penchant.open(trained, effort="fast", read_only=True) as engine:
        now = script.BEGIN + 62 * script.DAY
        found = ids(engine.recommend(text="a chair", k=10, now=now, log=False))
    things = [script.NAMES[shop.thing[int(item[1:])]] for item in found]
    assert things.count("chair") >= 8


def test_a_model_that_is_gone_is_said_when_the_shelf_opens(script: ModuleType, own: Path) -> None:
    settings = own / "penchant.toml"
    settings.write_text(settings.read_text().replace("/model", "/nowhere"))
    with pytest.raises(penchant.Error, match=r"expected one of vision_model.onnx.*found none"):
        penchant.open(own, effort="fast")
