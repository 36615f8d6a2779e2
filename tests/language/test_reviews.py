"""Reviews of items: whatever the cuts, the same fold; what is taken back was never told."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.language.encoder.cache import CachedEncoder
from penchant.language.reviews import Reviews, chosen
from penchant.language.template import TextConfig
from penchant.language.texts import ItemTexts
from penchant.store.log import Events
from penchant.store.open import Store, open_store
from penchant.store.tail import Position
from store.frames import events, items

PARTS = ("{title}", "{reviews}")
CONFIG = TextConfig(parts=PARTS, reviews=2, review_characters=20)
WORDS = ("fine", "slow", "  ", "", "🎬", "dull, dull, dull and far too long")


class Said(NamedTuple):
    """One row of the log."""

    user: str
    item: str | None
    time: int
    kind: str
    text: str | None
    shared: float


said = st.builds(
    Said,
    st.sampled_from("abcd"),
    st.sampled_from(["x", "y", "z", None]),
    st.integers(0, 4),
    st.sampled_from(["review", "Review", "click", "search", "comment"]),
    st.sampled_from([*WORDS, None]),
    st.sampled_from([1.0, 1.0, 0.5, 0.0]),
)


def rows(log: Sequence[Said], begin: int = 0) -> pl.DataFrame:
    return events(
        *(
            {
                "user_id": one.user,
                "item_id": one.item,
                "timestamp": one.time * 1_000_000,
                "event": one.kind,
                "text": one.text or None if one.item else one.text or "words",
                "shared": one.shared,
                "event_id": str(n),
            }
            for n, one in enumerate(log, begin)
        )
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "s") as opened:
        yield opened


def filled(store: Store, log: Sequence[Said]) -> Store:
    store.catalogue.upsert(items("x", "y", "z"))
    store.people.upsert(pl.DataFrame({"user_id": list("abcd"), "attributes": ["{}"] * 4}))
    if log:
        store.log.append(rows(log))
    return store


def folded(store: Store, cuts: Sequence[int] = ()) -> Reviews:
    """Return the fold of a store's log, read in pieces."""
    reviews = Reviews(CONFIG, store.said)
    log = store.log.scan(0, 1000)
    for begin, end in itertools.pairwise((0, *sorted(cuts), len(log))):
        reviews.fold(chosen(log, np.arange(begin, max(begin, min(end, len(log))))))
    return reviews


def expected(log: Events) -> dict[int, list[int]]:
    """Return the offsets that the words of the definition give."""
    newest: dict[tuple[int, int], tuple[float, int]] = {}
    for i, offset in enumerate(log.offsets.tolist()):
        kind, item = log.kind_names[log.kinds[i]].lower(), int(log.items[i])
        text = (log.texts[i] or "") if log.texts else ""
        told = kind in ("review", "rating", "comment") and item >= 0 and log.shared[i] > 0
        if told and text.strip():
            key = (item, int(log.users[i]))
            newest[key] = max(newest.get(key, (-1.0, -1)), (float(log.times[i]), offset))
    out: dict[int, list[tuple[float, int]]] = {}
    for (item, _), found in newest.items():
        out.setdefault(item, []).append(found)
    return {item: [o for _, o in sorted(found)[::-1][:2]] for item, found in out.items()}


def held(reviews: Reviews) -> dict[int, list[int]]:
    return {int(item): [o for o in row if o >= 0] for item, *row in reviews.table().tolist()}


@given(log=st.lists(said, max_size=25), cuts=st.lists(st.integers(0, 25), max_size=4))
@settings(max_examples=10)
def test_a_fold_in_any_cuts_is_the_fold_at_once(log: list[Said], cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "s") as store:
        filled(store, log)
        assert held(folded(store)) == held(folded(store, cuts)) == expected(store.log.scan(0, 1000))


@given(
    log=st.lists(said, max_size=25),
    later=st.lists(said, max_size=5),
    how=st.sampled_from(["forget", "undo", "merge"]),
    who=st.integers(0, 3),
)
@settings(max_examples=20)
def test_what_is_taken_back_was_never_told(
    log: list[Said], later: list[Said], how: str, who: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "s") as store:
        filled(store, log)
        reviews = folded(store)
        position = store.tail(Position()).position
        before = held(reviews)
        match how:
            case "forget":
                store.log.retract(user=who)
            case "undo":
                store.log.retract(event_id=str(who))
            case _:
                store.people.merge(who, (who + 1) % 4)
        if later:
            store.log.append(rows(later, 100))
        tail = store.tail(position)
        changed = set(reviews.fold(tail.events).tolist())
        changed |= set(reviews.take_back(tail.retracted_users, tail.position.event_offset).tolist())
        after = held(reviews)
        assert after == held(folded(store)) == expected(store.log.scan(0, 1000))
        differing = {i for i in before.keys() | after.keys() if before.get(i) != after.get(i)}
        assert differing <= changed
        assert set(reviews.since(0).tolist()) >= after.keys()


def review(user: str, item: str, time: int, text: str, kind: str = "review") -> Said:
    return Said(user, item, time, kind, text, 1.0)


def texts_of(store: Store, config: TextConfig = CONFIG) -> list[str]:
    texts = ItemTexts(config, store.said)
    tail = store.tail(Position())
    texts.reviews.fold(tail.events)
    return texts.written(tail.items.sort("number"))


def test_the_newest_of_each_person_in_order_of_time_are_in_the_text(store: Store) -> None:
    filled(
        store,
        [
            review("a", "x", 9, "newest by a."),
            review("a", "x", 1, "oldest by a"),
            review("b", "x", 5, "by b"),
            review("c", "x", 5, "by c, a later row of the same moment"),
            Said("d", "x", 8, "review", "a flood of words", 0.0),
            Said("d", "y", 8, "search", "about something else", 1.0),
            review("d", "z", 8, "<b>a</b> word\n\tor  two", "Comment"),
        ],
    )
    assert texts_of(store) == ["newest by a. by c, a later row of", "", "<b>a</b> word or two"]


def test_who_does_not_ask_for_reviews_reads_none(store: Store) -> None:
    filled(store, [review("a", "x", 1, "fine")])
    without = ("{title}", "{category}")
    for config in (TextConfig(parts=without), TextConfig(parts=PARTS, reviews=0)):
        reviews = Reviews(config, store.said)
        assert not reviews.wanted
        assert len(reviews.fold(store.log.scan(0, 10))) == 0
        assert texts_of(store, config) == ["", "", ""]
    plain = TextConfig(parts=without).content()
    assert TextConfig(parts=without, reviews=7).content() == plain
    assert "review" not in plain
    assert TextConfig(parts=PARTS).content() != TextConfig(parts=PARTS, reviews=7).content()


def test_a_snapshot_knows_which_reviews_it_read(store: Store) -> None:
    filled(store, [review("a", "x", 1, "fine"), review("b", "y", 1, "slow")])
    reviews = folded(store)
    table = reviews.table()
    assert reviews.differ(table).tolist() == []
    store.log.append(rows([review("b", "z", 2, "dull"), review("b", "y", 0, "early")], 50))
    assert folded(store).differ(table).tolist() == [2]
    store.log.retract(user=0)
    assert folded(store).differ(table).tolist() == [0, 2]
    other = Reviews(TextConfig(parts=PARTS, reviews=5), store.said)
    other.fold(store.log.scan(0, 100))
    assert other.differ(table).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "text", ["", " \n ", "🎬", "x" * 100_000, "Привет 世界 שלום hello", "a\x00b\x1b[31mc", "�"]
)
def test_any_words_make_a_text(store: Store, text: str) -> None:
    filled(store, [review("a", "x", 1, text)])
    (first, *_), limit = texts_of(store), CONFIG.review_characters
    assert len(first) <= limit
    assert bool(first) == bool(text.strip())
    first.encode()


def test_a_review_that_went_this_moment_is_left_out(store: Store) -> None:
    filled(store, [review("a", "x", 1, "fine"), review("b", "x", 2, "slow")])
    texts = ItemTexts(CONFIG, store.said)
    tail = store.tail(Position())
    texts.reviews.fold(tail.events)
    store.log.retract(user=1)
    assert texts.written(tail.items.sort("number"))[0] == "fine"


class Letters:
    """An encoder of the first letters of a text; what has none says nothing."""

    id, dimension = "letters", 26

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        rows = np.zeros((len(texts), 26), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for one in {word[0] for word in text.lower().split() if word[0] in ascii_lowercase}:
                row[ascii_lowercase.index(one)] = 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    def reads(self, text: str) -> bool:
        return True


def vector(**weights: float) -> np.ndarray:
    row = Letters().encode([""])[0]
    for letter, weight in weights.items():
        row[ascii_lowercase.index(letter)] = weight
    return row / np.linalg.norm(row)


def test_reviews_are_added_to_the_vector_of_the_items_own_words(store: Store) -> None:
    log = [review("a", "x", 1, "fine"), review("b", "x", 2, "slow"), review("b", "y", 2, "🎬")]
    filled(store, [*log, review("a", "z", 1, "dull")])
    tail = store.tail(Position())
    titled = tail.items.sort("number").with_columns(
        title=pl.Series(["queen", "queen", None], dtype=pl.String)
    )
    plain = Letters()
    config = CONFIG.model_copy(update={"review_weight": 0.5})
    texts = ItemTexts(config, store.said)
    texts.reviews.fold(tail.events)
    rows = texts.encoded(plain, titled)
    # "slow. fine" is twice as long as "queen", and counts half for its length.
    half = 0.5**0.5
    np.testing.assert_allclose(rows[0], vector(q=1, f=half, s=half), rtol=1e-5)
    np.testing.assert_array_equal(rows[1], vector(q=1))  # what says nothing changes nothing
    np.testing.assert_allclose(rows[2], vector(d=1), rtol=1e-5)
    one = texts.encoded(plain, titled[:1])
    np.testing.assert_array_equal(one, rows[:1])

    cached = CachedEncoder(Letters(), store.directory / "vectors.db")
    np.testing.assert_allclose(texts.encoded(cached, titled), rows, atol=1e-4)
    asked = len(cached.encoder.asked)
    texts.encoded(cached, titled)
    assert len(cached.encoder.asked) == asked
    # What passes is not remembered: it is encoded each time.
    for _ in range(2):
        texts.encoded(cached, titled, passing=True)
    assert len(cached.encoder.asked) == asked + 2 * 3
    cached.close()

    silent = ItemTexts(CONFIG.model_copy(update={"review_weight": 0.0}), store.said)
    silent.reviews.fold(tail.events)
    alone = Letters()
    np.testing.assert_array_equal(silent.encoded(alone, titled)[0], vector(q=1))
    assert alone.asked == ["queen", "queen", ""]


def test_many_reviews_of_one_person_hide_nobody(store: Store) -> None:
    log: list[Any] = [review("a", "x", n, f"word {n}") for n in range(60)]
    filled(store, [review("b", "x", 0, "first"), *log])
    reviews = folded(store)
    assert held(reviews) == {0: [61, 1]}
    store.log.retract(event_id="60")
    assert reviews.take_back(np.array([0], dtype=np.int32), 61).tolist() == [0]
    assert held(reviews) == {0: [60, 1]}
