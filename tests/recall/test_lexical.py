"""Recall by words: exact names first, then the share of the words; the catalogue is followed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

import world
from numbered import NUMBER, N, names, query, rows, state
from penchant.language.searchable import Searchable
from penchant.recall import lexical
from penchant.recall.lexical import NAMED, Lexical
from penchant.recall.source import NotReady
from penchant.types import Floats


class Shelf:
    """Items by number with the changes they came in, as `store.Catalogue` tells of them."""

    def __init__(self, items: pl.DataFrame) -> None:
        self.rows = rows(items)
        self.asked: list[int] = []

    def changed(self, after: int) -> tuple[pl.DataFrame, int]:
        self.asked.append(after)
        return self.rows[after:], len(self.rows)

    def put(self, number: int, item_id: str, title: str) -> None:
        frame = pl.DataFrame(
            {"item_id": [item_id], "title": [title], "description": [""], "category": [None]},
            schema_overrides={"category": pl.String},
        )
        new = rows(frame, number).cast(dict(self.rows.schema))
        self.rows = pl.concat([self.rows, new])


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(world.items())


@pytest.fixture
def source(shelf: Shelf) -> Lexical:
    return Lexical("lexical", shelf.changed, Searchable())


def titled(titles: Sequence[str]) -> Lexical:
    """Return the source over items that have an id and a title."""
    blank = [""] * len(titles)
    frame = pl.DataFrame(
        {
            "item_id": [f"SKU-{n}" for n in range(len(titles))],
            "title": titles,
            "description": blank,
            "category": blank,
        }
    )
    return Lexical("lexical", Shelf(frame).changed, Searchable())


def values(source: Lexical, text: str, n: int = N) -> Floats:
    scores = source.score(query(text=text, n_items=n), state([]))
    assert scores is not None
    return scores.at(np.arange(n, dtype=np.int32))


@pytest.mark.parametrize("text", [None, "", "  ", "?!"])
def test_without_words_nothing_is_read_and_nothing_is_said(source, shelf, text) -> None:
    assert source.score(query(text=text), state(["w1"])) is None
    assert shelf.asked == []


def test_the_index_module_is_not_even_imported_before_there_are_words() -> None:
    from shelves import elsewhere

    code = (
        "import sys, tempfile, penchant, world\n"
        "from pathlib import Path; from shelves import mute\n"
        "with tempfile.TemporaryDirectory() as d, penchant.open(mute(Path(d) / 's')) as e:\n"
        "    e.add(world.items()); e.recommend('ann', now=world.NOW)\n"
        "    before = 'bm25s' in sys.modules\n"
        "    e.recommend('ann', text='stagecoach', now=world.NOW)\n"
        "    print(before, 'bm25s' in sys.modules)"
    )
    assert elsewhere(code) == "False True"


def test_values_are_the_share_of_the_words_that_is_found(source) -> None:
    found = values(source, "cattle rustlers")
    assert names(np.flatnonzero(np.isfinite(found))) == ["w1", "w4"]  # cattle stands in w1 as well
    assert found[NUMBER["w4"]] > found[NUMBER["w1"]]
    assert np.nanmax(found) < NAMED
    # Words that nobody uses lower the share: the question was about something else.
    assert np.nanmax(values(source, "cattle rustlers umbrella plankton")) < 0.7 * np.nanmax(found)


@pytest.mark.parametrize("text", ["The Mars Signal", "the mars  SIGNAL!", "s2"])
def test_a_name_is_a_title_or_an_id_in_any_writing(source, text) -> None:
    found = values(source, text)
    assert names(np.flatnonzero(found >= NAMED)) == ["s2"]


def test_a_word_of_the_title_counts_for_more_than_one_of_the_description(source) -> None:
    found = values(source, "alien")
    assert found[NUMBER["s6"]] > found[NUMBER["s1"]] > 0


def test_chinese_names_and_parts_of_them() -> None:
    source = titled(["星际旅行者的回忆录", "回忆的味道", "旅行"])
    assert np.flatnonzero(values(source, "星际旅行者的回忆录", 3) >= NAMED).tolist() == [0]
    assert np.flatnonzero(values(source, "旅行", 3) >= NAMED).tolist() == [2]
    part = values(source, "回忆录", 3)
    assert np.nanargmax(part) == 0
    assert np.nanmax(part) < NAMED


def test_a_remark_in_brackets_is_no_part_of_the_name() -> None:
    source = titled(["Toy Story (1995)", "Toy Story 2 (1999)", "(Untitled)"])
    assert np.flatnonzero(values(source, "toy story", 3) >= NAMED).tolist() == [0]
    assert np.flatnonzero(values(source, "Toy Story (1995)", 3) >= NAMED).tolist() == [0]
    assert np.flatnonzero(values(source, "untitled", 3) >= NAMED).tolist() == [2]


def test_two_of_one_name_are_both_named() -> None:
    source = titled(["True Grit", "Shane", "True Grit"])
    assert np.flatnonzero(values(source, "true grit", 3) >= NAMED).tolist() == [0, 2]


def test_titles_in_other_languages_are_names_and_attributes_are_texts() -> None:
    frame = rows(
        pl.DataFrame(
            {
                "item_id": ["a", "b"],
                "title": ["Seven Samurai", "Rome, Open City"],
                "description": ["Swordsmen.", "A priest."],
                "category": ["", ""],
            }
        )
    ).with_columns(
        attributes=pl.Series(
            [
                '{"title_zh": "七武士", "sentence_zh": "穷村庄请来几名浪人。"}',
                '{"title_zh": "罗马，不设防的城市", "director": "Roberto Rossellini"}',
            ]
        )
    )
    source = Lexical("lexical", lambda after: (frame[after:], 2), Searchable())
    for text in ("七武士", "Seven Samurai", "seven  samurai"):
        assert np.flatnonzero(values(source, text, 2) >= NAMED).tolist() == [0]
    assert np.flatnonzero(values(source, "罗马不设防的城市", 2) >= NAMED).tolist() == [1]
    for text, item in (("请浪人的村庄", 0), ("rossellini", 1), ("seven 七武士", 0)):
        found = values(source, text, 2)
        assert np.nanargmax(found) == item
        assert np.nanmax(found) < NAMED


def test_what_is_added_renamed_or_taken_away_is_known_at_once(source, shelf) -> None:
    values(source, "shane")
    shelf.put(N, "new", "Shane")
    source.outdated()
    assert np.flatnonzero(values(source, "shane", N + 1) >= NAMED).tolist() == [N]
    shelf.put(N, "new", "Jane")
    source.outdated()
    assert not np.isfinite(values(source, "shane", N + 1)).any()
    assert np.flatnonzero(values(source, "jane", N + 1) >= NAMED).tolist() == [N]
    assert shelf.asked == [0, N, N + 1]  # only what changed, and only when it was told so
    assert source.score(query(text="jane"), state([])).top(5, None).tolist() == []


def test_a_growing_catalogue_scores_as_one_that_was_there_from_the_start() -> None:
    shelf = Shelf(world.items()[:1])
    grown = Lexical("lexical", shelf.changed, Searchable())
    values(grown, "prairie")
    for number, row in enumerate(world.items()[1:].iter_rows(named=True), start=1):
        frame = rows(pl.DataFrame([row], schema=world.items().schema), number)
        shelf.rows = pl.concat([shelf.rows, frame])
        grown.outdated()
        values(grown, "prairie", number + 1)
    whole = Lexical("lexical", Shelf(world.items()).changed, Searchable())
    for text in ("the prairie", "starship crew", "galactic rebels"):
        mine, theirs = (np.nan_to_num(values(one, text)) for one in (grown, whole))
        np.testing.assert_allclose(mine, theirs, atol=0.08)
        assert mine.argmax() == theirs.argmax()


def test_a_catalogue_that_cannot_be_read_is_asked_again(shelf) -> None:
    down = True

    def changed(after: int) -> tuple[pl.DataFrame, int]:
        if down:
            raise OSError("on purpose")
        return shelf.changed(after)

    source = Lexical("lexical", changed, Searchable())
    with pytest.raises(OSError, match="on purpose"):
        values(source, "prairie")
    down = False
    assert np.isfinite(values(source, "prairie")).any()


def test_who_asks_while_another_reads_waits_for_what_was_added(shelf) -> None:
    """Read your writes, also where somebody else's question is just taking the item in."""
    started, go = threading.Event(), threading.Event()

    def changed(after: int) -> tuple[pl.DataFrame, int]:
        if after:
            started.set()
            assert go.wait(10)
        return shelf.changed(after)

    source = Lexical("lexical", changed, Searchable())
    values(source, "shane")
    shelf.put(N, "new", "Shane")
    source.outdated()
    answers: list[list[int]] = []

    def ask() -> None:
        answers.append(np.flatnonzero(values(source, "shane", N + 1) >= NAMED).tolist())

    threads = [threading.Thread(target=ask) for _ in range(3)]
    threads[0].start()
    assert started.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert answers == [[N]] * 3


def test_a_catalogue_that_takes_long_to_read_keeps_nobody_waiting(shelf, monkeypatch) -> None:
    monkeypatch.setattr(lexical, "WAIT", 0.02)
    go = threading.Event()

    def changed(after: int) -> tuple[pl.DataFrame, int]:
        assert go.wait(10)
        return shelf.changed(after)

    source = Lexical("lexical", changed, Searchable())
    for _ in range(3):
        with pytest.raises(NotReady, match="ask again"):
            values(source, "prairie")
    go.set()
    monkeypatch.setattr(lexical, "WAIT", 10.0)
    assert np.isfinite(values(source, "prairie")).any()
    assert shelf.asked == [0]


def test_closing_waits_for_the_reading_and_starts_none(shelf, monkeypatch) -> None:
    monkeypatch.setattr(lexical, "WAIT", 0.02)
    go, done = threading.Event(), threading.Event()

    def changed(after: int) -> tuple[pl.DataFrame, int]:
        assert go.wait(10)
        done.set()
        return shelf.changed(after)

    source = Lexical("lexical", changed, Searchable())
    with pytest.raises(NotReady):
        values(source, "prairie")
    threading.Timer(0.1, go.set).start()
    source.close()
    assert done.is_set()
    unread = Lexical("lexical", shelf.changed, Searchable())
    unread.close()
    with pytest.raises(NotReady):
        values(unread, "prairie")
