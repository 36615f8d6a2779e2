"""The words of a text, for search by exact words: any script, no stop words, no stemming."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# Scripts written without spaces (Han, kana, Thai, Lao, Khmer, Burmese), and Hangul, whose words
# carry their particles: pairs of characters stand for words there.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_UNSPACED += "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
# Vowel signs of Indic scripts are not letters to `re`, and yet part of a word.
_SPACED = rf"(?:[^\W_{_UNSPACED}]|[\u0900-\u0dff])"
_RUNS = re.compile(rf"({_SPACED}+)|([{_UNSPACED}]+)")
_ASCII_RUNS = re.compile("[a-z0-9]+")
# Latin accents, Hebrew points and Arabic vowels: optional in writing, so ignored in search.
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]")
_APOSTROPHES = re.compile("(?<=\\w)['\u2018\u2019\u02bc](?=\\w)")
# wd-40, a.b.c., 3/4: found by their parts and as one word.
_JOINED = re.compile(rf"{_SPACED}+(?:[-./&+]{_SPACED}+)+")
_ASCII_JOINED = re.compile("[a-z0-9]+(?:[-./&+][a-z0-9]+)+")
_JOINTS = re.compile("[-./&+]")
# Between characters of an unspaced script, what a title is parted by is often left out.
_PARTED = re.compile(rf"(?<=[{_UNSPACED}])[\W_]+(?=[{_UNSPACED}])")
# A word longer than this is data, not a word.
_LONGEST = 64


def words(text: str) -> list[str]:
    """Return the words of `text` in order, folded in case, width and accents.

    A run of an unspaced script gives its overlapping character pairs (one character alone itself);
    joined words (wd-40) give their parts and, at the end, the whole without its joints (wd40).
    """
    return _words(text, _pairs)


def terms(text: str) -> list[str]:
    """Return what an index holds of `text`: its words and, beside pairs, the single characters.

    A word that is asked for in another form shares few pairs with it, or none: its characters find
    it (Nie et al. 2000, who add them to words). One character asked for is found inside of words.
    """
    return _words(text, _pairs_and_characters)


def name(text: str) -> str:
    """Return what all writings of a name have in common: its words, those of one script unparted.

    "Wall E" and "WALL-E" are not the same name; "卧虎藏龙" and "卧虎·藏龙" are.
    """
    if not text.isascii():
        text = _PARTED.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(words(text))


def _words(text: str, split: Callable[[str], list[str]]) -> list[str]:
    if text.isascii():
        # The same words, found several times faster.
        text = _APOSTROPHES.sub("", text.lower())
        found = _ASCII_RUNS.findall(text)
        joined = _ASCII_JOINED.findall(text)
    else:
        text = unicodedata.normalize("NFKC", text).casefold()
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text))
        # Decomposed Hangul would count its letters, not its syllables.
        text = _APOSTROPHES.sub("", unicodedata.normalize("NFC", text))
        found = []
        for spaced, unspaced in _RUNS.findall(text):
            found.extend([spaced] if spaced else split(unspaced))
        joined = _JOINED.findall(text)
    found.extend(_JOINTS.sub("", word) for word in joined)
    return [word[:_LONGEST] for word in found]


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def _pairs_and_characters(run: str) -> list[str]:
    return [*_pairs(run), *run] if len(run) > 1 else [run]
