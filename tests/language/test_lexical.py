from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from penchant.language.lexical import LexicalIndex
from penchant.language.words import terms
from penchant.types import InvalidInput

TEXTS = [
    "WD-40 spray, 400 ml",
    "spray for garden plants",
    "",
    "星际旅行者的回忆录",
    "回忆的味道",
    "garden hose with spray gun for the garden",
    "red spray",
]


def reference(texts: list[str], query: str) -> list[float]:
    """Lucene's BM25 written out."""
    documents = [terms(t) for t in texts]
    n, mean = len(documents), sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in sorted(set(terms(query))):
            df = sum(word in d for d in documents)
            tf = document.count(word)
            if tf:
                idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
                score += idf * tf / (tf + 1.2 * (0.25 + 0.75 * len(document) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", ["garden spray", "wd40", "回忆录", "the", "spray spray"])
def test_scores_are_those_of_the_formula(query: str) -> None:
    np.testing.assert_allclose(
        LexicalIndex(TEXTS).scores(query), reference(TEXTS, query), rtol=1e-5
    )


def test_exact_names_and_chinese_are_found() -> None:
    index = LexicalIndex(TEXTS)
    assert index.search("wd 40")[0][0] == 0
    assert index.search("WD40")[0].tolist() == [0]
    assert index.search("回忆录")[0].tolist() == [3, 4]
    assert index.search("旅行")[0].tolist() == [3]
    assert index.search("garden")[0][0] == 5


def test_one_character_is_found_inside_of_words() -> None:
    index = LexicalIndex(["狼图腾", "与狼共舞", "羊的门", "wolf"])
    assert index.search("狼")[0].tolist() == [0, 1]
    assert index.search("大羊")[0].tolist() == [2]
    # A whole pair says more than its characters apart.
    assert LexicalIndex(["天空之城", "空中天使"]).search("天空")[0].tolist() == [0, 1]


def test_only_matches_are_returned_best_first() -> None:
    numbers, scores = LexicalIndex(TEXTS).search("spray", 10)
    assert numbers.dtype == np.int32
    assert scores.dtype == np.float32
    assert sorted(numbers.tolist()) == [0, 1, 5, 6]
    assert (np.diff(scores) <= 0).all()
    assert len(LexicalIndex(TEXTS).search("spray", 2)[0]) == 2
    assert not len(LexicalIndex(TEXTS).search("unheard of", 5)[0])
    assert not len(LexicalIndex(TEXTS).search("spray", 0)[0])


def test_ties_go_to_the_lower_number() -> None:
    numbers, _ = LexicalIndex(["red hat"] * 50 + ["red red"]).search("red", 5)
    assert numbers.tolist() == [50, 0, 1, 2, 3]


def test_a_mask_says_what_may_be_found() -> None:
    index = LexicalIndex(TEXTS)
    allowed = np.array([False, True, True, True, True, True])
    assert sorted(index.search("spray", 10, allowed)[0].tolist()) == [1, 5]


@pytest.mark.parametrize("texts", [[], [""], ["", "..."]])
def test_nothing_to_find(texts: list[str]) -> None:
    index = LexicalIndex(texts)
    assert len(index) == len(texts)
    assert not len(index.search("anything")[0])
    index.update([3], ["a late text"])
    assert index.search("late")[0].tolist() == [3]


@pytest.mark.parametrize("query", ["", "   ", "🚀", "garden " * 100_000])
def test_odd_queries(query: str) -> None:
    assert np.isfinite(LexicalIndex(TEXTS).scores(query)).all()


def test_an_update_is_found_at_once_and_a_replaced_text_is_gone() -> None:
    index = LexicalIndex(TEXTS)
    index.update([9, 6], ["a purple umbrella", "now a hat"])
    assert len(index) == 10
    assert index.search("umbrella")[0].tolist() == [9]
    assert 6 not in index.search("spray")[0]
    assert index.search("hat")[0].tolist() == [6]
    index.update([9], [""])
    assert not len(index.search("umbrella")[0])


def test_a_delta_scores_as_the_index_would() -> None:
    texts = [
        f"{a} {b}" for a in ("red", "blue", "old", "new") for b in ("hat", "sea", "cup", "hat")
    ]
    full = LexicalIndex(texts)
    patched = LexicalIndex(texts)
    patched.update(range(len(texts)), texts)
    for query in ("red hat", "cup", "old sea cup"):
        np.testing.assert_allclose(patched.scores(query), full.scores(query), rtol=1e-5)


def test_a_large_delta_is_built_in() -> None:
    rng = np.random.default_rng(3)
    vocabulary = [f"word{i}" for i in range(50)]
    texts = [" ".join(rng.choice(vocabulary, 5)) for _ in range(1500)]
    grown = LexicalIndex(texts[:100])
    for start in range(100, 1500, 100):
        grown.update(range(start, start + 100), texts[start : start + 100])
    assert grown._built.documents > 1000
    grown.update([1600], ["beyond the end"])
    grown.update(range(600), [t + " x" for t in texts[:600]])
    fresh = LexicalIndex(
        [t + " x" for t in texts[:600]] + texts[600:] + [""] * 100 + ["beyond the end"]
    )
    np.testing.assert_allclose(grown.scores("word7 end"), fresh.scores("word7 end"), rtol=1e-5)


def test_reading_goes_on_while_it_is_updated() -> None:
    index = LexicalIndex(TEXTS)
    stop = threading.Event()
    errors: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                assert 5 in index.search("garden", 10_000)[0]
            except Exception as error:
                errors.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(60):
        index.update(range(10 + 20 * i, 30 + 20 * i), ["garden tool"] * 20)
    stop.set()
    for reader in readers:
        reader.join()
    assert not errors


def test_wrong_updates_are_refused() -> None:
    index = LexicalIndex(TEXTS)
    with pytest.raises(InvalidInput, match="one text a number"):
        index.update([1, 2], ["a"])
    with pytest.raises(InvalidInput, match="from 0"):
        index.update([-1], ["a"])
    index.update([], [])
    assert len(index) == len(TEXTS)
