"""The snapshots of a store, as somebody chooses between them."""

from __future__ import annotations

from penchant.store.open import Store
from penchant.store.snapshots import SnapshotDamaged
from penchant.types import Release


def releases(store: Store) -> tuple[Release, ...]:
    """Return every snapshot that is whole, oldest first; damaged ones cannot be activated."""
    current = store.snapshots.current()
    found = []
    for name in store.snapshots.list():
        try:
            manifest = store.snapshots.open(name).manifest
        except SnapshotDamaged:
            continue
        choice = manifest.get("choice", {})
        measured = choice.get("measured", {})
        ndcg = measured.get(choice.get("scorer"), measured.get("sum of sources"))
        found.append(
            Release(
                id=name,
                created=float(manifest.get("created", 0.0)),
                current=current is not None and current.id == name,
                ndcg=None if ndcg is None else float(ndcg),
                events=manifest.get("events"),
            )
        )
    return tuple(found)
