"""What every encoder promises, checked on every encoder of the package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import penchant.language.encoder as room
from penchant.language.encoder.cache import CachedEncoder
from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.endpoint import EndpointEncoder
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.supplied import SuppliedEncoder
from penchant.types import InvalidInput

TEXTS = [
    "a quiet western about an old sheriff",
    "tea",
    "星际旅行者的回忆录，中文标题",
    "رواية قصيرة عن البحر 123",
    "ספר שירים ישן",
    "rocket 🚀 and 👩‍🚀 to the moon",
    "crème brûlée torch",
    "a\u0000b\u0007c \u200b\u202e mirrored",
    "\ud83d lone surrogate",
    "x" * 3000,
    "word " * 2000,
    "<b>bold</b> &amp; {braces} %s \\n",
    "42",
]
LONG = "a long description of a garden hose; " * (10_000_000 // 37)
BLANK = ["", "   ", "\n\t\u3000"]


def sentence(precision: str) -> Callable[..., Encoder]:
    def make(request: pytest.FixtureRequest, path: Path) -> Encoder:
        folder = request.getfixturevalue("encoder_folder")
        return SentenceEncoder(folder, precision=precision)  # type: ignore[arg-type]

    return make


def cached(request: pytest.FixtureRequest, path: Path) -> Encoder:
    encoder = CachedEncoder(sentence("int8")(request, path), path / "vectors.sqlite")
    request.addfinalizer(encoder.close)
    return encoder


def endpoint(request: pytest.FixtureRequest, path: Path) -> Encoder:
    server = request.getfixturevalue("embedding_server")
    encoder = EndpointEncoder(server.url, "loopback", batch=4)
    request.addfinalizer(encoder.close)
    return encoder


def supplied(request: pytest.FixtureRequest, path: Path) -> Encoder:
    keys = [t for t in TEXTS if "\ud83d" not in t]
    return SuppliedEncoder(keys, np.random.default_rng(7).normal(size=(len(keys), 12)))


CASES: dict[str, tuple[type, Callable[..., Encoder]]] = {
    "sentence int8": (SentenceEncoder, sentence("int8")),
    "sentence fp32": (SentenceEncoder, sentence("fp32")),
    "cached": (CachedEncoder, cached),
    "endpoint": (EndpointEncoder, endpoint),
    "supplied": (SuppliedEncoder, supplied),
}


@pytest.fixture(params=CASES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Encoder]:
    return lambda: CASES[request.param][1](request, tmp_path)


@pytest.fixture
def encoder(make: Callable[[], Encoder]) -> Encoder:
    return make()


def test_every_encoder_of_the_package_is_in_this_suite() -> None:
    found = set()
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if all(hasattr(cls, m) for m in ("encode", "id", "dimension")) and cls is not Encoder:
                found.add(cls)
    assert found == {cls for cls, _ in CASES.values()}


def test_rows_are_unit_float32_in_the_order_of_the_texts(encoder: Encoder) -> None:
    rows = encoder.encode(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), encoder.dimension)
    norms = np.linalg.norm(rows, axis=1)
    assert np.isfinite(rows).all()
    assert np.all((np.abs(norms - 1) < 1e-4) | (norms == 0))
    assert (norms > 0.5).sum() >= len(TEXTS) - 3
    shuffled = np.random.default_rng(1).permutation(len(TEXTS))
    np.testing.assert_allclose(
        encoder.encode([TEXTS[i] for i in shuffled]), rows[shuffled], atol=1e-4
    )


def test_a_batch_equals_single_texts(encoder: Encoder) -> None:
    singles = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS), singles, atol=1e-4)
    np.testing.assert_allclose(encoder.encode(TEXTS * 7), np.tile(singles, (7, 1)), atol=1e-4)


def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimension)
    assert encoder.encode([]).dtype == np.float32


def test_blank_texts_are_similar_to_nothing(encoder: Encoder) -> None:
    rows = encoder.encode([*BLANK, TEXTS[0]])
    assert not rows[: len(BLANK)].any()
    np.testing.assert_allclose(rows[-1:], encoder.encode(TEXTS[:1]), atol=1e-4)


def test_ten_megabytes_are_cut_not_read(encoder: Encoder) -> None:
    encoder.encode(["warm"])
    started = time.perf_counter()
    row = encoder.encode([LONG])
    assert time.perf_counter() - started < 2
    assert np.isfinite(row).all()


def test_spellings_of_one_text_are_one_text(encoder: Encoder) -> None:
    for text in TEXTS[:7]:
        composed, decomposed = (unicodedata.normalize(f, text) for f in ("NFC", "NFD"))
        blank = f"  {composed}\n".replace(" ", "  ")
        a, b, c = encoder.encode([composed, decomposed, blank])
        np.testing.assert_allclose(a, b, atol=1e-4)
        np.testing.assert_allclose(a, c, atol=1e-4)


def test_it_reads_what_it_has_vectors_for(encoder: Encoder) -> None:
    assert encoder.reads(TEXTS[0])
    assert not any(map(encoder.reads, BLANK))
    # A text that gets a vector of zeros is read by nobody.
    rows = encoder.encode(TEXTS)
    for text, row in zip(TEXTS, rows, strict=True):
        assert not (encoder.reads(text) and not row.any()), text
    began = time.perf_counter()
    encoder.reads(LONG)
    assert time.perf_counter() - began < 5


def test_an_encoder_opened_again_has_the_same_id_and_vectors(make: Callable[[], Encoder]) -> None:
    first, second = make(), make()
    assert first.id == second.id
    assert first.dimension == second.dimension
    np.testing.assert_allclose(first.encode(TEXTS), second.encode(TEXTS), atol=1e-4)


def test_what_is_no_text_is_refused(encoder: Encoder) -> None:
    for wrong in ("one string", b"bytes", ["ok", None], [3.0]):
        with pytest.raises(InvalidInput, match="expected"):
            encoder.encode(wrong)  # type: ignore[arg-type]


def test_inputs_are_left_alone_and_answers_belong_to_the_caller(encoder: Encoder) -> None:
    texts = list(TEXTS[:2])
    rows = encoder.encode(texts)
    before = rows.copy()
    rows[:] = 0
    np.testing.assert_array_equal(encoder.encode(texts), before)
    assert texts == TEXTS[:2]
