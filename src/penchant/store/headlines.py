"""Headlines of items: drafts, and those that a person approved, in a file beside the tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from penchant.store.place import HEADLINES_FILE
from penchant.store.sidecar import Sidecar
from penchant.types import InvalidInput

State = Literal["draft", "approved", "refused"]


@dataclass(frozen=True)
class Headline:
    """One line for an item and an interest; `facts` is a digest of what it was made of, `by` who
    wrote it."""

    item_id: str
    interest: str
    text: str
    facts: str
    by: str = ""
    state: State = "draft"


class UnknownHeadline(InvalidInput):
    """Nothing was drafted for this item and this interest."""


_READ = TypeAdapter(tuple[Headline, ...])
Index = Mapping[str, tuple[Headline, ...]]


class Headlines:
    """The headlines of one directory, by item. Nothing but what was approved is ever shown."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        path = directory / HEADLINES_FILE
        self._file: Sidecar[Index] = Sidecar(path, _parsed, _rendered, {}, read_only=read_only)

    def all(self) -> tuple[Headline, ...]:
        """Return every headline, those of an item together."""
        return tuple(one for mine in self._file.read().values() for one in mine)

    def approved(self, item_id: str) -> tuple[Headline, ...]:
        """Return what may be shown of an item."""
        mine = self._file.read().get(item_id, ())
        return tuple(one for one in mine if one.state == "approved")

    def put(self, headline: Headline) -> None:
        """Keep a draft, in the place of the one of the same item and interest."""
        with self._file.changing() as change:
            before = self._file.read()
            others = (
                one for one in before.get(headline.item_id, ()) if one.interest != headline.interest
            )
            change({**before, headline.item_id: (*others, headline)})

    def decide(self, item_id: str, interest: str, state: State) -> Headline:
        """Return the headline as it was decided; UnknownHeadline where there is none."""
        with self._file.changing() as change:
            before = self._file.read()
            mine = before.get(item_id, ())
            found = next((one for one in mine if one.interest == interest), None)
            if found is None:
                known = ", ".join(repr(one.interest) for one in mine) or "none"
                raise UnknownHeadline(
                    f"no headline of {item_id!r:.80} is for {interest!r:.80}; there are {known}"
                )
            decided = replace(found, state=state)
            change({**before, item_id: tuple(decided if one is found else one for one in mine)})
        return decided


def digest(title: str, category: str | None, tags: Sequence[str]) -> str:
    """Return what a headline stands on, in short: it is stale once this is another."""
    told = json.dumps([title, category or "", sorted(tags)], ensure_ascii=False)
    return hashlib.blake2b(told.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _rendered(index: Index) -> bytes:
    rows = [asdict(one) for mine in index.values() for one in mine]
    return json.dumps(rows, indent=1, ensure_ascii=False).encode(errors="surrogatepass")


def _parsed(content: bytes | OSError) -> Index:
    """Return what a file holds; of one that cannot be read nothing is shown."""
    found: dict[str, tuple[Headline, ...]] = {}
    try:
        if isinstance(content, OSError):
            raise content
        for one in _READ.validate_json(content):
            found[one.item_id] = (*found.get(one.item_id, ()), one)
    except (OSError, ValidationError, ValueError):
        return {}
    return found
