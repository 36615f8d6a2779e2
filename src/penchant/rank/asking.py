"""Asking: from what a caller passes to a query in numbers and the person's state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from penchant.ingest.kinds import Kinds
from penchant.ingest.privacy import Privacy
from penchant.ingest.where import compile_where
from penchant.interests.history import read, stateless
from penchant.interests.state import State
from penchant.rank.replica import Replica
from penchant.store.open import Store
from penchant.types import Floats, InvalidInput, Query, Seen

MOST = 10_000  # items in one slate; more is an export, not a recommendation


class UnknownItem(InvalidInput):
    """A question about an item that the catalogue has never heard of."""


@dataclass(frozen=True)
class AnswerConfig:
    """Section `recommend`: what a request does when it does not say."""

    seen: Seen = "hide"


class Asking:
    """Validates requests, loudly, and reads the state they are answered from."""

    def __init__(self, store: Store, replica: Replica, kinds: Kinds, privacy: Privacy) -> None:
        self._store = store
        self._replica = replica
        self._kinds = kinds
        self._privacy = privacy
        self._config = store.settings.section("recommend", AnswerConfig)

    def ask(
        self,
        user_id: str | None,
        k: int,
        now: float,
        *,
        context: Mapping[str, Any] | None = None,
        text: str | None = None,
        exclude: Iterable[str] = (),
        where: str | None = None,
        seen: Seen | None = None,
        history: Sequence[str] | None = None,
    ) -> tuple[Query, State]:
        """Return the query and the state; InvalidInput says what is wrong with the request."""
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST:
            raise InvalidInput(f"k is a whole number from 1 to {MOST}, got {k!r}")
        seen = self._config.seen if seen is None else seen
        if seen not in ("hide", "keep"):
            raise InvalidInput(f"seen is 'hide' or 'keep', got {seen!r}")
        if isinstance(exclude, str):
            raise InvalidInput(f"exclude is a collection of item ids, got the string {exclude!r}")
        if (user_id is None) == (history is None):
            raise InvalidInput(
                "a request is for a user_id, or for a history of item ids, exactly one of them"
            )
        words = self._words(text)
        if history is not None:
            state = self._visitor(history, now, words)
            user = -1
        else:
            assert user_id is not None
            user = self.user(user_id)
            state = read(self._store.log, self._kinds, user, now, words=words, encode=self._words)
        columns = self._replica.columns
        allowed = columns.servable(now)
        if seen == "hide":
            allowed[state.seen[state.seen < columns.n]] = False
        gone = columns.numbers(exclude)
        allowed[gone[gone >= 0]] = False
        if where is not None:
            allowed &= compile_where(where).mask(columns.table())
        query = Query(
            now=now,
            n_items=columns.n,
            user=user,
            user_id=user_id,
            k=k,
            context=dict(context or {}),
            text=text,
            seen=seen,
            allowed=allowed,
        )
        return query, state

    def only(self, query: Query, items: Sequence[str]) -> Query:
        """Return the query for the known ones of a list that somebody else made."""
        if isinstance(items, str):
            raise InvalidInput(f"items is a list of item ids, got the string {items!r}")
        numbers = self._replica.columns.numbers(dict.fromkeys(items))
        return replace(query, only=numbers[numbers >= 0])

    def user(self, user_id: str) -> int:
        """Return the person's number, -1 for somebody who never did anything."""
        if not isinstance(user_id, str) or not 1 <= len(user_id.encode()) <= 512:
            raise InvalidInput(f"user_id is a string of 1 to 512 bytes, got {user_id!r:.80}")
        return int(self._store.people.numbers([self._privacy.pseudonym(user_id)])[0])

    def item(self, item_id: str) -> int:
        """Return the item's number; UnknownItem where there is none."""
        number = self._replica.columns.number_of.get(item_id, -1)
        if number < 0:
            raise UnknownItem(
                f"item {item_id!r} is not in the catalogue; add it, or check the id "
                f"({self._replica.columns.n} items are known)"
            )
        return number

    def _visitor(self, history: Sequence[str], now: float, words: Floats | None) -> State:
        if isinstance(history, str):
            raise InvalidInput(f"history is a list of item ids, got the string {history!r}")
        numbers = self._replica.columns.numbers(history)
        return stateless(numbers[numbers >= 0], now, words)

    def _words(self, text: str | None) -> Floats | None:
        """Return the unit vector of what somebody said, None where there is nothing to compare."""
        if text is None or not text.strip() or not self._replica.reads:
            return None
        vector = self._replica.encode([text])[0]
        return vector if bool(np.isfinite(vector).all()) else None
