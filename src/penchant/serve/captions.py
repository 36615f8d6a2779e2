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


HISTORY = "what goes with your history"
"""The cause that the items named by an explanation stand behind: the linear sources' terms."""


def because(explanation: Explanation, category: str = "", most: int = 2) -> str:
    """Return the strongest causes in words, strongest first.

    Items of the person's history are named behind that cause alone, the item's category behind
    theirs; an item that many want says so, and names nothing the person did.
    """
    causes = [cause.name for cause in explanation.contributions if cause.weight > 0]
    if not explanation.events:
        # Of somebody who did nothing yet the trees still split on what is missing.
        causes = [cause for cause in causes if "your" not in cause and "you chose" not in cause]
    told = []
    for cause in causes[:most]:
        if cause == HISTORY and explanation.events:
            named = ", ".join(f"“{reason.name}”" for reason in explanation.events[:most])
            told.append(f"goes with {named}")
        elif cause == "your categories" and category:
            told.append(f"{cause}: {category}")
        else:
            told.append(cause)
    return "; ".join(told) or "nothing that anybody did speaks for it yet"
