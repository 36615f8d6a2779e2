"""A review is in its item's vector before the next answer, in every process and every snapshot.

What is gone is in nothing any more: not in the vectors that answer, not in those remembered, not in
the index of words.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penchant
import world
from numbered import numbers
from penchant.ingest.kinds import Kinds
from penchant.language.whitening import Whitening
from penchant.learn.config import SequenceConfig, SourcesConfig
from penchant.learn.release import publish
from penchant.learn.sources.learner import SourcesLearner
from penchant.rank.answer import rereading
from penchant.rank.answer.loading import REVIEWED, UNTRAINED
from penchant.rank.answer.replica import Replica
from penchant.rank.answer.served import Served
from penchant.recall.sequence import Sequence
from penchant.recall.sizes import RecallConfig, shrink
from penchant.store.artefacts import Artefacts
from penchant.store.open import Store, open_store
from penchant.types import Floats
from shelves import elsewhere, mute

NETWORK = "sequence_text"
N = len(world.ITEMS)
EVERY = np.arange(N, dtype=np.int32)
(W1, W2, S3) = numbers(["w1", "w2", "s3"]).tolist()


@pytest.fixture
def shelf(embedding_server: Any, tmp_path: Path) -> Path:
    settings = (
        f'[encoder]\nmodel = "loopback"\nendpoint = "{embedding_server.url}"\n'
        '[text]\nparts = ["{title}", "{category}", "{description}", "{reviews}"]\nreviews = 2\n'
    )
    with penchant.open(mute(tmp_path / "shelf", settings)) as engine:
        engine.add(world.items())
        engine.record(world.events(), now=world.NOW)
        engine.record(review("ann", "w1", "Better than most."), now=world.NOW)
    return tmp_path / "shelf"


def review(user: str, item: str, text: str, at: float = 0.0) -> dict[str, Any]:
    return {
        "user_id": user,
        "item_id": item,
        "event": "review",
        "timestamp": world.NOW - 100 + at,
        "text": text,
    }


def learn(store: Store) -> str:
    """Publish a snapshot of tables in int8, with one network on texts; return its id."""
    view, raw, offset = publish.open_view(store)
    assert raw is not None
    assert view.reviewed is not None
    whitening = Whitening.fit(raw, 12)
    tiny = SequenceConfig(dimension=16, blocks=1, heads=1, length=7, epochs=1, tokens=64)
    sources = SourcesConfig(sequence=None, sequence_text=tiny, threads=1)
    made = Artefacts(store.snapshots.begin())
    SourcesLearner(sources, N, whitening(raw)).fit(view.wanted(), made, 1.0)
    made.write_array("text.mean", whitening.mean)
    made.write_array("text.matrix", whitening.matrix)
    made.write_array("text.vectors", whitening(raw))
    made.write_array(REVIEWED, view.reviewed)
    shrink(made, RecallConfig())
    texts = {"change": view.item_change, "space": publish.space(store)}
    return store.snapshots.publish(made.folder, {"offset": offset, "texts": texts})


class Reader:
    """A process of its own, as far as the store can tell."""

    def __init__(self, folder: Path) -> None:
        self.store = open_store(folder)
        self.replica = Replica(self.store, Kinds.from_settings(self.store.settings))
        self.replica.follow()

    def vectors(self) -> Floats:
        """Return what answers now: the text vector and the network's row of each item."""
        served = self.replica.follow()
        rows = [served.vectors.rows(EVERY)]
        rows += [s.table.rows(EVERY) for s in network(served)]
        return np.concatenate(rows, axis=1)

    def found(self, words: str) -> set[str]:
        """Return the items that an index of words finds."""
        served = self.replica.follow()
        index = self.replica._loading.lexical
        with index._lock:
            index._read()
        at = np.flatnonzero(index._index.scores(words) > 0)
        return {served.columns.ids[i] for i in at}

    def close(self) -> None:
        self.replica.close()
        self.store.close()


def network(served: Served) -> list[Sequence]:
    return [s for s in served.pipeline.recall.sources if isinstance(s, Sequence)]


@pytest.fixture(params=["untrained", "trained"])
def reader(request: pytest.FixtureRequest, shelf: Path) -> Iterator[Reader]:
    if request.param == "trained":
        with open_store(shelf) as store:
            learn(store)
    made = Reader(shelf)
    assert (made.replica.follow().snapshot == UNTRAINED) == (request.param == "untrained")
    yield made
    assert made.replica.warnings == []
    made.close()


def moved(before: Floats, after: Floats) -> list[int]:
    return np.flatnonzero((before != after).any(axis=1)).tolist()


def apart(here: Floats, there: Floats) -> list[int]:
    """Return where two processes differ by more than the order in which they multiplied."""
    return np.flatnonzero(np.abs(here - there).max(axis=1) > 1e-5).tolist()


@pytest.mark.parametrize("how", ["forget", "undo"])
def test_a_review_is_in_the_next_answer_and_gone_from_it_when_it_is_gone(
    reader: Reader, shelf: Path, how: str
) -> None:
    before = reader.vectors()
    assert reader.found("spellbinding") == set()
    with penchant.open(shelf) as other:
        other.record(review("zoe", "w2", "Spellbinding.") | {"event_id": "z"}, now=world.NOW)
        told = reader.vectors()
        assert moved(before, told) == [W2]
        assert reader.found("spellbinding") == {"w2"}
        if how == "forget":
            assert other.forget("zoe") == 1
        else:
            assert other.undo("z")
    assert moved(before, reader.vectors()) == []
    assert reader.found("spellbinding") == set()
    assert held(shelf) == [W1]


def held(shelf: Path) -> list[int]:
    """Return the items of which a text with reviews is remembered."""
    with closing(sqlite3.connect(shelf / "vectors.db")) as file:
        return [row[0] for row in file.execute("SELECT owner FROM passing ORDER BY owner")]


def remembered(shelf: Path) -> int:
    with closing(sqlite3.connect(shelf / "vectors.db")) as file:
        return int(file.execute("SELECT count(*) FROM vector").fetchone()[0])


def test_of_texts_with_reviews_the_newest_alone_is_remembered(reader: Reader, shelf: Path) -> None:
    reader.vectors()
    before = remembered(shelf)
    with penchant.open(shelf) as other:
        for n in range(5):
            other.record(review(f"z{n}", "w2", f"Word {n}.", n), now=world.NOW)
            reader.vectors()
        assert remembered(shelf) == before + 1
        assert held(shelf) == sorted([W1, W2])
        for n in range(5):
            other.forget(f"z{n}")
    reader.vectors()
    assert (remembered(shelf), held(shelf)) == (before, [W1])


def test_what_was_forgotten_while_nobody_looked_is_swept_away(shelf: Path) -> None:
    Reader(shelf).close()
    with open_store(shelf) as store:
        (ann,) = store.people.numbers(["ann"]).tolist()
        store.log.retract(user=ann)
    before = remembered(shelf)
    assert held(shelf) == [W1]
    Reader(shelf).close()
    assert held(shelf) == []
    assert remembered(shelf) == before - 1


def test_who_comes_to_be_somebody_else_says_the_same(reader: Reader, shelf: Path) -> None:
    before = reader.vectors()
    with penchant.open(shelf) as other:
        other.merge("ann", into="zoe")
        assert moved(before, reader.vectors()) == []
        other.forget("zoe")
    assert moved(before, reader.vectors()) == [W1]


def test_a_snapshot_loaded_later_reads_only_what_changed_since(
    shelf: Path, embedding_server: Any
) -> None:
    with open_store(shelf) as store:
        learn(store)
    with penchant.open(shelf) as engine:
        engine.record(review("zoe", "s3", "Quiet."), now=world.NOW)
        engine.forget("ann")
    fresh = Reader(shelf)
    with open_store(shelf) as store:
        snapshot = store.snapshots.current()
        assert snapshot is not None
        file = np.asarray(snapshot.array("text.vectors")[:, :-4], dtype=np.float32)
    served = fresh.replica.follow()
    rows = served.vectors.rows(EVERY)
    scales = np.abs(rows).max(axis=1, keepdims=True) / 127
    own = np.abs(rows / scales - file).max(axis=1) > 0.6
    assert np.flatnonzero(own).tolist() == sorted([W1, S3])
    # As somebody sees it who was there all the time.
    with penchant.open(shelf) as engine:
        engine.record(review("zoe", "w2", "Loud."), now=world.NOW)
    later = Reader(shelf)
    assert apart(fresh.vectors(), later.vectors()) == []
    fresh.close()
    later.close()


def test_another_process_sees_it(reader: Reader, shelf: Path) -> None:
    code = (
        "import sys, penchant\n"
        "with penchant.open(sys.argv[1]) as engine:\n"
        "    one = {'user_id': 'zoe', 'item_id': 'w2', 'event': 'review', 'text': 'Grand.'}\n"
        f"    engine.record(one | {{'timestamp': {world.NOW - 5}}}, now={world.NOW})\n"
    )
    before = reader.vectors()
    elsewhere(code, shelf)
    assert moved(before, reader.vectors()) == [W2]


def test_a_burst_does_not_hold_an_answer_up_and_is_read_beside(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereading, "AT_ONCE", 2)
    monkeypatch.setattr(rereading, "PART", 3)
    reader = Reader(shelf)
    before = reader.vectors()
    gate = threading.Event()
    encoded = reader.replica._loading.encoded

    def slow(*asked: Any) -> Any:
        if threading.current_thread().name == "penchant-texts":
            assert gate.wait(30)
        return encoded(*asked)

    monkeypatch.setattr(reader.replica._loading, "encoded", slow)
    with penchant.open(shelf) as other:
        for item in world.ITEMS:
            other.record(review("zoe", item, f"Of {item}."), now=world.NOW)
        assert len(moved(before, reader.vectors())) == 2
        # Counting anew what is untrained does not read what waits.
        reader.replica._refit_at = 0
        other.record({"user_id": "jo", "item_id": "w1", "timestamp": world.NOW - 1}, now=world.NOW)
        counted = reader.replica.follow()
        assert len(moved(before, reader.vectors())) == 2
        assert np.isfinite(counted.vectors.rows(EVERY)).all()
        # One that waits is spoken of again: its newest words count, once.
        other.record(review("zoe", "cold", "Thought again.", 50), now=world.NOW)
        reader.vectors()
    gate.set()
    fresh = Reader(shelf)
    until = time.monotonic() + 30
    while apart(reader.vectors(), fresh.vectors()):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert len(moved(before, fresh.vectors())) == N
    with penchant.open(shelf) as other:
        other.forget("zoe")
    assert moved(before, reader.vectors()) == []  # what is gone waits for nothing
    fresh.close()
    reader.close()


def test_a_snapshot_that_comes_meanwhile_knows_them_too(shelf: Path) -> None:
    reader = Reader(shelf)
    with open_store(shelf) as store:
        name = learn(store)
        with penchant.open(shelf) as other:
            other.record(review("zoe", "s3", "Quiet."), now=world.NOW)
    reader.replica.follow(wait=True)
    fresh = Reader(shelf)
    assert reader.replica.follow().snapshot == fresh.replica.follow().snapshot == name
    assert apart(reader.vectors(), fresh.vectors()) == []
    reader.close()
    fresh.close()


def test_an_item_added_again_keeps_what_was_said_of_it(reader: Reader, shelf: Path) -> None:
    title, category, description = world.ITEMS["w1"]
    item = {"item_id": "w1", "title": title, "category": category, "description": description}
    with penchant.open(shelf) as other:
        before = reader.vectors()
        other.add([item | {"title": "Another name"}])
        assert moved(before, reader.vectors()) == [W1]
        assert held(shelf) == [W1]
        other.add([item])
    assert moved(before, reader.vectors()) == []
