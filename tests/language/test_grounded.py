"""What a generator wrote is borne out by what it cites, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from penchant.language.encoder.endpoint import EndpointFailed
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.grounded import Grounded, sentences

DELIVERY = (
    "How long does a parcel take? Parcels are delivered within five to seven days, and cost 4.50. "
    "Express takes two days. We do not deliver to islands."
)
RETURNS = "How do I send a chair back? Put the chair into its box. Mondeo Freight fetches it."
PASSAGES = (DELIVERY, RETURNS)


@pytest.fixture(scope="module")
def grounded(encoder_folder: Path) -> Grounded:
    return Grounded(SentenceEncoder(encoder_folder))


@pytest.mark.parametrize(
    "answer",
    [
        "Parcels are delivered within five to seven days [1].",
        "A parcel is delivered in 5 to 7 days. [1]",
        "Parcels cost 4.50 [1]. Put the chair into its box [2].",
        "With express it takes two days [1]!",
        "We do not deliver to islands [1].",
        "Mondeo Freight fetches the chair [2].",
        "Put the chair into its box, and Mondeo Freight fetches it [1][2].",
    ],
)
def test_what_the_passages_say_stands(grounded: Grounded, answer: str) -> None:
    assert grounded.unsupported(answer, PASSAGES) == ()


@pytest.mark.parametrize(
    "answer",
    [
        "Parcels are delivered within five to nine days [1].",
        "Parcels are delivered within 5 to 17 days [1].",
        "Parcels cost 45.0 [1].",
        "We deliver to islands [1].",
        "Parcels are not delivered within five to seven days [1].",
        "Borgward Freight fetches the chair [2].",
        "You get a voucher when the parcel is late [1].",
        "Parcels are delivered within five to seven days.",
        "Parcels are delivered within five to seven days [2].",
        "Parcels are delivered within five to seven days [3].",
        "Parcels are delivered within five to seven days [0].",
        "包裹五天到七天送到 [1]。",
        "",
        "  \n",
        "🙂",
        "[1]",
        "x" * 1_000_000,
    ],
)
def test_what_they_do_not_say_is_named(grounded: Grounded, answer: str) -> None:
    assert grounded.unsupported(answer, PASSAGES)


def test_only_the_sentence_that_is_wrong_is_named(grounded: Grounded) -> None:
    answer = "Express takes two days [1]. Express takes three days [1]."
    assert grounded.unsupported(answer, PASSAGES) == ("Express takes three days [1].",)


def test_without_passages_nothing_stands(grounded: Grounded) -> None:
    assert grounded.unsupported("Express takes two days [1].", [])
    assert grounded.unsupported("Express takes two days [1].", [""])


def test_a_citation_belongs_to_its_sentence_before_the_dot_and_after_it() -> None:
    assert sentences("One thing. [1] Another [2]. At 3 p.m. it ends. [1] [3]") == [
        "One thing [1].",
        "Another [2].",
        "At 3 p.m. it ends [1] [3].",
    ]
    assert sentences("第一句。[1]第二句[2]。") == ["第一句[1]。", "第二句[2]。"]
    assert sentences("...") == []


class Down:
    id, dimension = "down", 4

    def reads(self, text: str) -> bool:
        return True

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        raise EndpointFailed("down on purpose")


def test_where_nothing_can_be_read_nothing_is_borne_out() -> None:
    said = "Express takes two days [1]."
    assert Grounded(Down()).unsupported(said, PASSAGES) == (said,)
