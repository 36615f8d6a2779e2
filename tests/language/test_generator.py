"""A generator composes from passages; what they do not say does not come through."""

from __future__ import annotations

from pathlib import Path

import pytest

from generators import generating
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.generator import Generator, GeneratorFailed
from penchant.types import Error, Item

PASSAGES = (
    "Chairs that arrive broken are replaced within nine days.",
    "A lamp needs a bulb of 40 watts.",
)


@pytest.fixture(scope="module")
def encoder(encoder_folder: Path) -> SentenceEncoder:
    return SentenceEncoder(encoder_folder)


def test_it_answers_from_the_passages_and_cites_them(encoder: SentenceEncoder) -> None:
    with generating() as server:
        generator = Generator(server.url, "small", "secret", encoder=encoder)
        answer = generator.compose("which bulb does the lamp need?", PASSAGES)
        generator.close()
    assert answer == "A lamp needs a bulb of 40 watts [2]."
    (request,) = server.requests
    assert request["path"] == "/v1/chat/completions"
    assert (request["model"], request["temperature"]) == ("small", 0.0)
    assert "[1] Chairs that" in request["messages"][1]["content"]
    assert server.keys == ["Bearer secret"]


@pytest.mark.parametrize(
    "text",
    ["A lamp needs a bulb of 60 watts [2].", "A lamp needs a bulb of 40 watts.", "", "I am sorry."],
)
def test_what_is_not_borne_out_is_not_given(encoder: SentenceEncoder, text: str) -> None:
    with generating(lambda *_: text) as server:
        assert Generator(server.url, "small", encoder=encoder).compose("?", PASSAGES) is None


def test_an_endpoint_that_fails_is_told(encoder: SentenceEncoder) -> None:
    with generating() as server:
        generator = Generator(server.url, "small", encoder=encoder, retries=0)
        server.status = 500
        with pytest.raises(GeneratorFailed, match="check that it runs"):
            generator.compose("which bulb?", PASSAGES)
    with generating(lambda *_: None) as server:
        generator = Generator(server.url, "small", encoder=encoder)
        with pytest.raises(GeneratorFailed, match="expected a text"):
            generator.compose("which bulb?", PASSAGES)
    nobody = Generator("http://127.0.0.1:9/v1", "small", encoder=encoder, retries=0, timeout=5)
    with pytest.raises(Error, match="gave no answer"):
        nobody.compose("which bulb?", PASSAGES)
    with pytest.raises(GeneratorFailed, match="and the key"):
        Generator("http://127.0.0.1:9/v1", "small", "ключ", encoder=encoder).compose("?", PASSAGES)


def test_an_attempt_goes_on_without_an_endpoint_and_says_so(
    encoder: SentenceEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    items = [Item("chair", "Chairs", PASSAGES[0]), Item("lamp", "Lamps", PASSAGES[1])]
    with generating() as server:
        generator = Generator(server.url, "small", encoder=encoder, retries=0)
        answer = generator.attempt("which bulb does the lamp need?", items)
        assert answer is not None
        assert answer.endswith("[2].")
        assert not caplog.records
        server.status = 500
        assert generator.attempt("which bulb?", items) is None
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "check that it runs" in record.getMessage()


def test_the_key_of_the_environment_is_not_sent(
    encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "somebody's own")
    with generating() as server:
        Generator(server.url, "small", encoder=encoder).compose("which bulb?", PASSAGES)
    assert server.keys == ["Bearer none"]


def test_long_texts_are_cut(encoder: SentenceEncoder) -> None:
    with generating(lambda *_: "nothing") as server:
        long = Generator(server.url, "small", encoder=encoder)
        assert long.compose("a" * 1_000_000, ["b" * 1_000_000, "🙂"]) is None
    assert len(server.requests[0]["messages"][1]["content"]) < 10_000
