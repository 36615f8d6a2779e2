"""What is held about a person, also about one who goes while it is gathered."""

from __future__ import annotations

from pathlib import Path

from penchant.interests.export import export
from penchant.store.open import open_store
from store.frames import events


def test_somebody_forgotten_meanwhile_is_somebody_unknown(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        store.log.append(events(("ann", "a", 1), ("ben", "a", 2)))
        ann, ben = store.people.numbers(["ann", "ben"]).tolist()
        assert export(store, "ann", ann)["events"][0]["item_id"] == "a"
        store.log.retract(user=ann)
        assert export(store, "ann", ann) == export(store, "ann", -1)
        assert len(export(store, "ben", ben)["events"]) == 1
