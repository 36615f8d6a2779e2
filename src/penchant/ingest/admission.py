"""Admission: whatever comes in is read, believed or kept aside with a reason, and stored.

What is kept aside is stored before what is believed: a failure in between loses nothing, and
repeating the call adds nothing twice that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.door import one_event
from penchant.ingest.ends import Ends
from penchant.ingest.events import read_events
from penchant.ingest.intake import Counts, Intake
from penchant.ingest.items import read_items
from penchant.ingest.kinds import Kinds
from penchant.ingest.people import read_links, read_users
from penchant.ingest.privacy import Privacy
from penchant.store.open import Store
from penchant.types import Event, InvalidInput, Tell

Given = Mapping[str, str] | None


class Admission:
    """Takes in items, people, links and events, and says what it made of them.

    `prepare` is told of items before anybody can see them, `rescaled` when ratings turn out to mean
    something else than was believed so far.
    """

    def __init__(
        self,
        store: Store,
        kinds: Kinds,
        privacy: Privacy,
        *,
        prepare: Callable[[pl.DataFrame, Tell | None], None],
        rescaled: Callable[[], None],
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._privacy = privacy
        self._prepare = prepare
        self._rescaled = rescaled
        self._ends = Ends(privacy, store.people, store.catalogue)
        self._cleaning = store.settings.section("cleaning", CleaningConfig)

    def add(self, items: Any, users: Any, links: Any, columns: Given, tell: Tell | None) -> Counts:
        """Return counts of items, and of people and links under names of their own."""
        self._store.check(writing=True)
        _check(columns)
        if columns is not None and sum(x is not None for x in (items, users, links)) > 1:
            raise InvalidInput(
                "columns= says which column is which of one table; add one table at a time with it"
            )
        counts = Counts()
        if items is not None:
            counts = counts.beside(self._items(items, columns, tell))
        if users is not None:
            counts = counts.beside(self._users(users, columns).named("users"))
        if links is not None:
            counts = counts.beside(self._links(links, columns).named("links"))
        return counts

    def _items(self, source: Any, columns: Given, tell: Tell | None) -> Counts:
        intake = self._kept(read_items(source, cleaning=self._cleaning, columns=columns))
        self._prepare(intake.frame, tell)
        return Counts.of(intake, self._store.catalogue.upsert(intake.frame))

    def _users(self, source: Any, columns: Given) -> Counts:
        intake = self._kept(
            read_users(source, cleaning=self._cleaning, privacy=self._privacy, columns=columns)
        )
        return Counts.of(intake, self._store.people.upsert(intake.frame))

    def _links(self, source: Any, columns: Given) -> Counts:
        intake = self._kept(read_links(source, columns=columns, ends=self._ends))
        if strangers := self._ends.strangers(intake.frame):
            self._store.people.upsert(pl.DataFrame({"user_id": strangers, "attributes": "{}"}))
        done = self._store.people.add_links(intake.frame)
        if self._privacy.key is not None:
            links = self._store.people.links()
            self._hide(pl.concat([links["head"], links["tail"]]).to_list())
        return Counts.of(intake, done)

    def forget(self, user_id: str, user: int) -> int:
        """Return how many events of a person (-1: nobody) were removed, with all that is theirs."""
        if user < 0:
            return 0
        self._hide([user_id])
        return self._store.log.retract(user=user)

    def merge(self, user_id: str, into: str, number: Callable[[str], int]) -> int:
        """Return how many events of a visitor now belong to `into`, with all else of theirs.

        `number` tells somebody's, -1 where nobody knows them: to them one is given first.
        """
        visitor, person = number(user_id), number(into)
        if visitor < 0:
            return 0
        if visitor == person:
            raise InvalidInput(f"expected two people to merge, got {user_id!r:.80} twice")
        if person < 0:
            self._users([{"user_id": into}], None)
        self._hide([user_id])
        return self._store.people.merge(visitor, number(into))

    def _hide(self, ids: list[str]) -> None:
        """Give links that named people before they were known the pseudonyms of these."""
        if names := self._ends.named(ids):
            self._store.people.relink(names)

    def event(self, event: Event | Mapping[str, Any], now: float) -> Counts:
        """Return counts of one event, which is refused loudly when it is wrong."""
        self._store.check(writing=True)
        row = one_event(event, now, self._kinds, self._cleaning, self._privacy)
        done = self._store.log.append(row)
        return Counts({"new": done.new, "known": done.known})

    def events(self, source: Any, now: float, columns: Given) -> Counts:
        """Return counts of many events, of which the bad ones are quarantined."""
        self._store.check(writing=True)
        _check(columns)
        intake = self._kept(
            read_events(
                source,
                now=now,
                kinds=self._kinds,
                cleaning=self._cleaning,
                privacy=self._privacy,
                columns=columns,
            )
        )
        if self._kinds.keep_scales(intake.scales, self._store.directory):
            self._rescaled()
        done = self._store.log.append(intake.frame)
        return Counts.of(intake, {"new": done.new, "known": done.known})

    def _kept(self, intake: Intake) -> Intake:
        """Put what was not believed into quarantine, by reason, and count what lay there before."""
        new = sum(
            self._store.quarantine.add(str(reason), rows)
            for (reason,), rows in intake.quarantined.group_by("reason", maintain_order=True)
        )
        known = len(intake.quarantined) - new
        if not known:
            return intake
        return replace(intake, counts={**intake.counts, "already_kept_aside": known})


def _check(columns: Given) -> None:
    if columns is None:
        return
    if isinstance(columns, Mapping) and all(
        isinstance(name, str) for pair in columns.items() for name in pair
    ):
        return
    raise InvalidInput(
        f"columns is a mapping of our names to those of the table, such as "
        f'{{"item_id": "sku"}}; got {type(columns).__name__} {columns!r:.80}'
    )
