"""What every head promises, checked on every head of the package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import penchant.language.heads as room
from clouds import cloud, paired_cloud
from penchant.language.heads.classes import ClassHead
from penchant.language.heads.head import Head
from penchant.language.heads.labels import LabelsHead
from penchant.language.heads.linear import HeadDamaged
from penchant.language.heads.open import read_head
from penchant.language.heads.predictions import UNKNOWN, Prediction
from penchant.language.heads.relevance import RelevanceHead
from penchant.language.heads.value import ValueHead
from penchant.learn.heads.classes import learn_classes
from penchant.learn.heads.labels import learn_labels
from penchant.learn.heads.relevance import learn_relevance
from penchant.learn.heads.value import learn_value
from penchant.types import InvalidInput

ENCODER = "supplied-for-the-test"


def a_class() -> Head:
    return learn_classes(*cloud(), ENCODER)


def labels() -> Head:
    rows, which = cloud()
    sets = [{w, "even"} if w[-1] in "02" else {w} for w in which]
    return learn_labels(rows, sets, ENCODER)


def value() -> Head:
    rows, which = cloud()
    return learn_value(rows, [float(w[-1]) for w in which], ENCODER)


def relevance() -> Head:
    rows, yes, queries = paired_cloud()
    return learn_relevance(rows, yes, ENCODER, queries=queries)


CASES: dict[str, tuple[type, Callable[[], Head]]] = {
    "class": (ClassHead, a_class),
    "labels": (LabelsHead, labels),
    "value": (ValueHead, value),
    "relevance": (RelevanceHead, relevance),
}
LEARNED: dict[str, Head] = {}


@pytest.fixture(params=CASES)
def head(request: pytest.FixtureRequest) -> Head:
    # Heads are frozen: learned once for all tests.
    if request.param not in LEARNED:
        LEARNED[request.param] = CASES[request.param][1]()
    return LEARNED[request.param]


def rows_for(head: Head, n: int = 50) -> np.ndarray:
    if head.kind == "relevance":
        return paired_cloud(seed=5)[0][:n]
    return cloud(n, seed=5)[0]


def same(a: Head, b: Head, rows: np.ndarray) -> None:
    one, two = a.predict(rows), b.predict(rows)
    np.testing.assert_allclose(one.values, two.values, atol=1e-6)
    np.testing.assert_allclose(one.familiar, two.familiar, atol=1e-2)
    assert (one.names, one.kind) == (two.names, two.kind)


def test_every_head_of_the_package_is_in_this_suite() -> None:
    found = set()
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            methods = ("kind", "predict", "save", "dimension")
            if all(hasattr(cls, m) for m in methods) and cls is not Head:
                found.add(cls)
    assert found == {cls for cls, _ in CASES.values()}


def test_it_names_its_kind_and_encoder(head: Head, request: pytest.FixtureRequest) -> None:
    assert head.kind in request.node.name
    assert head.encoder == ENCODER
    assert head.dimension == rows_for(head).shape[1]


def test_answers_are_columns_in_the_order_of_the_rows(head: Head) -> None:
    rows = rows_for(head)
    said = head.predict(rows)
    assert len(said) == len(rows)
    assert said.values.shape == (len(rows), len(said.names))
    assert said.values.dtype == said.familiar.dtype == np.float32
    assert said.known.dtype == np.bool_
    if head.kind != "value":
        assert ((said.values >= 0) & (said.values <= 1)).all()
    order = np.random.default_rng(1).permutation(len(rows))
    np.testing.assert_allclose(head.predict(rows[order]).values, said.values[order], atol=1e-6)
    assert all(isinstance(one, Prediction) for one in said)
    assert said.labels == [one.label for one in said]


def test_a_batch_equals_single_rows(head: Head) -> None:
    rows = rows_for(head)
    said = head.predict(rows)
    for i, row in enumerate(rows):
        one = head.predict(row[None])
        np.testing.assert_allclose(one.values[0], said.values[i], atol=1e-6)
        np.testing.assert_allclose(one.familiar[0], said.familiar[i], atol=1e-5)


def test_saved_and_read_it_answers_the_same(head: Head, tmp_path: Path) -> None:
    head.save(tmp_path / "head")
    again = read_head(tmp_path / "head")
    assert type(again) is type(head)
    same(head, again, rows_for(head))
    again.save(tmp_path / "head")  # over what is there
    same(head, read_head(tmp_path / "head"), rows_for(head))
    assert [p.name for p in tmp_path.iterdir()] == ["head"]


def test_rows_that_say_nothing_are_unknown(head: Head) -> None:
    rows = rows_for(head, 4)
    rows[0] = 0
    rows[1, 3] = np.nan
    rows[2, 2] = np.inf
    said = head.predict(rows)
    assert np.isfinite(said.values).all()
    assert said.known[:3].tolist() == [False] * 3
    assert [said[i].label for i in range(3)] == [UNKNOWN] * 3


def test_the_length_of_a_row_does_not_matter(head: Head) -> None:
    rows = rows_for(head)
    said = head.predict(rows)
    for factor in (1e-30, 1e30):
        got = head.predict(rows.astype(np.float64) * factor)  # type: ignore[arg-type]
        np.testing.assert_allclose(got.values, said.values, atol=1e-4)
        assert (got.known == said.known).mean() > 0.95


def test_no_rows_give_no_answers(head: Head) -> None:
    said = head.predict(np.zeros((0, head.dimension), np.float32))
    assert len(said) == 0
    assert said.labels == []


def test_rows_of_another_encoder_are_refused(head: Head) -> None:
    for wrong in (np.zeros((3, head.dimension + 1), np.float32), np.zeros(head.dimension)):
        with pytest.raises(InvalidInput, match="expected"):
            head.predict(wrong)


def test_it_knows_most_texts_like_those_it_learned(head: Head) -> None:
    assert head.predict(rows_for(head)).known.mean() > 0.8


def test_damage_is_noticed(head: Head, tmp_path: Path) -> None:
    folder = tmp_path / "head"
    head.save(folder)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert {"head.json", "manifest.json", "familiar.npy"} <= {path.name for path in files}
    for name in files:
        path = folder / name
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[len(changed) // 2] ^= 1
        path.write_bytes(bytes(changed))
        with pytest.raises(HeadDamaged):
            read_head(folder)
        path.unlink()
        with pytest.raises(HeadDamaged, match="missing"):
            read_head(folder)
        path.write_bytes(whole)
    assert read_head(folder).kind == head.kind


def test_what_is_no_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="expected the folder of a head"):
        read_head(tmp_path)


def test_inputs_are_left_alone(head: Head) -> None:
    rows = rows_for(head)
    before = rows.copy()
    head.predict(rows)
    np.testing.assert_array_equal(rows, before)
