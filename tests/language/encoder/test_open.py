from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from penchant.language.encoder.cache import CachedEncoder
from penchant.language.encoder.open import EncoderConfig, open_encoder, text_space
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import WeightsMissing
from penchant.language.template import TextConfig


def test_the_default_is_the_sentence_encoder_behind_a_cache(
    encoder_folder: Path, tmp_path: Path
) -> None:
    encoder = open_encoder(EncoderConfig(), tmp_path / "vectors.sqlite")
    assert isinstance(encoder, CachedEncoder)
    assert encoder.id == SentenceEncoder(encoder_folder).id
    assert encoder.encode(["tea"]).any()
    encoder.close()


def test_without_a_path_or_with_none_kept_there_is_no_cache(
    encoder_folder: Path, tmp_path: Path
) -> None:
    config = EncoderConfig(model=str(encoder_folder), cached=0, precision="fp32", max_tokens=32)
    for path in (None, tmp_path / "vectors.sqlite"):
        encoder = open_encoder(config, path)
        assert isinstance(encoder, SentenceEncoder)
        assert (encoder.precision, encoder.max_tokens) == ("fp32", 32)
    assert not list(tmp_path.iterdir())


def test_an_endpoint(embedding_server: Any, tmp_path: Path) -> None:
    config = EncoderConfig(endpoint=embedding_server.url, model="loopback", api_key="mine")
    encoder = open_encoder(config, tmp_path / "vectors.sqlite")
    assert isinstance(encoder, CachedEncoder)
    first = encoder.encode(["a", "b"])
    asked = len(embedding_server.requests)
    np.testing.assert_array_equal(encoder.encode(["b", "a"]), first[::-1])
    assert len(embedding_server.requests) == asked
    assert "mine" not in repr(config)
    encoder.close()
    encoder.encoder.close()


def test_what_only_search_by_words_reads_changes_no_vectors() -> None:
    config = EncoderConfig()
    spaces = {
        text_space(config, text)
        for text in (
            TextConfig(),
            TextConfig(search=("{title}",)),
            TextConfig(names=("title_zh", "aliases")),
        )
    }
    assert len(spaces) == 1
    assert text_space(config, TextConfig(parts=("{title}",))) not in spaces


def test_wrong_settings_are_refused() -> None:
    for wrong in ({"presicion": "int8"}, {"precision": "fp8"}, {"threads": 0}, {"timeout": 0}):
        with pytest.raises(ValidationError):
            EncoderConfig(**wrong)
    with pytest.raises(WeightsMissing):
        open_encoder(EncoderConfig(model="nothing like this"))
