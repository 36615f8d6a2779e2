"""The engine: one directory that is a recommender. The verbs, and the order of what they do.

`recommend` reads the person's state from the log, asks recall and rank, and logs what it showed;
`record` believes an event or says why not, and is durable when it returns, so that the next
`recommend`, in this process or another, reflects it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.door import one_event
from penchant.ingest.events import read_events
from penchant.ingest.intake import Intake
from penchant.ingest.items import read_items
from penchant.ingest.kinds import Kinds
from penchant.ingest.people import read_links, read_users
from penchant.ingest.privacy import Privacy, PrivacyConfig
from penchant.ingest.times import seconds
from penchant.interests.history import read
from penchant.interests.profile import profile
from penchant.language.open import EncoderConfig, open_encoder
from penchant.language.template import Template, TextConfig
from penchant.rank.asking import Asking
from penchant.rank.neighbours import neighbours
from penchant.rank.replica import Replica
from penchant.rank.showing import Showing
from penchant.store.child import run_child
from penchant.store.open import open_store
from penchant.types import (
    Candidates,
    Event,
    Explanation,
    Interest,
    Query,
    Report,
    Seen,
    Slate,
    Trace,
    TrainReport,
)

if TYPE_CHECKING:
    import polars as pl

    from penchant.interests.state import State

Moment = float | datetime | None
Tell = Callable[[str, float], None]


class Engine:
    """A recommender in a directory. Safe for threads, not after a fork; close it, or use `with`.

    Every method that takes `now` uses nothing later than it; left out, it is the clock.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        effort: str = "balanced",
        url: str | None = None,
        read_only: bool = False,
    ) -> None:
        self.directory = Path(directory)
        self.effort = effort
        self._url = url
        self._store = open_store(directory, url, read_only=read_only)
        settings = self._store.settings
        self._kinds = Kinds.from_settings(settings)
        self._cleaning = settings.section("cleaning", CleaningConfig)
        self._privacy = Privacy.of(self.directory, settings.section("privacy", PrivacyConfig))
        config = settings.section("encoder", EncoderConfig)
        self._encoder = (
            None if config.model == "none" else open_encoder(config, self.directory / "vectors.db")
        )
        template = Template(settings.section("text", TextConfig))
        self._replica = Replica(self._store, self._kinds, self._encoder, template)
        self._asking = Asking(self._store, self._replica, self._kinds, self._privacy)
        self._showing = Showing(self._store, self._replica)

    def add(self, items: Any = None, *, users: Any = None, links: Any = None) -> dict[str, int]:
        """Return counts of what was new, changed, the same and kept aside.

        `items`, `users` and `links` are each a path, a frame of any library, or an iterable of
        dicts or `Item`, `User`, `Link`. Items are upserted by item_id, recommendable at once.
        """
        counts: dict[str, int] = {}
        if items is not None:
            intake = self._kept(read_items(items, cleaning=self._cleaning))
            counts |= self._store.catalogue.upsert(intake.frame) | _asides(intake)
            self._replica.follow()
        if users is not None:
            intake = self._kept(read_users(users, cleaning=self._cleaning, privacy=self._privacy))
            counts |= _named("users", self._store.people.upsert(intake.frame) | _asides(intake))
        if links is not None:
            intake = self._kept(read_links(links))
            counts |= _named("links", self._store.people.add_links(intake.frame) | _asides(intake))
        return counts

    def record(self, events: Any, *, now: Moment = None) -> dict[str, int]:
        """Return counts of events that were new, already known, and kept aside.

        One `Event` or dict is refused loudly when it is wrong; of a path, a frame or an iterable
        the bad rows are quarantined with a reason. Durable when it returns.
        """
        clock = _moment(now)
        if isinstance(events, Event | Mapping):
            frame = one_event(events, clock, self._kinds, self._cleaning, self._privacy)
            done = self._store.log.append(frame)
            return {"new": done.new, "known": done.known}
        intake = self._kept(
            read_events(
                events,
                now=clock,
                kinds=self._kinds,
                cleaning=self._cleaning,
                privacy=self._privacy,
            )
        )
        done = self._store.log.append(intake.frame)
        return {**intake.counts, "new": done.new, "known": done.known}

    def train(self, *, progress: Tell | None = None, seed: int = 0) -> TrainReport:
        """Return what was learned, kept, left out and measured; serving goes on meanwhile.

        Learning runs in a process of its own; the next answer comes from the new snapshot.
        """
        arguments = [str(self.directory), "--effort", self.effort, "--seed", str(seed)]
        if self._url is not None:
            arguments += ["--url", self._url]
        report = run_child("penchant.learn", arguments, progress)
        self._replica.follow()
        return TrainReport(report["snapshot"], report)

    def recommend(
        self,
        user_id: str | None = None,
        k: int = 10,
        *,
        context: Mapping[str, Any] | None = None,
        text: str | None = None,
        exclude: Iterable[str] = (),
        where: str | None = None,
        seen: Seen | None = None,
        now: Moment = None,
        history: Sequence[str] | None = None,
        log: bool = True,
    ) -> Slate:
        """Return the `k` items this person most likely wants now, best first, with reasons.

        `history` (item ids, oldest first) stands for a visitor nobody stored. `text` are words the
        person asks with; `where` a comparison of item columns; `seen` "hide" or "keep".
        """
        self._replica.follow()
        query, state = self._asking.ask(
            user_id,
            k,
            _moment(now),
            context=context,
            text=text,
            exclude=exclude,
            where=where,
            seen=seen,
            history=history,
        )
        return self._answer(query, state, log)

    def rank(
        self,
        user_id: str | None,
        items: Sequence[str],
        *,
        context: Mapping[str, Any] | None = None,
        text: str | None = None,
        now: Moment = None,
        history: Sequence[str] | None = None,
    ) -> Slate:
        """Return the given items in the order this person wants them: recommend without recall.

        Items the catalogue has never heard of come last, in the order given.
        """
        self._replica.follow()
        query, state = self._asking.ask(
            user_id,
            max(1, len(items)),
            _moment(now),
            context=context,
            text=text,
            seen="keep",
            history=history,
        )
        return self._answer(self._asking.only(query, items), state, True, strangers=items)

    def recommend_many(
        self,
        user_ids: Sequence[str],
        k: int = 10,
        *,
        now: Moment = None,
        context: Mapping[str, Any] | None = None,
        seen: Seen | None = None,
    ) -> pl.DataFrame:
        """Return a frame user_id, item_id, score, rank (from 1): the slates of many people."""
        import polars as pl

        clock = _moment(now)
        frames = [
            self.recommend(u, k, context=context, now=clock, seen=seen, log=False).to_frame()
            for u in user_ids
        ]
        empty = Slate((), "", "", None, clock).to_frame()
        return pl.concat([empty, *frames])

    def similar(self, item_id: str, k: int = 10, *, now: Moment = None) -> Slate:
        """Return the `k` items most like this one, by behaviour and by text."""
        self._replica.follow()
        self._asking.item(item_id)
        query, state = self._asking.ask(None, k, _moment(now), history=[item_id])
        pool = neighbours(self._replica.pipeline, query, state)
        shown = _cut(pool, 0, k)
        lines = self._showing.lines(state, shown)
        return Slate(lines, uuid.uuid4().hex, self._replica.snapshot, None, query.now)

    def interests(self, user_id: str, *, now: Moment = None) -> tuple[Interest, ...]:
        """Return the person's interests by name, strongest first, with trend and evidence."""
        self._replica.follow()
        user = self._asking.user(user_id)
        state = read(self._store.log, self._kinds, user, _moment(now))
        return profile(state, self._replica.columns)

    def explain(self, slate: Slate | str, item_id: str) -> Explanation:
        """Return why an item stood in a slate; a slate's id is enough, in any process."""
        self._replica.follow()
        return self._showing.explain(slate if isinstance(slate, str) else slate.id, item_id)

    def stages(self) -> tuple[str, ...]:
        """Return the steps of a request, in order, as they are now."""
        self._replica.follow()
        return self._replica.pipeline.describe()

    def remove(self, item_id: str) -> bool:
        """Return whether the item was there; it is never recommended again, its history stays."""
        return self._store.catalogue.remove([item_id]) > 0

    def undo(self, event_id: str) -> bool:
        """Return whether the event was there; every answer is then as if it had never been."""
        return self._store.log.retract(event_id=event_id) > 0

    def forget(self, user_id: str) -> int:
        """Return how many events of the person were removed, with all else that is theirs.

        Their number is never given out again. What models learned from many people stays until
        the next training, which does not see them.
        """
        user = self._asking.user(user_id)
        return self._store.log.retract(user=user) if user >= 0 else 0

    def merge(self, user_id: str, *, into: str) -> int:
        """Return how many events of a visitor now belong to `into`, who they turned out to be."""
        visitor, user = self._asking.user(user_id), self._asking.user(into)
        if visitor < 0:
            return 0
        if user < 0:
            self.add(users=[{"user_id": into}])
            user = self._asking.user(into)
        return self._store.people.merge(visitor, user)

    def export(self, user_id: str) -> dict[str, Any]:
        """Return everything the engine holds about a person, as plain data."""
        self._replica.follow()
        return self._showing.export(user_id, self._asking.user(user_id))

    def backup(self, target: str | Path) -> Path:
        """Return the folder of a consistent copy, made while others read and write."""
        from penchant.store.backup import backup

        self._store.impressions.flush()
        return backup(self._store, Path(target))

    def evaluate(
        self,
        *,
        protocol: str = "global-time",
        k: int = 10,
        progress: Tell | None = None,
        out: str | Path | None = None,
    ) -> Report:
        """Return how well this recommender would have answered its own log, beside baselines.

        Runs in a process of its own on copies: the directory is only read.
        """
        folder = Path(out) if out is not None else self.directory / "reports" / uuid.uuid4().hex[:8]
        arguments = [str(self.directory), "--protocol", protocol, "--k", str(k)]
        arguments += ["--effort", self.effort, "--out", str(folder)]
        if self._url is not None:
            arguments += ["--url", self._url]
        data = run_child("penchant.evaluate", arguments, progress)
        page = (folder / "report.html").read_text(encoding="utf-8")
        return Report(data, page, (folder / "report.txt").read_text(encoding="utf-8"))

    def close(self) -> None:
        """Write what waits and let go of the directory; closing twice is allowed."""
        self._replica.close()
        self._store.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answer(
        self, query: Query, state: State, log: bool, strangers: Sequence[str] = ()
    ) -> Slate:
        pool, trace = self._replica.pipeline.run(query, state)
        return self._slate(query, state, pool, trace, 0, query.k, log, strangers)

    def _slate(
        self,
        query: Query,
        state: State,
        pool: Candidates,
        trace: Trace,
        begin: int,
        k: int,
        log: bool,
        strangers: Sequence[str] = (),
    ) -> Slate:
        shown = _cut(pool, begin, k)
        lines = self._showing.lines(state, shown, strangers, begin)
        slate_id = uuid.uuid4().hex
        if log:
            self._showing.remember(slate_id, query, shown, lines, trace)

        def more(n: int) -> Slate:
            return self._slate(query, state, pool, trace, begin + k, n, log)

        return Slate(lines, slate_id, self._replica.snapshot, query.user_id, query.now, trace, more)

    def _kept(self, intake: Intake) -> Intake:
        """Put what was not believed into quarantine, by reason."""
        for (reason,), rows in intake.quarantined.group_by("reason", maintain_order=True):
            self._store.quarantine.add(str(reason), rows)
        return intake


def open_engine(
    directory: str | Path,
    *,
    effort: str = "balanced",
    url: str | None = None,
    read_only: bool = False,
) -> Engine:
    """Return the recommender in `directory`, which is made if it is missing.

    `effort` (fast, balanced, best) is the one dial of training; `url` puts the tables into
    PostgreSQL instead of the directory.
    """
    return Engine(directory, effort=effort, url=url, read_only=read_only)


def _moment(now: Moment) -> float:
    if now is None:
        return time.time()
    return seconds(now)


def _cut(pool: Candidates, begin: int, k: int) -> Candidates:
    part = slice(begin, begin + k)
    return replace(
        pool,
        items=pool.items[part],
        scores=pool.scores[part],
        features=pool.features[part],
        origin=pool.origin[part],
    )


def _asides(intake: Intake) -> dict[str, int]:
    return {name: intake.counts.get(name, 0) for name in ("quarantined", "duplicates")}


def _named(what: str, counts: Mapping[str, int]) -> dict[str, int]:
    return {f"{what}_{name}": count for name, count in counts.items()}
