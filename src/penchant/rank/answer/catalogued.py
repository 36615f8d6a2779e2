"""What the catalogue holds of items, as they are given to somebody who shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from penchant.ingest.times import MICROS
from penchant.store.open import Store
from penchant.types import Item


def catalogued(store: Store, item_ids: Sequence[str]) -> tuple[Item, ...]:
    """Return the items, in the order of their ids; what is unknown or was removed is left out."""
    numbers = store.catalogue.numbers(item_ids)
    rows = store.catalogue.get(numbers[numbers >= 0].tolist())
    return tuple(_item(row) for row in rows.iter_rows(named=True) if not row["removed"])


def _item(row: dict[str, Any]) -> Item:
    window = _seconds(row["stock_from"]), _seconds(row["stock_until"])
    return Item(
        item_id=row["item_id"],
        title=row["title"] or "",
        description=row["description"] or "",
        category=row["category"],
        tags=tuple(row["tags"] or ()),
        price=row["price"],
        released=_seconds(row["released"]),
        stock=None if window == (None, None) else window,
        attributes=json.loads(row["attributes"] or "{}"),
    )


def _seconds(micros: int | None) -> float | None:
    return None if micros is None else micros / MICROS
