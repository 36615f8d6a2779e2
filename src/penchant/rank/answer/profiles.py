"""A person's interests as they are shown to them, and what they change about them."""

from __future__ import annotations

import threading
from difflib import get_close_matches
from functools import cached_property
from typing import get_args

from penchant.ingest.admission import Admission
from penchant.interests.adjustments import KIND_OF, adjusted
from penchant.interests.concepts import Concepts, folded
from penchant.interests.expansion.expanding import Done, Expanding, InterestsConfig, prospects
from penchant.interests.expansion.mixture import Mixture
from penchant.interests.expansion.open import expanders
from penchant.interests.profile import profile
from penchant.language.generator.guarded import Guarded
from penchant.language.generator.open import GeneratorConfig, open_generator
from penchant.rank.answer.asking import Asking, UnknownItem
from penchant.rank.answer.replica import Replica
from penchant.rank.answer.served import Served
from penchant.store.expansions import Kept
from penchant.store.open import Store
from penchant.types import Adjust, Event, InvalidInput, Profile


class UnknownInterest(InvalidInput):
    """A name that nothing in the catalogue is called by, and that the person never adjusted."""


class Profiles:
    """Reads and changes what people are interested in, by name."""

    def __init__(
        self, store: Store, replica: Replica, asking: Asking, admission: Admission
    ) -> None:
        self._store, self._replica = store, replica
        self._asking, self._admission = asking, admission
        self._config = store.settings.section("interests", InterestsConfig)
        self._expanding: Expanding | None = None
        self._guard = threading.Lock()

    def of(self, user_id: str, now: float) -> Profile:
        """Return a person's interests, as they adjusted them."""
        served, state = self._asking.state(user_id, now)
        changes = self._asking.changes(self._asking.user(user_id), now)
        # What was muted is shown with what it would be, so that it can be restored.
        counted = {key: one for key, one in changes.items() if one.to != "mute"}
        state = adjusted(state, counted, served.concepts)
        ahead = prospects(self._kept(user_id, now))
        return profile(state, served.columns, served.concepts, served.vectors, changes, ahead)

    def expand(self, user_id: str, now: float, *, local: bool = False) -> Done:
        """Work out what a person may come to like, if they changed enough since it was last.

        With `local` no generator is asked, and nobody waits for one.
        """
        self._store.check(writing=True)
        served, state = self._asking.state(user_id, now)
        user = self._asking.user(user_id)
        changes = self._asking.changes(user, now)
        if user < 0:
            return Done(False, "nobody is known by this id")
        expanding = self._open(served)
        state = adjusted(state, changes, served.concepts)
        done = expanding.person(user, state, changes, local=local)
        if done.expanded:
            expanding.keep()
            self._store.expansions.flush()
        return done

    @cached_property
    def _generator(self) -> Guarded | None:
        return open_generator(self._store.settings.section("generator", GeneratorConfig))

    def _open(self, served: Served) -> Expanding:
        """Return who expands on what is served."""
        with self._guard:
            if self._expanding is None or self._expanding.ground.snapshot != served.snapshot:
                ground = served.ground()
                mixture = Mixture(expanders(ground, self._generator), concepts=ground.concepts)
                self._expanding = Expanding(ground, mixture, self._store.expansions, self._config)
            return self._expanding

    def _kept(self, user_id: str, now: float) -> Kept | None:
        """Return what is kept of what a person may come to like, as of a moment."""
        user = self._asking.user(user_id)
        kept = None if user < 0 else self._store.expansions.get(user)
        return None if kept is None or kept.time > now else kept

    def adjust(self, user_id: str, interest: str, to: Adjust, now: float) -> None:
        """Mute, raise, delete or restore an interest of a person.

        Raises UnknownInterest where nothing is called so; what was adjusted before and is gone
        since can be restored or deleted.
        """
        if to not in get_args(Adjust):
            raise InvalidInput(f"to is one of {', '.join(get_args(Adjust))}; got {to!r:.80}")
        if not isinstance(interest, str) or not folded(interest):
            raise InvalidInput(f"interest is the name of an interest, got {interest!r:.80}")
        concepts = self._replica.follow().concepts
        changes = self._asking.changes(self._asking.user(user_id), now)
        number = concepts.number(interest)
        if number is not None:
            name = concepts.names[number]
        elif folded(interest) in changes and to in ("restore", "delete"):
            name = changes[folded(interest)].name
        else:
            raise UnknownInterest(
                f"nothing in the catalogue is called {interest!r:.80}{_like(interest, concepts)}; "
                "interests() has the names of a person's own"
            )
        event = Event(
            user_id, event=KIND_OF[to], timestamp=now, text=name, context={"consent": True}
        )
        self._admission.event(event, now)

    def withdraw(self, user_id: str, item_id: str) -> int:
        """Return how many of a person's events with an item were undone."""
        (item,) = self._replica.follow().columns.numbers([item_id]).tolist()
        if item < 0:
            raise UnknownItem(f"item {item_id!r:.80} is not in the catalogue; check the id")
        user = self._asking.user(user_id)
        return 0 if user < 0 else self._store.log.retract(user=user, item=item)


def _like(interest: str, concepts: Concepts) -> str:
    """Return names that look like this one, as a question."""
    spelt = {folded(name): name for name in list(concepts.names)}
    found = get_close_matches(folded(interest), spelt, 3)
    return f" (did you mean {', '.join(repr(spelt[one]) for one in found)}?)" if found else ""
