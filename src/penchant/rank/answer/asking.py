"""Asking: from what a caller passes to a question in numbers, with the person's state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from penchant.ingest.cells import checked_id, to_id
from penchant.ingest.kinds import Kinds
from penchant.ingest.privacy import Privacy
from penchant.interests.adjustments import Adjustment, adjusted, bearing
from penchant.interests.history import read, stateless
from penchant.interests.state import State
from penchant.rank.answer.filtering import Filtering
from penchant.rank.answer.replica import Replica
from penchant.rank.answer.served import Served
from penchant.rank.answer.variants import Variants
from penchant.store.frames import ID_BYTES
from penchant.store.open import Store
from penchant.types import Ids, InvalidInput, Mask, Policy, Query, Seen

MOST = 10_000  # items in one slate; more is an export, not a recommendation
MOST_TEXT = 100_000  # characters of a question; an encoder reads the first few hundred


class UnknownItem(InvalidInput):
    """A question about an item that the catalogue has never heard of."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query, the state it is answered from, and what of the store is in memory to answer it.

    `strangers` are ids of a list to re-rank that the catalogue has never heard of, `variant` says
    under which variants of experiments it is asked.
    """

    query: Query
    state: State
    served: Served
    strangers: tuple[str, ...] = ()
    variant: str = ""


class Asking:
    """Validates requests, loudly, and reads the state they are answered from."""

    def __init__(self, store: Store, replica: Replica, kinds: Kinds, privacy: Privacy) -> None:
        self._store = store
        self._replica = replica
        self._kinds = kinds
        self._privacy = privacy
        self._filtering = Filtering()
        self._variants = Variants.of(store, store.settings.section("recommend", Policy))

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
    ) -> Question:
        """Return the question; InvalidInput says what is wrong with the request."""
        k = whole(k)
        if seen is not None and (not isinstance(seen, str) or seen not in ("hide", "keep")):
            raise InvalidInput(f"seen is 'hide' or 'keep', got {seen!r}")
        if context is not None and not isinstance(context, Mapping):
            raise InvalidInput(
                f"context is a mapping, got {type(context).__name__} {context!r:.80}"
            )
        left_out = ids(exclude, "exclude")
        words = _text(text)
        if user_id is None and history is None and words:
            history = ()  # words alone are question enough
        if (user_id is None) == (history is None):
            raise InvalidInput(
                "a request is for a user_id, or for a history of item ids, exactly one of them, or "
                "for words (text) alone"
            )
        if user_id is not None:
            user_id = one_id(user_id, "user_id")  # numbers are written out
        name = None if user_id is None else self._privacy.pseudonym(user_id)
        user = -1 if name is None else int(self._store.people.numbers([name])[0])
        policy, variant = self._variants.ask(name, context, now, known=user >= 0)
        seen = policy.seen if seen is None else seen
        had = None if history is None else ids(history, "history")
        served, state = self._state(user, had, now, words)
        changes = self.changes(user, now) if had is None else {}
        allowed = self._allowed(served, state, now, seen, left_out, where)
        _hide(allowed, bearing(changes, "mute", served.concepts))
        raised = bearing(changes, "raise", served.concepts)
        state = adjusted(state, changes, served.concepts)
        query = Query(
            now=now,
            n_items=len(allowed),  # of one look: the catalogue may grow meanwhile
            user=user,
            user_id=user_id,
            k=k,
            context=dict(context or {}),
            text=words,
            seen=seen,
            allowed=allowed,
            raised=_mask(raised, len(allowed)),
            policy=policy,
        )
        return Question(query, state, served, variant=variant)

    def ask_order(
        self,
        user_id: str | None,
        items: Sequence[str],
        now: float,
        *,
        context: Mapping[str, Any] | None = None,
        text: str | None = None,
        history: Sequence[str] | None = None,
    ) -> Question:
        """Return the question in which order this person wants a list that somebody else made."""
        wanted = list(dict.fromkeys(ids(items, "items")))
        if len(wanted) > MOST:
            raise InvalidInput(f"items is a list of at most {MOST} item ids, got {len(wanted)}")
        self._replica.follow_answers()
        asked = self.ask(
            user_id,
            max(1, len(wanted)),
            now,
            context=context,
            text=text,
            seen="keep",
            history=history,
        )
        numbers = asked.served.columns.numbers(wanted)
        known = (numbers >= 0) & (numbers < asked.query.n_items)
        return replace(
            asked,
            query=replace(asked.query, only=numbers[known]),
            strangers=tuple(i for i, k in zip(wanted, known, strict=True) if not k),
        )

    def ask_likeness(self, item_id: str, k: int, now: float) -> Question:
        """Return the question what is like an item; UnknownItem where there is none."""
        (wanted,) = ids([item_id], "item_id")
        columns = self._replica.follow().columns
        if wanted not in columns.number_of:
            raise UnknownItem(
                f"item {wanted!r:.80} is not in the catalogue; add it, or check the id "
                f"({columns.n} items are known)"
            )
        return self.ask(None, k, now, history=[wanted], seen="hide")

    def state(self, user_id: str, now: float) -> tuple[Served, State]:
        """Return the state of a person, empty for somebody who never did anything."""
        return self._state(self.user(user_id), None, now, None)

    def changes(self, user: int, now: float) -> dict[str, Adjustment]:
        """Return what a person changed about their interests, as it is known after `state`."""
        return self._replica.adjustments.of(user, now)

    def user(self, user_id: str) -> int:
        """Return the person's number, -1 for somebody who never did anything."""
        return int(self._store.people.numbers([self._stored(user_id)])[0])

    def _stored(self, user_id: str) -> str:
        """Return the name under which a person is stored."""
        return self._privacy.pseudonym(one_id(user_id, "user_id"))

    def _state(
        self, user: int, history: Sequence[str] | None, now: float, text: str | None
    ) -> tuple[Served, State]:
        served = self._replica.follow()
        while True:
            words = served.words(text)
            if history is not None:
                numbers = served.columns.numbers(history)
                state = stateless(numbers[numbers >= 0], now, words)
            else:
                log, kinds = self._store.log, self._kinds
                state = read(log, kinds, user, now, words=words, encode=served.words)
            if int(state.items.max(initial=-1)) < served.columns.n:
                return served, state
            # The log has named an item since the first look.
            latest = self._replica.follow()
            if latest is served:
                return served, state
            served = latest

    def _allowed(
        self,
        served: Served,
        state: State,
        now: float,
        seen: Seen,
        exclude: Sequence[str],
        where: str | None,
    ) -> Mask:
        columns = served.columns
        allowed = columns.servable(now)
        if seen == "hide":
            _hide(allowed, state.seen)
        if exclude:
            _hide(allowed, columns.numbers(exclude))
        if where is not None:
            allowed &= self._filtering.mask(where, columns, len(allowed))
        return allowed


def whole(k: object) -> int:
    """Return how many items are asked for; InvalidInput where it is no whole number in range."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= MOST:
        raise InvalidInput(f"k is a whole number from 1 to {MOST}, got {k!r:.80}")
    return int(k)


def ids(given: Iterable[object], name: str) -> list[str]:
    """Return a collection of ids as a list; InvalidInput where it is something else."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInput(
            f"{name} is a collection of ids, got {type(given).__name__} {given!r:.80}"
        )
    return [one_id(one, name) for one in given]


def one_id(given: object, name: str) -> str:
    """Return an id of 1 to 512 bytes, whole numbers written out; InvalidInput where it is none."""
    found = checked_id(to_id(given, name), name)
    if found is None:
        raise InvalidInput(f"expected {name} of 1 to {ID_BYTES} bytes, got {given!r:.80}")
    return found


def _text(text: object) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidInput(f"text is what a person asks in words, got {type(text).__name__}")
    return text[:MOST_TEXT].encode(errors="replace").decode()


def _mask(numbers: Ids, n: int) -> Mask | None:
    """Return bool[n] that marks these items, None where there are none."""
    if not len(numbers):
        return None
    marked = np.zeros(n, dtype=np.bool_)
    marked[numbers[numbers < n]] = True
    return marked


def _hide(allowed: Mask, numbers: Ids) -> None:
    allowed[numbers[(numbers >= 0) & (numbers < len(allowed))]] = False
