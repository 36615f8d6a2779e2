"""Key phrases: words that stand together in the texts of items which the same people want.

How often a phrase is written says nothing of whether anybody is interested in it: "set of" stands
in every tenth title of a shop. What makes it a concept is that its items are wanted by the same
people more than as many items drawn at random would be.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np

from penchant.interests.concepts import folded
from penchant.types import Floats

LEAST = 5  # items whose text holds a phrase
SHARE, FEW = 0.08, 25  # of all items, at most, or so many
LONGEST = 3  # words
PHRASES = 300
WORDY = 3.0  # words of a text in the mean, below which texts are names and hold no phrases
DISTANCE = 3.0  # standard deviations above items drawn at random
SAME = 0.7  # of the items of two phrases, above which they are one
_SEGMENTS = re.compile(r"[^\w\s'’&-]+|\s-\s|\n")
_WORDS = re.compile(r"[^\W_](?:[\w'’&-]*[^\W_])?")
_READ = 400  # characters of a text


def phrases(
    texts: Sequence[str], placed: Floats, taken: Collection[str], seed: int = 0
) -> dict[str, list[int]]:
    """Return phrases and the items whose text holds each, at most `PHRASES`, the best first.

    `placed` float32[n, d] is where items stand by who wanted them, NaN where nothing is known;
    `taken` are folded names that are concepts already.
    """
    holds: dict[str, list[int]] = defaultdict(list)
    lengths = [len(_WORDS.findall(text[:_READ])) for text in texts if text]
    if not lengths or sum(lengths) < WORDY * len(lengths):
        return {}
    for item, text in enumerate(texts):
        for phrase in set(_phrases(text)):
            holds[phrase].append(item)
    n = len(texts)
    most = max(FEW, SHARE * n)
    common = {p for p, items in holds.items() if " " not in p and len(items) > 0.2 * n}
    known = np.isfinite(placed[:, 0])
    scored: list[tuple[float, str, list[int]]] = []
    spread = _spread(placed[known], seed)
    for phrase, items in holds.items():
        if not LEAST <= len(items) <= most or phrase in taken or not _says(phrase, common):
            continue
        at = [item for item in items if known[item]]
        if len(at) < LEAST:
            continue
        together = float(np.linalg.norm(placed[at].mean(axis=0)))
        distance = spread(together, len(at))
        if distance >= DISTANCE:
            # Among equals the longer one: "lunch bag" says more than "lunch".
            scored.append((distance * (1.0 + 0.25 * phrase.count(" ")), phrase, items))
    chosen: dict[str, list[int]] = {}
    borne: dict[int, list[str]] = defaultdict(list)
    for _, phrase, items in sorted(scored, key=lambda one: (-one[0], one[1])):
        rivals = {other for item in items for other in borne[item]}
        if any(_overlap(items, chosen[other]) > SAME for other in rivals):
            continue
        chosen[phrase] = items
        for item in items:
            borne[item].append(phrase)
        if len(chosen) == PHRASES:
            break
    return chosen


def _phrases(text: str) -> list[str]:
    """Return the runs of one to three words of a text that no punctuation parts, folded."""
    found = []
    for segment in _SEGMENTS.split(text[:_READ]):
        said = _WORDS.findall(folded(segment))
        for length in range(1, LONGEST + 1):
            found += [" ".join(said[i : i + length]) for i in range(len(said) - length + 1)]
    return found


def _says(phrase: str, common: Collection[str]) -> bool:
    """Return whether both ends of a phrase are words that mean something by themselves."""
    said = phrase.split(" ")
    return all(
        (len(word) > 2 or not word.isascii()) and word not in common and not word.isdigit()
        for word in (said[0], said[-1])
    )


def _overlap(one: Sequence[int], other: Sequence[int]) -> float:
    both = len(set(one) & set(other))
    return both / min(len(one), len(other))


class _spread:
    """How far the mean of some unit vectors lies beyond that of as many drawn at random."""

    def __init__(self, placed: Floats, seed: int, draws: int = 200) -> None:
        self._placed, self._draws = placed, draws
        self._rng = np.random.default_rng(seed)
        self._known: dict[int, tuple[float, float]] = {}

    def __call__(self, length: float, count: int) -> float:
        """Return how many standard deviations a mean of this length lies above chance."""
        count = min(count, len(self._placed))
        # A few sizes stand for all: the mean of 40 and of 44 differ by nothing.
        size = max(1, round(1.25 ** round(np.log(max(count, 1)) / np.log(1.25))))
        if size not in self._known:
            drawn = self._rng.integers(0, len(self._placed), (self._draws, size))
            lengths = np.linalg.norm(self._placed[drawn].mean(axis=1), axis=1)
            self._known[size] = float(lengths.mean()), float(lengths.std()) + 1e-6
        mean, deviation = self._known[size]
        return (length - mean) / deviation
