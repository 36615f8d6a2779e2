from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import penchant
from clouds import cloud
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.supplied import SuppliedEncoder
from penchant.language.heads.predictions import UNKNOWN
from penchant.language.heads.predictor import Predictor, WrongEncoder
from penchant.learn.heads.classes import learn_classes
from penchant.types import InvalidInput

TEXTS = [f"text {i}" for i in range(80)]
AWKWARD = ["", "  \n", "🫥", "x" * 1_000_000, "wo ist 我的卡 карта", "\ud83d", "text 3"]


@pytest.fixture
def supplied() -> tuple[SuppliedEncoder, np.ndarray]:
    rows, labels = cloud(80)
    return SuppliedEncoder(TEXTS, rows), labels


@pytest.fixture
def predictor(supplied: tuple[SuppliedEncoder, np.ndarray]) -> Predictor:
    encoder, labels = supplied
    return Predictor(encoder, learn_classes(encoder.encode(TEXTS), labels, encoder.id))


def test_texts_are_answered(predictor: Predictor) -> None:
    _, labels = cloud(80)
    said = predictor.predict(TEXTS)
    assert np.mean([a == b for a, b in zip(said.labels, labels, strict=True)]) > 0.9


def test_awkward_texts_are_unknown_and_no_error(predictor: Predictor) -> None:
    said = predictor.predict(AWKWARD)
    assert said.labels[:-1] == [UNKNOWN] * (len(AWKWARD) - 1)
    assert said[-1].label == "label 3"
    assert np.isfinite(said.values).all()
    assert len(predictor.predict([])) == 0


def test_what_is_no_text_is_refused(predictor: Predictor) -> None:
    for wrong in (None, "one text", {"one", "two"}, 3, [None], [("a", "b")]):
        with pytest.raises(InvalidInput, match="expected"):
            predictor.predict(wrong)  # type: ignore[arg-type]


def test_a_head_refuses_another_encoder(predictor: Predictor) -> None:
    other = SuppliedEncoder(TEXTS, cloud(80, seed=1)[0])
    with pytest.raises(WrongEncoder, match=r"expected the encoder supplied-16-.*learn the head"):
        Predictor(other, predictor.head)


def test_an_encoder_without_a_name_has_to_be_given(
    predictor: Predictor, supplied: tuple[SuppliedEncoder, np.ndarray], tmp_path: Path
) -> None:
    predictor.save(tmp_path / "head")
    with pytest.raises(InvalidInput, match="give encoder="):
        penchant.open_head(tmp_path / "head")
    again = penchant.open_head(tmp_path / "head", encoder=supplied[0])
    assert again.predict(TEXTS).labels == predictor.predict(TEXTS).labels


def test_a_head_alone_is_not_opened(predictor: Predictor, tmp_path: Path) -> None:
    predictor.head.save(tmp_path)
    with pytest.raises(InvalidInput, match="without its encoder"):
        penchant.open_head(tmp_path)


@pytest.fixture(scope="module")
def banker(encoder_folder: Path) -> Predictor:
    """A head on the default encoder, from a handful of texts written for this file."""
    told = {
        "card": "my card has not arrived;when will the new card come;card still not delivered",
        "pin": "i forgot my pin;how can i change my pin;the pin does not work at the machine",
        "refund": "please give me my money back;refund my purchase;i want a refund of the payment",
    }
    pairs = [(text, label) for label, line in told.items() for text in line.split(";")]
    texts, labels = zip(*pairs, strict=True)
    encoder = SentenceEncoder(encoder_folder)
    return penchant.learn_head(list(texts), list(labels), encoder=encoder)


def test_a_handful_of_texts_on_the_default_encoder(banker: Predictor, tmp_path: Path) -> None:
    asked = ["where is my card", "i do not remember my pin", "money back please", ""]
    said = banker.predict(asked)
    names = np.array(said.names)[said.values.argmax(axis=1)]
    assert names[:3].tolist() == ["card", "pin", "refund"]
    assert said[3].label == UNKNOWN
    far = banker.predict(["the orchestra tuned its violins before the second act"])
    assert far[0].label == UNKNOWN
    assert far.familiar[0] < said.familiar[:3].min()
    banker.save(tmp_path / "head")
    (described,) = (tmp_path / "head").rglob("encoder.json")
    assert json.loads(described.read_text())["model"]
    assert not list((tmp_path / "head").glob("encoder-*"))
    again = penchant.open_head(tmp_path / "head")
    np.testing.assert_allclose(again.predict(asked).values, said.values, atol=1e-5)


def test_opening_loads_nothing_of_the_learning(banker: Predictor, tmp_path: Path) -> None:
    banker.save(tmp_path / "head")
    code = f"""
import sys, penchant
said = penchant.open_head({str(tmp_path / "head")!r}).predict(["where is my card"])
unwanted = {{"torch", "sklearn", "scipy", "pandas", "transformers", "penchant.learn"}}
print(len(said), sorted(unwanted & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 []"
