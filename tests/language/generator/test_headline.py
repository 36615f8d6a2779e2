"""Headlines: what the facts say, and nothing that a shop would like them to say."""

from __future__ import annotations

import json

import pytest

from generators import chatting, saying
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.generator.endpoint import Endpoint
from penchant.language.generator.generator import AnswerRefused
from penchant.language.generator.headline import NEAR, SHARE, claims, facts_of, write_headline
from penchant.language.grounded import Grounded
from penchant.types import Item

RIO = Item(
    "rio-bravo-1959",
    "Rio Bravo",
    "A sheriff holds a murderer in a small Texas town, with a drunk and a cripple to help him.",
    "western",
    ("siege", "friendship"),
)


@pytest.fixture(scope="module")
def grounded() -> Grounded:
    return Grounded(SentenceEncoder.open(), near=NEAR, share=SHARE)


def found(line: str, grounded: Grounded, interest: str = "westerns") -> list[str]:
    return list(claims(line, facts_of(RIO), interest, grounded))


@pytest.mark.parametrize(
    "line",
    [
        "A sheriff and a drunk in a small Texas town",
        "A western about a sheriff who holds a murderer",
        "Siege and friendship in a Texas town",
    ],
)
def test_what_the_facts_say_may_be_said(grounded: Grounded, line: str) -> None:
    assert found(line, grounded) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("A western of 1959 in a small Texas town", "the figure 1959"),
        ("A sheriff holds 3 murderers in a small Texas town", "the figure 3"),
        ("The sheriff John Wayne in a small Texas town", "the name John"),
        ("The best western with a sheriff in a Texas town", "the promise 'best'"),
        ("A must-see western with a sheriff in Texas", "the promise 'must-see'"),
        ("Free delivery of a western with a sheriff", "the promise 'free'"),
        ("A sheriff in a Texas town at evil.com", "an address"),
        ("A starship crew meets aliens beyond Orion", "something that the facts do not say"),
        ("No sheriff holds a murderer in a small Texas town", "something that the facts do not"),
        ("Recipes for slow winter soups", "something that the facts do not say"),
    ],
)
def test_what_they_do_not_say_is_told(grounded: Grounded, line: str, why: str) -> None:
    assert any(one.startswith(why) for one in found(line, grounded)), found(line, grounded)


def test_praise_that_is_a_fact_may_be_repeated(grounded: Grounded) -> None:
    item = Item("x", "The Best of Times", "A reunion of an old football team.")
    assert list(claims("A reunion, the best of times", facts_of(item), "", grounded)) == []


def written(text: object, grounded: Grounded) -> str:
    with chatting(saying(json.dumps({"headline": text}))) as server:
        endpoint = Endpoint(server.url, "small", retries=0)
        made = write_headline(endpoint, grounded, RIO, "westerns")
        said = server.requests[0]["messages"][1]["content"]
        assert "Rio Bravo" in said
        assert "- westerns" in said
        assert RIO.item_id not in said
    return made.value.headline


def test_a_line_is_written_from_facts_and_interest_and_no_id(grounded: Grounded) -> None:
    line = "A sheriff and a drunk in a small Texas town"
    assert written(f'"{line}."', grounded) == line


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("The best western of 1959, with a sheriff in Texas", "figure 1959.*promise 'best'"),
        ("", "got twice"),
        ("word " * 40, "got twice"),
        (["a", "b"], "got twice"),
    ],
)
def test_what_claims_more_or_is_no_line_is_refused(
    grounded: Grounded, text: object, match: str
) -> None:
    with pytest.raises(AnswerRefused, match=match):
        written(text, grounded)
