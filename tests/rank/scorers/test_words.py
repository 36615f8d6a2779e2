"""Asking the demo shelf in words, in two languages, before and after a training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import penchant
from penchant.evaluate.simulate import Simulation
from penchant.rank.explain.sentences import LETTERS, WORDS_CAUSE
from shelves import MUTE, ids, mute

FOUND = {
    "七武士": "seven-samurai-1954",
    "Seven Samurai": "seven-samurai-1954",
    "seven-samurai-1954": "seven-samurai-1954",
    "武士保护村庄": "seven-samurai-1954",
    "火星种土豆": "the-martian-2015",
    "罗马不设防的城市": "rome-open-city-1945",
    "指环王 护戒使者": "the-lord-of-the-rings-the-fellowship-of-the-ring-2001",
    "她": "her-2013",
}
PEOPLE = ("ada", "ben", "somebody new")


@pytest.fixture(scope="module", params=["untrained", "trained"])
def engine(
    request: pytest.FixtureRequest,
    trained_shelf: Path,
    viewers: Simulation,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[penchant.Engine]:
    directory = trained_shelf
    if request.param == "untrained":
        directory = tmp_path_factory.mktemp("untrained") / "shelf"
        with penchant.open(directory, effort="fast") as made:
            made.add(viewers.items, users=viewers.users)
            made.record(viewers.events, now=viewers.end)
    with penchant.open(directory) as opened:
        opened.recommend("ada", text="a first question", now=viewers.end, log=False)
        yield opened


def ask(engine: penchant.Engine, viewers: Simulation, person: str, text: str) -> penchant.Slate:
    return engine.recommend(person, 5, text=text, seen="keep", now=viewers.end, log=False)


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("text", FOUND)
def test_names_and_themes_are_found_first_in_both_languages(engine, viewers, text, person) -> None:
    assert ids(ask(engine, viewers, person, text))[0] == FOUND[text]


def test_a_film_has_the_same_answer_by_either_name(engine, viewers) -> None:
    for name, other in (("Ikiru", "生之欲"), ("Amélie", "天使爱美丽"), ("Sholay", "怒焰骄阳")):
        first = {ids(ask(engine, viewers, "ada", text))[0] for text in (name, other)}
        assert len(first) == 1


def test_two_of_one_chinese_name_are_both_first(engine, viewers) -> None:
    assert set(ids(ask(engine, viewers, "ada", "大地惊雷"))[:2]) == {
        "true-grit-1969",
        "true-grit-2010",
    }


def test_a_question_of_both_languages_is_read_in_both(engine, viewers) -> None:
    slate = ask(engine, viewers, "ada", "黑泽明 七武士 a film about samurai and bandits")
    assert "seven-samurai-1954" in ids(slate)[:2]
    assert "term:words" in slate.trace.pool.names


def test_what_the_encoder_does_not_read_rests_on_the_words_and_says_so(engine, viewers) -> None:
    slate = ask(engine, viewers, "ada", "武士保护村庄")
    assert "term:words" not in slate.trace.pool.names
    assert "term:found" in slate.trace.pool.names
    told = engine.explain(slate, "seven-samurai-1954")
    causes = {reason.name: reason.weight for reason in told.contributions}
    assert causes[LETTERS] == max(causes.values())
    assert WORDS_CAUSE not in causes
    assert sum(causes.values()) == pytest.approx(slate[0].score, abs=1e-3)


@pytest.mark.parametrize("text", ["zzzq xkcdfoo", "\U00020000\U00020001", "🚀", "的" * 90_000])
def test_words_that_nobody_knows_break_nothing(engine, viewers, text) -> None:
    assert len(ask(engine, viewers, "ada", text)) == 5


def test_without_an_encoder_both_languages_are_found_by_their_words(viewers, tmp_path) -> None:
    with penchant.open(mute(tmp_path / "shelf", MUTE)) as engine:
        engine.add(viewers.items)
        for text in ("七武士", "武士保护村庄", "火星种土豆", "farmers hire swordsmen"):
            found = ids(ask(engine, viewers, "somebody new", text))[0]
            assert found == FOUND.get(text, "seven-samurai-1954")


def test_what_is_searched_can_be_said(viewers, tmp_path) -> None:
    settings = f'{MUTE}[text]\nsearch = ["{{title}}"]\nnames = ["director"]\n'
    with penchant.open(mute(tmp_path / "shelf", settings)) as engine:
        engine.add(viewers.items)
        by_name = ids(ask(engine, viewers, "x", "Akira Kurosawa"))[0]
        assert "Kurosawa" in engine.items([by_name])[0].attributes["director"]
        found = ask(engine, viewers, "x", "武士保护村庄")
        assert "term:found" not in found.trace.pool.names or not any(
            found.trace.pool.features[:, found.trace.pool.names.index("term:found")]
        )
