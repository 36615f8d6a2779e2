"""The watch over a recommender: what it reads, where it stands, and what it tells.

Everything is a fold over the log with a stored position. `watch/state.json` holds where it stands
and what was counted; the events of the last two days are read again at a start. So a process that
was killed goes on where it stood, and what a person did lies nowhere but in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.counts import BACK, TICK
from penchant.evaluate.watch.course import KEPT, VERSION, Course
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.findings import Findings
from penchant.evaluate.watch.meaning import Meaning
from penchant.evaluate.watch.packing import read, write
from penchant.evaluate.watch.reading import happened, newest, slates, texts
from penchant.evaluate.watch.recent import joined
from penchant.evaluate.watch.replaying import Replaying
from penchant.ingest.kinds import Kinds
from penchant.ingest.privacy import PrivacyConfig
from penchant.store.open import open_store
from penchant.store.tail import Position
from penchant.types import Floats, Ids

STATE = Path("watch") / "state.json"
WEEK = 7 * 86_400.0
_READ = 200_000  # events read at once
MANY = 500  # people whose events are taken back at once: then all is read again
_OWN = 1_000  # events of a person looked up, of
_DAYS = 60.0  # days

_log = logging.getLogger("penchant.watch")


class Watch:
    """Looks at the log of a directory each time it is asked to; one process at a time.

    `url` is that of the tables, if they lie in PostgreSQL. `forgotten` are the people, by number,
    who were forgotten (or became somebody else) before the last look. Close it, or use `with`.
    """

    def __init__(
        self, directory: str | Path, url: str | None = None, *, config: WatchConfig | None = None
    ) -> None:
        self._store = open_store(directory, url, read_only=True)
        self.directory = self._store.directory
        settings = self._store.settings
        self.config = settings.section("watch", WatchConfig) if config is None else config
        self._kinds = Kinds.from_settings(settings)
        self._meaning = Meaning(self._store)
        self._replaying = Replaying(self.directory, url)
        # Under pseudonyms nobody can be asked for by the name they are stored under.
        hidden = settings.section("privacy", PrivacyConfig).pseudonyms
        self._course = self._begin(Findings.load(self.directory), replayed=not hidden)
        self._position, self._settled = Position(), 0
        self._slates, self._slates_settled = 0, 0
        self.forgotten: tuple[int, ...] = ()
        self._restore()

    @property
    def findings(self) -> Findings:
        """Everything that was found, what lasts and what is over."""
        return self._course.findings

    def look(self, now: float) -> tuple[Finding, ...]:
        """Return the findings that are new, worse or over at `now` (seconds), and store them all.

        Costs milliseconds when nothing came. What it raises, it raises before anything is stored.
        """
        if self._course.judged * TICK > now + 3600.0:
            self._anew()  # a clock was ahead, and everything counted until then is out of reach
        self.forgotten = ()
        gone = self._read(now)
        before = self._course.judged
        changed = self._course.look(now)
        self._replaying.close()
        if gone or changed or self._course.judged != before:
            self._settle()
            self.findings.save(self.directory)
            write(self.directory / STATE, self._state())
        return changed

    def name(self, person: int) -> str | None:
        """Return the id under which a person is stored, None for who was forgotten."""
        found: str | None = self._store.people.get([person])["user_id"][0]
        return found

    def close(self) -> None:
        """Let go of the directory."""
        self._replaying.close()
        self._meaning.close()
        self._store.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _begin(self, findings: Findings, *, replayed: bool) -> Course:
        return Course(
            self.config,
            findings,
            own=self._own,
            things=self._meaning.things,
            words=self._words,
            ask=self._ask if replayed else None,
            item=self._item,
        )

    def _anew(self) -> None:
        replayed = "replayed" in self._course.detectors
        self._course = self._begin(self.findings, replayed=replayed)
        self._position, self._settled = Position(), 0
        self._slates, self._slates_settled = 0, 0

    def _read(self, now: float) -> bool:
        """Take in what came since the last look; return whether findings of the forgotten went."""
        gone = False
        if self._store.moved(self._position):
            tail = self._store.tail(self._position)
            names = tail.events.kind_names
            if tail.retracted and self._position.event_offset:
                people = self._store.people.get(tail.retracted_users.tolist())
                nameless = people.filter(people["user_id"].is_null())
                self.forgotten = tuple(nameless["number"].to_list())
                gone = self.findings.drop(self.forgotten)
                self._take_back(tail.retracted_users)
            if len(tail.items):
                self._meaning.changed()
            events = happened(tail.events, self._kinds, names, now - BACK * WEEK)
            self._course.take(events, slates(self._store, 0, 0, 0.0), names, now)
            self._position = tail.position
        last = newest(self._store)
        if last > self._slates:
            shown = slates(self._store, self._slates, last, now - BACK * WEEK)
            self._course.recent.add(self._course.recent.events.where(slice(0, 0)), shown)
            self._slates = last
        return gone

    def _take_back(self, users: Ids) -> None:
        """Have at hand what both logs now say of some people, without counting it again."""
        if len(users) > MANY:
            self._reload(self._position.event_offset)
            return
        log, recent, since = self._store.log, self._course.recent, self._since()
        parts = []
        for user in users.tolist():
            events = log.history(user, 2**62, np.inf)
            own = happened(events, self._kinds, events.kind_names, since)
            parts.append(own.where(own.offsets <= self._position.event_offset))
        shown = slates(self._store, 0, self._slates, since, of=users.tolist())
        recent.replace(users, joined(parts), shown)

    def _since(self) -> float:
        """Return the moment (seconds) from which on everything is at hand."""
        return max(0.0, self._course.judged * TICK - KEPT)

    def _reload(self, until: int) -> None:
        """Read the last days again, without counting them again."""
        recent = self._course.recent
        events = self._store.log.scan(self._settled, 2**62, to=until)
        names = events.kind_names if len(events) else tuple(recent.names)
        since = self._since()
        recent.events = recent.events.where(slice(0, 0))
        recent.slates = slates(self._store, 0, 0, 0.0)
        recent.names = list(names)
        recent.add(
            happened(events, self._kinds, names, since),
            slates(self._store, self._slates_settled, self._slates, since),
        )

    def _settle(self) -> None:
        """Move the marks before which nothing needs to be read again."""
        recent, since = self._course.recent, self._since()
        near = recent.events.offsets[recent.events.times >= since]
        self._settled = int(near.min()) - 1 if len(near) else self._position.event_offset
        shown = recent.slates.numbers[recent.slates.times >= since]
        self._slates_settled = int(shown.min()) - 1 if len(shown) else self._slates

    def _state(self) -> dict[str, Any]:
        position = self._position
        return {
            "position": {
                "event_offset": position.event_offset,
                "item_change": position.item_change,
                "user_change": position.user_change,
                "link_change": position.link_change,
                "retraction": position.retraction,
            },
            "settled": self._settled,
            "slates": self._slates,
            "slates_settled": self._slates_settled,
            **self._course.state(),
        }

    def _restore(self) -> None:
        state = read(self.directory / STATE)
        if not isinstance(state, dict) or state.get("version") != VERSION:
            return
        try:
            self._course.restore(state)
            self._position = Position(**state["position"])
            self._settled, self._slates = int(state["settled"]), int(state["slates"])
            self._slates_settled = int(state["slates_settled"])
        except (KeyError, TypeError, ValueError, AttributeError):
            self._anew()  # not what this version writes: everything is in the log
            return
        if self._position.event_offset > self._store.log.last():
            self._anew()  # of another log: a backup was put in its place
            return
        self._reload(self._position.event_offset)

    def _own(self, user: int, until: float) -> tuple[int, int]:
        """Return moments and active days of a person in the two months before `until`."""
        events = self._store.log.history(user, _OWN, np.nextafter(until, 0.0))
        times = events.times[events.times >= until - 86_400.0 * _DAYS].astype(np.int64)
        return len(np.unique(times)), len(np.unique(times // 86_400))

    def _words(self, offsets: Sequence[int]) -> Floats:
        return self._meaning.words(texts(self._store, offsets))

    def _item(self, number: int) -> str:
        return f"item {self._store.catalogue.get([number])['item_id'][0]!r}"

    def _ask(self, user: int, time: float, k: int) -> tuple[str, Sequence[int]] | None:
        """Return what the engine answers a person just before a moment."""
        try:
            name = self.name(user)
            if name is None:  # forgotten meanwhile
                return None
            # A microsecond earlier, so that nothing of the moment itself is known.
            snapshot, ids = self._replaying(name, time - 1e-6, k)
            return snapshot, self._store.catalogue.numbers(ids).tolist()
        except Exception as error:  # what cannot be asked must not end what can be counted
            _log.warning("an answer could not be replayed: %s: %s", type(error).__name__, error)
            return None
