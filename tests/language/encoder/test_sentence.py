from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from penchant.language.encoder.sentence import EncoderDamaged, SentenceEncoder
from penchant.types import InvalidInput

TEXTS = [
    f"{how} {what} {where}"
    for how in ("a quiet", "the second", "one red", "an endless", "cheap")
    for what in ("western", "garden hose", "phone charger with a long cable", "sea", "tea pot")
    for where in ("", "for children", "in the rain, told by somebody who was not there", "1998")
]


@pytest.fixture(scope="module")
def encoder(encoder_folder: Path) -> SentenceEncoder:
    return SentenceEncoder(encoder_folder)


def test_meaning_is_near_where_words_differ(encoder: SentenceEncoder) -> None:
    query, near, far = encoder.encode(
        ["a film about astronauts", "space travellers on the way to Mars", "how to boil an egg"]
    )
    assert query @ near > query @ far + 0.2


def test_int8_is_near_fp32(encoder: SentenceEncoder, encoder_folder: Path) -> None:
    exact = SentenceEncoder(encoder_folder, precision="fp32")
    cosines = (encoder.encode(TEXTS) * exact.encode(TEXTS)).sum(1)
    assert cosines.min() > 0.98
    assert cosines.mean() > 0.99


def test_an_int8_row_does_not_depend_on_its_batch(encoder: SentenceEncoder) -> None:
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    # Unlike lengths in one batch: the usual dynamic quantisation falls to cosine 0.97 here.
    together = encoder._vectors([encoder._tokens(text) for text in [*TEXTS, "word " * 60]])[:-1]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_threads_change_nothing(encoder: SentenceEncoder, encoder_folder: Path) -> None:
    parallel = SentenceEncoder(encoder_folder, threads=3)
    assert parallel.id == encoder.id
    np.testing.assert_array_equal(parallel.encode(TEXTS * 3), encoder.encode(TEXTS * 3))


def test_it_may_be_called_from_several_threads(encoder: SentenceEncoder) -> None:
    expected = encoder.encode(TEXTS[:8])
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(encoder.encode, [TEXTS[:8]] * 8):
            np.testing.assert_array_equal(rows, expected)


def test_only_unknown_symbols_are_nothing_to_read(encoder: SentenceEncoder) -> None:
    rows = encoder.encode(["🚀🚀", "\u0000\u0007", "🚀 rocket"])
    assert not rows[:2].any()
    assert np.linalg.norm(rows[2]) == pytest.approx(1, abs=1e-5)


def test_a_text_is_cut_at_max_tokens(encoder_folder: Path) -> None:
    short = SentenceEncoder(encoder_folder, max_tokens=16)
    full = SentenceEncoder(encoder_folder, max_tokens=256)
    beginning, tail = "tea pot of blue glass " * 10, "a western film " * 10
    a, b = short.encode([beginning, beginning + tail])
    np.testing.assert_allclose(a, b, atol=1e-5)
    a, b = full.encode([beginning, beginning + tail])
    assert a @ b < 0.95


def test_the_id_names_everything_a_vector_depends_on(
    encoder: SentenceEncoder, encoder_folder: Path
) -> None:
    others = [
        SentenceEncoder(encoder_folder, precision="fp32").id,
        SentenceEncoder(encoder_folder, max_tokens=64).id,
    ]
    assert len({encoder.id, *others}) == 3
    assert SentenceEncoder.open().id == encoder.id


@pytest.mark.parametrize("max_tokens", [-1, 0, 2, 257])
def test_max_tokens_outside_the_model_is_refused(encoder_folder: Path, max_tokens: int) -> None:
    with pytest.raises(InvalidInput, match="between 3 and 256"):
        SentenceEncoder(encoder_folder, max_tokens=max_tokens)


def test_an_unknown_precision_is_refused(encoder_folder: Path) -> None:
    with pytest.raises(InvalidInput, match="'fp32', 'int8'"):
        SentenceEncoder(encoder_folder, precision="fp16")  # type: ignore[arg-type]


def test_a_folder_that_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"SentenceEncoder\.open"):
        SentenceEncoder(tmp_path)


@pytest.mark.parametrize("name", ["model.int8.onnx", "tokenizer.json", "meta.json"])
def test_a_damaged_export_is_noticed(encoder_folder: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(encoder_folder, copy, ignore=shutil.ignore_patterns("model.onnx"))
    SentenceEncoder(copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2 :] = b"half"
    (copy / name).write_bytes(content)
    with pytest.raises(EncoderDamaged, match="delete"):
        SentenceEncoder(copy)


def test_an_export_of_another_format_is_noticed(encoder_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    meta = json.loads((encoder_folder / "meta.json").read_text())
    (copy / "meta.json").write_text(json.dumps(meta | {"format": 99}))
    with pytest.raises(EncoderDamaged, match="format 99"):
        SentenceEncoder(copy)


def test_serving_imports_no_training_library(encoder_folder: Path) -> None:
    code = """
import sys
from penchant.language.encoder.open import EncoderConfig, open_encoder
from penchant.language.lexical import LexicalIndex
encoder = open_encoder(EncoderConfig(), sys.argv[1])
assert encoder.encode(["a text"]).any()
heavy = {"torch", "pandas", "transformers", "sklearn", "scipy", "lightgbm", "onnx", "openai"}
print(sorted(heavy & set(sys.modules)))
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    answer = subprocess.run(
        [sys.executable, "-c", code, ":memory:"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a quiet western", True),
        ("crème brûlée", True),
        ("42", True),
        ("🚀 ok", True),
        ("你好 world", True),
        ("七武士 samurai film", True),
        ("七武士", False),
        ("三人", False),  # the vocabulary has these two, and few others of Chinese
        ("中文标题：星际旅行者的回忆录", False),
        ("a word and 星际旅行者的回忆录", False),
        ("🚀", False),
        ("", False),
    ],
)
def test_a_script_of_which_the_vocabulary_lacks_most_is_not_read(encoder, text, read) -> None:
    assert encoder.reads(text) is read
