"""Whether what a generator wrote is borne out by the passages that it cites.

No judge that is itself a generator: figures, names and negations are compared as they stand, what a
sentence is about by the cosine to the nearest cited sentence and by the share of its words that the
cited passages hold. What is written in quite other words is refused as well as what is not there;
the caller has the passages themselves to fall back on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from penchant.language.encoder.encoder import Encoder
from penchant.language.words import words
from penchant.types import Error

NEAR = 0.6  # cosine to the nearest cited sentence, or two in a row, from which it is about the same
SHARE = 0.6  # of the words that carry meaning, those that the cited passages hold
TWO = 0.15  # by how much, of cosine and share, two sentences must be nearer than one of them
MOST = 10_000  # characters of an answer, and of a passage, that are looked at

_CITED = re.compile(r"\s*\[(\d{1,3})\]")
_BEFORE = re.compile(r"([.!?。！？])((?:\s*\[\d{1,3}\])+)")
_ENDS = re.compile(r"(?<=[.!?])\s+(?=[^a-z\s])|(?<=[。！？])|\n+")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
# The first word of a sentence is taken for a name only where another follows.
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w-]+|^[A-Z][\w-]+(?= [A-Z][a-z])")
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|cannot|\w+n['’]t)\b"
)
_NUMBERS = {
    **{"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8"},
    **{"nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20"},
    **{"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90"},
    **dict.fromkeys(("thirteen", "fourteen", "sixteen", "seventeen", "eighteen", "nineteen"), ""),
    **dict.fromkeys(("seventy", "eighty", "hundred", "thousand", "million", "half", "twice"), ""),
}
_STEM = 5


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, each with what it cites, before its dot or after it."""
    text = _BEFORE.sub(r"\2\1", text[:MOST])
    return [part.strip() for part in _ENDS.split(text) if any(map(str.isalnum, part))]


class Grounded:
    """Tells which sentences of an answer its passages do not say; safe between threads."""

    def __init__(self, encoder: Encoder, *, near: float = NEAR, share: float = SHARE) -> None:
        self._encoder = encoder
        self._near = near
        self._share = share

    def unsupported(self, answer: str, passages: Sequence[str]) -> tuple[str, ...]:
        """Return the sentences that are not borne out; all is well where there are none.

        A sentence cites passages by number from 1, as in [2]; one without is not borne out. Nor is
        an answer in which there is nothing to read: it is returned whole.
        """
        said = sentences(answer)
        if not said:
            return (answer,)
        return tuple(one for one in said if not self._supported(one, passages))

    def _supported(self, sentence: str, passages: Sequence[str]) -> bool:
        cited = {int(number) for number in _CITED.findall(sentence)}
        if not cited or not all(1 <= number <= len(passages) for number in cited):
            return False
        told = _CITED.sub("", sentence)
        sources = [passages[number - 1][:MOST] for number in sorted(cited)]
        whole = " ".join(sources)
        known = _stems(whole)
        if not all(_stem(word) in known for name in _NAME.findall(told) for word in words(name)):
            return False
        own = [_stem(word) for word in words(told) if _tells(word)]
        if _held(own, whole) < self._share:
            return False
        parts = [part for source in sources for part in sentences(source)]
        pairs = [f"{one} {other}" for one, other in pairwise(parts)]
        try:
            vectors = self._encoder.encode([told, *parts, *pairs])
        except Error:  # an endpoint that is down bears nothing out
            return False
        near = vectors[1:] @ vectors[0]
        if float(near.max()) < self._near:
            return False
        # Which sentence it repeats, by meaning and by words, tells whether it turns it round, or
        # takes a figure from another one.
        alike = near + [_held(own, part) for part in (*parts, *pairs)]
        alike[len(parts) :] -= TWO
        closest = (*parts, *pairs)[int(alike.argmax())]
        return _denies(told) == _denies(closest) and _figures(told) <= _figures(closest)


def _figures(text: str) -> set[str]:
    """Return the numbers of a text as they are written in digits; a pronoun `one` is none."""
    found = {figure.replace(",", "") for figure in _FIGURE.findall(text)}
    return found | {_NUMBERS[word] or word for word in words(text) if word in _NUMBERS}


def _tells(word: str) -> bool:
    return len(word) > 3 or not word.isascii()


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in words(text)}


def _held(stems: Sequence[str], text: str) -> float:
    """Return which share of some words a text holds; all of none."""
    known = _stems(text)
    return sum(stem in known for stem in stems) / len(stems) if stems else 1.0


def _stem(word: str) -> str:
    return word[:_STEM] if word.isascii() else word


def _denies(text: str) -> bool:
    return bool(_NEGATION.search(text.lower()))
