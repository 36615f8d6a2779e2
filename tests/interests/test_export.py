"""Who asks what is held about them is handed all of it."""

from __future__ import annotations

from pathlib import Path

import penchant
import world
from penchant.interests.export import export
from penchant.store.open import open_store
from shelves import filled, ids
from store.frames import events


def test_what_was_shown_and_what_was_not_believed_is_held_too(tmp_path: Path) -> None:
    with penchant.open(filled(tmp_path / "shelf")) as engine:
        slate = engine.recommend("ann", 3, now=world.NOW, context={"device": "tv"})
        engine.recommend("ben", 3, now=world.NOW)
        bad = {"user_id": "ann", "item_id": "", "timestamp": world.NOW - 5.0}
        engine.record([bad], now=world.NOW)
        engine.record([bad | {"user_id": "stranger"}], now=world.NOW)
        held = engine.export("ann")
        assert held["shown"] == [
            {
                "slate_id": slate.id,
                "timestamp": world.NOW,
                "items": ids(slate),
                "context": {"device": "tv"},
            }
        ]
        (aside,) = held["kept_aside"]
        assert aside["reason"] == "item_id_empty"
        assert "ann" in str(aside["row"])
        assert len(engine.export("stranger")["kept_aside"]) == 1
        engine.forget("ann")
        gone = engine.export("ann")
        assert not any(gone[part] for part in ("events", "shown", "kept_aside", "links"))


def test_somebody_forgotten_meanwhile_is_somebody_unknown(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        store.log.append(events(("ann", "a", 1), ("ben", "a", 2)))
        ann, ben = store.people.numbers(["ann", "ben"]).tolist()
        assert export(store, "ann", ann)["events"][0]["item_id"] == "a"
        store.log.retract(user=ann)
        assert export(store, "ann", ann) == export(store, "ann", -1)
        assert len(export(store, "ben", ben)["events"]) == 1
