"""Explanations are read by people: every sentence is one, and says what is worth saying."""

from __future__ import annotations

import pytest

from penchant.rank.explain.explanation import CAUSES
from penchant.rank.explain.sentences import AGE, HISTORY, PERSON, POPULAR, lately, sentence, told
from penchant.types import Reason

ALPHA = tuple(Reason("event", title, 0.3, title) for title in ("Alpha", "Beta", "Gamma"))


def causes(*pairs: tuple[str, float]) -> list[Reason]:
    return [Reason("cause", name, weight) for name, weight in pairs]


def test_the_strongest_causes_are_told_and_what_lowers_an_item_is_not() -> None:
    found = causes((HISTORY, 0.9), ("its price", -0.5), ("rising", 0.2), ("new here", 0.19))
    assert told(found) == [HISTORY, "rising"]
    assert told(found, 3) == [HISTORY, "rising", "new here"]
    assert told([]) == []


def test_less_than_a_tenth_is_not_worth_telling() -> None:
    assert told(causes((POPULAR, 0.91), ("rising", 0.09))) == [POPULAR]
    assert told(causes((POPULAR, 0.9), ("rising", 0.1))) == [POPULAR, "rising"]


def test_what_is_true_of_every_candidate_is_not_told() -> None:
    assert told(causes((PERSON, 2.0), (AGE, 1.0), (POPULAR, 0.5))) == [POPULAR]
    start = Reason("start", "where every item starts", 5.0)
    assert told([*causes((POPULAR, 0.5)), start]) == [POPULAR]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            [HISTORY, "rising"],
            "because it goes with “Alpha” and “Beta”, which you chose, and demand for it is rising",
        ),
        (
            [POPULAR, HISTORY],
            "because many want it now and it goes with “Alpha” and “Beta”, which you chose",
        ),
        ([POPULAR], "because many want it now"),
        ([lately("trending_30d")], "because many people chose it lately (last 30 days)"),
        ([lately("trending_1d")], "because many people chose it lately (last day)"),
        ([], "though nothing speaks for it more than for others"),
    ],
)
def test_the_sentence_can_be_read(names: list[str], said: str) -> None:
    comma = "," if not names else ""
    assert sentence("Delta", names, ALPHA) == f"“Delta” is here{comma} {said}."


def test_without_items_to_name_the_history_is_spoken_of() -> None:
    assert sentence("Delta", [HISTORY]) == "“Delta” is here because it goes with what you chose."


def test_a_place_that_was_given_is_owned_up_to() -> None:
    assert sentence("Delta", [POPULAR], raised="opening") == (
        "“Delta” is here because many want it now; it is new here, and the last place is for such."
    )


def test_every_cause_has_a_clause() -> None:
    for name in {*CAUSES.values()} - {AGE, PERSON}:
        said = sentence("Delta", [name])
        assert said != f"“Delta” is here because {name}."
        assert " it" in said
