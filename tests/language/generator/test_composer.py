"""A composer answers from passages; what they do not say does not come through."""

from __future__ import annotations

from pathlib import Path

import pytest

from generators import generating
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.generator.budget import Budget
from penchant.language.generator.composer import Composer
from penchant.language.generator.endpoint import Endpoint
from penchant.language.generator.generator import AnswerRefused, GeneratorFailed
from penchant.language.generator.guarded import Guarded
from penchant.types import Error, Item

PASSAGES = (
    "Chairs that arrive broken are replaced within nine days.",
    "A lamp needs a bulb of 40 watts.",
)


@pytest.fixture(scope="module")
def encoder(encoder_folder: Path) -> SentenceEncoder:
    return SentenceEncoder(encoder_folder)


def composer(url: str, encoder: SentenceEncoder, key: str | None = None) -> Composer:
    return Composer(Endpoint(url, "small", key, retries=0), encoder=encoder)


def test_it_answers_from_the_passages_and_cites_them(encoder: SentenceEncoder) -> None:
    with generating() as server:
        made = composer(server.url, encoder, "secret")
        answer = made.compose("which bulb does the lamp need?", PASSAGES)
        made.close()
    assert answer == "A lamp needs a bulb of 40 watts [2]."
    (request,) = server.requests
    assert request["path"] == "/v1/chat/completions"
    assert (request["model"], request["temperature"]) == ("small", 0.0)
    assert "- (1) Chairs that" in request["messages"][1]["content"]
    assert server.keys == ["Bearer secret"]


@pytest.mark.parametrize(
    "text",
    ["A lamp needs a bulb of 60 watts [2].", "A lamp needs a bulb of 40 watts.", "", "I am sorry."],
)
def test_what_is_not_borne_out_is_not_given(encoder: SentenceEncoder, text: str) -> None:
    with generating(lambda *_: text) as server:
        assert composer(server.url, encoder).compose("?", PASSAGES) is None


def test_an_endpoint_that_fails_is_told(encoder: SentenceEncoder) -> None:
    with (
        generating(status=500) as server,
        pytest.raises(GeneratorFailed, match="check that it runs"),
    ):
        composer(server.url, encoder).compose("which bulb?", PASSAGES)
    with (
        generating(lambda *_: None) as server,
        pytest.raises(AnswerRefused, match="expected a Composed"),
    ):
        composer(server.url, encoder).compose("which bulb?", PASSAGES)
    with pytest.raises(Error, match="gave no answer"):
        composer("http://127.0.0.1:9/v1", encoder).compose("which bulb?", PASSAGES)


def test_an_attempt_goes_on_without_an_endpoint_and_says_so(
    encoder: SentenceEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    items = [Item("chair", "Chairs", PASSAGES[0]), Item("lamp", "Lamps", PASSAGES[1])]

    def told(made: Composer) -> str:
        caplog.clear()
        assert made.attempt("which bulb?", items) is None
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        return record.getMessage()

    caplog.set_level("WARNING")
    with generating() as server:
        guarded = Guarded(Endpoint(server.url, "small"), Budget(calls=1))
        made = Composer(guarded, encoder=encoder)
        answer = made.attempt("which bulb does the lamp need?", items)
        assert answer is not None
        assert answer.endswith("[2].")
        assert not caplog.records
        assert "its budget is spent" in told(made)
    with generating(status=500) as server:
        assert "check that it runs" in told(composer(server.url, encoder))
    with generating(lambda *_: None) as server:
        assert "got twice" in told(composer(server.url, encoder))


def test_long_texts_are_cut(encoder: SentenceEncoder) -> None:
    with generating(lambda *_: "nothing") as server:
        long = composer(server.url, encoder)
        assert long.compose("a" * 1_000_000, ["b" * 1_000_000, "🙂"]) is None
    assert len(server.requests[0]["messages"][1]["content"]) < 10_000
