"""A real model behind a real server, `transformers serve`: what it gives is checked or refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from language.generator import tiny
from penchant.language.generator.budget import Budget
from penchant.language.generator.endpoint import Endpoint
from penchant.language.generator.generator import AnswerRefused, GeneratorFailed
from penchant.language.generator.guarded import Guarded
from penchant.language.generator.naming import Naming, name_group
from penchant.language.generator.prompt import load_prompt

pytestmark = pytest.mark.slow


class Colour(BaseModel):
    colour: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("tiny")
    tiny.taught(found, tiny.naming(random.Random(0)))
    return found


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with tiny.served(folder) as found:
        yield found


def test_groups_get_names_and_tokens_are_counted(folder: Path, url: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    generator = Guarded(Endpoint(url, str(folder), max_tokens=40), Budget(calls=100))
    rng, right, valid = random.Random(5), 0, 0
    for kind in list(tiny.KINDS) * 4:
        titles, terms = tiny.group(kind, rng)
        try:
            made = name_group(generator, titles, terms)
        except AnswerRefused:
            continue
        valid += 1
        right += made.value.name == kind
        if made.attempts == 1:
            # The code of the fence takes more tokens or fewer.
            asked = len(tokenizer(tiny.asked(kind, rng))["input_ids"])
            assert not made.estimated
            assert abs(made.tokens_in - asked) < 30
            assert 4 <= made.tokens_out <= 40
    assert valid >= 8
    assert right > valid / 2  # of four kinds: it reads the titles, through fence and server
    state = generator.state()
    assert (state["asked"], state["failed"]) == (16, 0)
    assert state["refused"] == 16 - valid


def test_a_schema_that_it_was_not_taught_is_refused(folder: Path, url: str) -> None:
    prompt = load_prompt("name-1").filled({"titles": ["The Red Canyon"], "terms": ["saddle"]})
    with pytest.raises(AnswerRefused, match=r"expected a Colour .* got twice") as told:
        Endpoint(url, str(folder), max_tokens=40).generate(prompt, Colour, 60)
    assert told.value.tokens > 500


def test_an_answer_that_is_cut_off_is_refused(folder: Path, url: str) -> None:
    with pytest.raises(AnswerRefused, match="no whole JSON object"):
        name_group(Endpoint(url, str(folder), max_tokens=2), ["The Red Canyon"], ["saddle"])


def test_a_deadline_is_kept_and_the_server_goes_on(folder: Path, url: str) -> None:
    endpoint = Endpoint(url, str(folder), max_tokens=40)
    with pytest.raises(GeneratorFailed, match="not done after"):
        name_group(endpoint, ["The Red Canyon"], ["saddle"], deadline=0.01)
    assert isinstance(name_group(endpoint, ["The Red Canyon"], ["saddle"]).value, Naming)


def test_a_model_that_it_does_not_have(url: str) -> None:
    with pytest.raises(GeneratorFailed, match="pinned"):
        name_group(Endpoint(url, "another", retries=0), ["The Red Canyon"], ["saddle"])
