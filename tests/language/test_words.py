from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.language.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A quiet, quiet Western!", ["a", "quiet", "quiet", "western"]),
        ("men's Crème brûlée", ["mens", "creme", "brulee"]),
        ("WD-40", ["wd", "40", "wd40"]),
        ("R&B 3/4", ["r", "b", "3", "4", "rb", "34"]),
        ("星际旅行", ["星际", "际旅", "旅行"]),
        ("茶", ["茶"]),
        ("iPhone15手机壳", ["iphone15", "手机", "机壳"]),
        ("カタカナ", ["カタ", "タカ", "カナ"]),
        ("한국어", ["한국", "국어"]),
        ("ＡＢＣ　１２", ["abc", "12"]),
        ("हिन्दी फ़िल्म", ["हिन्दी", "फ़िल्म"]),
        ("שָׁלוֹם", ["שלום"]),
        ("Straße", ["strasse"]),
        ("🚀🚀 --- ...", []),
        ("", []),
        ("x" * 100, ["x" * 64]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    found = [unicodedata.normalize("NFC", w) for w in words(text)]
    assert found == [unicodedata.normalize("NFC", w) for w in expected]


@given(st.text(alphabet=string.printable, max_size=60))
def test_the_fast_path_finds_the_same_words(text: str) -> None:
    with_another_script = words(text + " ж")
    with_another_script.remove("ж")
    assert with_another_script == words(text)


@given(st.text(max_size=80))
def test_composed_or_not_a_text_has_the_same_words(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))
