"""A snapshot over a catalogue that went on: what it knows is read from its files, the rest added.

Read from a file of int8 a row has the steps of the file, kept a second time it has not: so the
tests see which rows were taken in anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penchant
import world
from numbered import NOW, PERSON, N, numbers, state
from penchant.ingest.kinds import Kinds
from penchant.language.whitening import Whitening
from penchant.learn.config import SequenceConfig, SourcesConfig
from penchant.learn.release import gate, publish
from penchant.learn.release.gate import Request, figures
from penchant.learn.sources.learner import SourcesLearner
from penchant.rank.answer.replica import Replica
from penchant.rank.answer.served import Served, load
from penchant.recall.assemble import load_sequence
from penchant.recall.sequence import Sequence
from penchant.recall.sizes import RecallConfig, shrink
from penchant.store.artefacts import Artefacts
from penchant.store.open import Store, open_store
from penchant.store.snapshots import Snapshot
from penchant.store.vectors import Vectors
from penchant.types import Floats, Query
from shelves import mute

NETWORK = "sequence_text"
EVERY = np.arange(N, dtype=np.int32)


@pytest.fixture
def store(embedding_server: Any, tmp_path: Path) -> Iterator[Store]:
    """A store with a snapshot of tables in int8, and of one network on texts among its sources.

    Its manifest does not say which texts it knows: whoever opens it looks at all of them.
    """
    settings = f'[encoder]\nmodel = "loopback"\nendpoint = "{embedding_server.url}"\n'
    with penchant.open(mute(tmp_path / "shelf", settings)) as engine:
        engine.add(world.items())
        engine.record(world.events(), now=world.NOW)
    with open_store(tmp_path / "shelf") as store:
        learn(store)
        assert snapshot(store).array("text.vectors").dtype == np.int8
        assert snapshot(store).array(f"{NETWORK}.table").dtype == np.int8
        yield store


def learn(store: Store) -> None:
    view, raw, offset = publish.open_view(store)
    assert raw is not None
    whitening = Whitening.fit(raw, 12)
    tiny = SequenceConfig(dimension=16, blocks=1, heads=1, length=7, epochs=2, tokens=64)
    sources = SourcesConfig(sequence=None, sequence_text=tiny, threads=1)
    made = Artefacts(store.snapshots.begin())
    SourcesLearner(sources, N, whitening(raw)).fit(view.wanted(), made, 1.0)
    made.write_array("text.mean", whitening.mean)
    made.write_array("text.matrix", whitening.matrix)
    made.write_array("text.vectors", whitening(raw))
    shrink(made, RecallConfig())
    store.snapshots.publish(made.folder, {"offset": offset})


def snapshot(store: Store) -> Snapshot:
    found = store.snapshots.current()
    assert found is not None
    return found


def followed(store: Store) -> Served:
    replica = Replica(store, Kinds.from_settings(store.settings))
    try:
        served = replica.follow()
        assert replica.warnings == []
        return served
    finally:
        replica.close()


def logits(source: Sequence) -> Floats:
    found = source.score(Query(now=NOW, n_items=N), state(numbers(["w1", "s2"])))
    assert found is not None
    return found.values


def second_copies(served: Served, folder: Path) -> tuple[list[int], list[int]]:
    """Return the items whose vector, and whose row in the network, are not those of the files."""
    held = Vectors.open(folder / "text.vectors.npy").rows(EVERY)
    now = served.vectors.rows(EVERY)
    moved = ~((now == held) | (np.isnan(now) & np.isnan(held))).all(axis=1)
    (network,) = (s for s in served.pipeline.recall.sources if s.name == NETWORK)
    assert isinstance(network, Sequence)
    there = logits(load_sequence(Artefacts(folder), NETWORK))
    here = logits(network)
    changed = ~((here == there) | (np.isnan(here) & np.isnan(there)))
    return np.flatnonzero(moved).tolist(), np.flatnonzero(changed).tolist()


def test_texts_that_did_not_change_are_not_kept_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = snapshot(store).folder
    assert second_copies(followed(store), folder) == ([], [])
    assert second_copies(judged(store, monkeypatch), folder) == ([], [])


def test_what_came_or_changed_is_taken_in_alike_by_who_serves_and_who_judges(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reworded = {"item_id": "w2", "title": "Ponies", "description": "Of another kind."}
    gone = {"item_id": "s3", "title": "", "description": ""}
    with penchant.open(store.directory) as engine:
        engine.add([reworded, gone, {"item_id": "new", "title": "Quite new"}])
    changed = sorted(numbers(["w2", "s3"]).tolist())
    live, again = followed(store), judged(store, monkeypatch)
    for served in (live, again):
        vectors, network = second_copies(served, snapshot(store).folder)
        assert vectors == changed
        assert set(network) <= set(changed)
        assert numbers(["w2"])[0] in network
        assert served.vectors.known(np.array([*changed, N])).tolist() == [
            number != numbers(["s3"])[0] for number in (*changed, N)
        ]
    every = np.arange(N + 1)
    np.testing.assert_array_equal(live.vectors.rows(every), again.vectors.rows(every))


def judged(store: Store, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Return what the gate asks when it asks the snapshot of the store."""
    found: list[Served] = []

    def watched(*given: Any, **more: Any) -> Served:
        found.append(load(*given, **more))
        return found[-1]

    monkeypatch.setattr(gate, "load", watched)
    view, raw, _ = publish.open_view(store)
    known = np.ones(len(view), dtype=np.bool_)
    asked = Request(PERSON["ann"], state(numbers(["w1"])), numbers(["w3"]))
    assert len(figures(Artefacts(snapshot(store).folder), known, view, raw, [asked])) == 1
    (served,) = found
    return served
