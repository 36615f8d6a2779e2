"""What a person reads instead of ids: title, category and year of items, and why they are there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from penchant.types import Explanation


@dataclass(frozen=True, slots=True)
class Caption:
    """One item as it is shown. `title` is its id where the catalogue has none."""

    title: str
    category: str = ""
    year: str = ""

    def __str__(self) -> str:
        return f"{self.title} ({self.year})" if self.year else self.title


def captions(directory: Path, url: str | None, item_ids: Iterable[str]) -> Mapping[str, Caption]:
    """Return the caption of each item id, read from the catalogue."""
    from penchant.store.open import open_store

    wanted = list(dict.fromkeys(item_ids))
    with open_store(directory, url, read_only=True) as store:
        numbers = store.catalogue.numbers(wanted)
        known = [item for item, number in zip(wanted, numbers, strict=True) if number >= 0]
        rows = store.catalogue.get(numbers[numbers >= 0].tolist()).to_dicts()
    found = {
        item: Caption(row["title"] or item, row["category"] or "", _year(row["attributes"]))
        for item, row in zip(known, rows, strict=True)
    }
    return {item: found.get(item, Caption(item)) for item in wanted}


def _year(attributes: str | None) -> str:
    year = json.loads(attributes or "{}").get("year")
    return str(year) if isinstance(year, int | str) else ""


def because(explanation: Explanation, category: str = "", most: int = 2) -> str:
    """Return the causes worth telling in words, strongest first.

    Items of the person's history are named behind that cause alone, the item's category behind
    theirs; an item that many want says so, and names nothing the person did.
    """
    from penchant.rank.explain.sentences import HISTORY, told

    hints = [reason for reason in explanation.contributions if reason.kind == "source"]
    words = []
    for cause in told(hints or explanation.contributions, most):
        if cause == HISTORY and explanation.events:
            named = ", ".join(f"“{reason.name}”" for reason in explanation.events[:most])
            words.append(f"goes with {named}")
        elif cause == "your categories" and category:
            words.append(f"{cause}: {category}")
        else:
            words.append(cause)
    return "; ".join(words) or "nothing speaks for it more than for others"
