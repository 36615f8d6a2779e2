"""Headlines of recommendations: approved lines, for the interest that the person has."""

from __future__ import annotations

from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from penchant.interests.concepts import folded
from penchant.interests.state import State
from penchant.rank.answer.served import Served
from penchant.store.headlines import Headlines, digest
from penchant.store.open import Store
from penchant.types import Recommendation

LATELY = 20  # wishes of a person whose interests a headline may be for


class HeadlinesConfig(BaseModel):
    """Section `headlines`: whether lines that were written and approved are shown with items."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    show: bool = False


class Headlining:
    """Puts headlines onto the lines of a slate, where the section `headlines` shows them."""

    def __init__(self, store: Store) -> None:
        config = store.settings.section("headlines", HeadlinesConfig)
        self._headlines = Headlines(store.directory, read_only=True) if config.show else None

    def shown(
        self, lines: tuple[Recommendation, ...], served: Served, state: State
    ) -> tuple[Recommendation, ...]:
        """Return the lines with headlines: for an interest of the person, or for everybody.

        One whose item is called otherwise by now, or filed elsewhere, is left out.
        """
        if self._headlines is None:
            return lines
        own: set[str] | None = None
        out = []
        for line in lines:
            mine = self._headlines.approved(line.item_id)
            if mine and own is None:
                last = state.liked.items[-LATELY:].tolist()
                own = {folded(name) for item in last for name in served.concepts.named(item)}
            number = served.columns.number_of.get(line.item_id)
            said = ""
            # What is for an interest says more than what is for everybody.
            for one in sorted(mine, key=lambda one: not one.interest):
                fits = not one.interest or folded(one.interest) in (own or ())
                if fits and number is not None and one.facts == facts(served, number):
                    said = one.text
                    break
            out.append(replace(line, headline=said) if said else line)
        return tuple(out)


def facts(served: Served, number: int) -> str:
    """Return the digest of what is known of an item."""
    columns = served.columns
    code = int(columns.category[number])
    category = columns.categories[code] if code >= 0 else None
    return digest(columns.titles[number], category, columns.tags_of(number))
