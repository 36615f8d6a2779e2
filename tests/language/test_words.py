from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.language.words import name, terms, words


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


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("a quiet Western, WD-40", []),
        ("星际旅行", ["星", "际", "旅", "行"]),
        ("茶", []),
        ("wild 狼群 and 狼", ["狼", "群"]),
        ("한국어", ["한", "국", "어"]),
        ("", []),
        ("🚀", []),
    ],
)
def test_an_index_holds_the_single_characters_too(text: str, added: list[str]) -> None:
    assert sorted(terms(text)) == sorted([*words(text), *added])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("罗马，不设防的城市", "罗马不设防的城市"),
        ("指环王：护戒使者", "指环王 护戒使者"),
        ("安德烈·鲁布廖夫", "安德烈鲁布廖夫"),
        ("2001太空漫游", "２００１太空漫游"),
        ("The  Mars Signal", "the mars signal!"),
        ("Amélie", "amelie"),
    ],
)
def test_a_name_is_one_however_it_is_written(one: str, other: str) -> None:
    assert name(one) == name(other) != ""


def test_names_that_differ_are_not_one() -> None:
    titles = ("WALL-E", "Wall E", "教父", "教父2", "父教", "Her", "her 她")
    assert len(set(map(name, titles))) == len(titles)
    assert name("?!") == name("") == ""


@given(st.text(alphabet=string.printable, max_size=60))
def test_the_fast_path_finds_the_same_words(text: str) -> None:
    with_another_script = words(text + " ж")
    with_another_script.remove("ж")
    assert with_another_script == words(text)


@given(st.text(max_size=80))
def test_composed_or_not_a_text_has_the_same_words(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))
