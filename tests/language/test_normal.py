from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.language.normal import normal, normal_all
from penchant.types import InvalidInput


@given(st.text(alphabet=st.characters(), max_size=200))
def test_the_normal_form_is_valid_and_its_own_normal_form(text: str) -> None:
    once = normal(text, 500)
    once.encode("utf-8")
    assert unicodedata.is_normalized("NFC", once)
    assert normal(once, 500) == once


def test_it_is_cut_at_the_limit() -> None:
    assert normal("a b  c", 3) == "a b"
    assert normal("ab c", 3) == "ab"
    assert normal("x" * 100, 10) == "x" * 10


def test_its_cost_does_not_grow_with_the_text() -> None:
    text = "é " * 5_000_000
    started = time.perf_counter()
    assert len(normal(text, 1000)) == 999
    assert time.perf_counter() - started < 0.2


def test_surrogates_are_replaced() -> None:
    assert normal("a\ud800b", 10) == "a\ufffd\ufffd\ufffdb"


def test_texts_must_be_texts() -> None:
    assert normal_all(["a ", "b"], 5) == ["a", "b"]
    with pytest.raises(InvalidInput, match=r"pass \[text\]"):
        normal_all("ab", 5)
    with pytest.raises(InvalidInput, match="position 1, got NoneType"):
        normal_all(["a", None], 5)  # type: ignore[list-item]
