"""The engine: one directory that is a recommender. The verbs, and the order of what they do.

`recommend` reads the person's state from the log, asks recall and rank, and logs what it showed;
`record` believes an event or says why not, and is durable when it returns, so that the next
`recommend`, in this process or another, reflects it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from penchant.ingest.admission import Admission
from penchant.ingest.intake import Counts
from penchant.ingest.kinds import Kinds
from penchant.ingest.privacy import Privacy
from penchant.ingest.times import Moment, moment
from penchant.interests.export import export
from penchant.learn.sections import checked
from penchant.measure.reports import Report, TrainReport
from penchant.rank.answer.asking import Asking, ids, one_id
from penchant.rank.answer.catalogued import catalogued
from penchant.rank.answer.eliciting import inquiries
from penchant.rank.answer.profiles import Profiles
from penchant.rank.answer.releases import releases
from penchant.rank.answer.replica import Replica
from penchant.rank.answer.showing import Showing
from penchant.rank.explain.explaining import Explaining
from penchant.store.backup import backup
from penchant.store.child import run_child
from penchant.store.open import open_store
from penchant.store.place import as_path
from penchant.types import (
    Adjust,
    Effort,
    Event,
    Explanation,
    Inquiry,
    InvalidInput,
    Item,
    Profile,
    Release,
    Seen,
    Slate,
    Status,
    Tell,
)

if TYPE_CHECKING:
    import polars as pl


class Engine:
    """A recommender in `directory`, made if missing. Safe for threads; close it, or use `with`.

    `effort` (fast, balanced, best) is the one dial of training; `url` puts the tables into
    PostgreSQL instead of the directory; `read_only` promises to write nothing there.

    Every method that takes `now` uses nothing later than it; left out, it is the clock. `progress`
    is told a step and the share of it that is done. Everything raised is a `penchant.Error`.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        effort: str = "balanced",
        url: str | None = None,
        read_only: bool = False,
    ) -> None:
        if effort not in get_args(Effort):
            raise InvalidInput(f"effort is one of {', '.join(get_args(Effort))}; got {effort!r}")
        self._store = store = open_store(directory, url, read_only=read_only)
        self.directory = store.directory
        self.effort = effort
        self._arguments = [str(self.directory), "--effort", effort]
        self._arguments += [] if url is None else ["--url", url]
        self._process = os.getpid()
        try:
            privacy = Privacy.of(self.directory, checked(store.settings)["privacy"], store.people)
            kinds = Kinds.from_settings(store.settings)
            self._replica = Replica(store, kinds)
            self._asking = Asking(store, self._replica, kinds, privacy)
            self._showing = Showing(store)
            self._explaining = Explaining(store, self._replica)
            prepare, rescaled = self._replica.prepare, self._replica.reload
            self._admission = Admission(store, kinds, privacy, prepare=prepare, rescaled=rescaled)
            self._profiles = Profiles(store, self._replica, self._asking, self._admission)
        except BaseException:
            store.close()
            raise

    def add(
        self,
        items: Any = None,
        *,
        users: Any = None,
        links: Any = None,
        columns: Mapping[str, str] | None = None,
        progress: Tell | None = None,
    ) -> Counts:
        """Return counts of what was new, changed, the same and kept aside; `.mapping` is assumed.

        `items`, `users` and `links` are each a path, a frame of any library, or an iterable of
        dicts or `Item`, `User`, `Link`. Items are upserted by item_id and recommendable at once.
        `columns` (our name -> theirs) settles what the names of one table do not say.
        """
        counts = self._admission.add(items, users, links, columns, progress)
        self._replica.follow()
        return counts

    def record(
        self, events: Any, *, now: Moment = None, columns: Mapping[str, str] | None = None
    ) -> Counts:
        """Return counts of events that were new, already known, and kept aside; see `.mapping`.

        One `Event` or dict is refused loudly when it is wrong; of a path, a frame or an iterable
        the bad rows are quarantined with a reason. Durable when it returns.
        """
        if isinstance(events, Event | Mapping) and columns is None:
            return self._admission.event(events, moment(now))
        return self._admission.events(events, moment(now), columns)

    def train(self, *, progress: Tell | None = None, seed: int = 0) -> TrainReport:
        """Return what was learned, kept, left out and measured; serving goes on meanwhile.

        In a process of its own; the new snapshot serves next, unless it does worse (`published`).
        """
        self._store.check(writing=True)
        report = run_child("penchant.learn", [*self._arguments, "--seed", str(seed)], progress)
        self._replica.follow(wait=True)
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
        person asks with, enough by themselves; `where` a comparison of item columns; `seen` "hide"
        or "keep".
        """
        question = self._asking.ask(
            user_id,
            k,
            moment(now),
            context=context,
            text=text,
            exclude=exclude,
            where=where,
            seen=seen,
            history=history,
        )
        return self._showing.answer(question, log=log)

    def rank(
        self,
        user_id: str | None,
        items: Sequence[str],
        *,
        context: Mapping[str, Any] | None = None,
        text: str | None = None,
        now: Moment = None,
        history: Sequence[str] | None = None,
        log: bool = True,
    ) -> Slate:
        """Return the given items in the order this person wants them: recommend without recall.

        Items the catalogue has never heard of come last, in the order given.
        """
        question = self._asking.ask_order(
            user_id, items, moment(now), context=context, text=text, history=history
        )
        return self._showing.answer(question, log=log)

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
        people, clock = ids(user_ids, "user_ids"), moment(now)
        return self._showing.frame(
            self._asking.ask(one, k, clock, context=context, seen=seen) for one in people
        )

    def similar(self, item_id: str, k: int = 10, *, now: Moment = None) -> Slate:
        """Return the `k` items most like this one, by behaviour and by text."""
        return self._showing.alike(self._asking.ask_likeness(item_id, k, moment(now)))

    def items(self, item_ids: Iterable[str]) -> tuple[Item, ...]:
        """Return what the catalogue holds of items, in this order, without those it does not."""
        return catalogued(self._store, ids(item_ids, "item_ids"))

    def interests(self, user_id: str, *, now: Moment = None) -> Profile:
        """Return the person's interests by name, strongest first, with trend and evidence.

        Its `windows` say where they point in the last session, the last week, and all the time.
        """
        return self._profiles.of(user_id, moment(now))

    def adjust(
        self, user_id: str, interest: str, to: Adjust = "mute", *, now: Moment = None
    ) -> Profile:
        """Return the person's interests after they muted, raised, deleted or restored one.

        What bears a muted interest is not recommended, what bears a raised one stands higher. A
        deleted one is as if it had never been, until it is wished for again. The next answer obeys.
        """
        self._profiles.adjust(user_id, interest, to, moment(now))
        return self.interests(user_id, now=now)

    def expand(self, user_id: str, *, now: Moment = None, local: bool = False) -> Profile:
        """Return the person's interests, with `prospects` that are worked out anew where due.

        A service does this in the background (section `interests`); whoever embeds the engine calls
        it when a person has done something, beside their requests: a generator may take its time,
        and with `local` none is asked.
        """
        self._profiles.expand(user_id, moment(now), local=local)
        return self.interests(user_id, now=now)

    def ask(
        self, user_id: str, k: int = 5, *, exclude: Iterable[str] = (), now: Moment = None
    ) -> tuple[Inquiry, ...]:
        """Return the `k` items whose answer would help a new person most, the first first.

        A yes is an event like any other. `exclude` are items that were asked about without one.
        """
        return inquiries(self._asking, user_id, k, moment(now), exclude)

    def withdraw(self, user_id: str, item_id: str) -> int:
        """Return how many of the person's events with an item were taken out of their history."""
        return self._profiles.withdraw(user_id, one_id(item_id, "item_id"))

    def explain(self, slate: Slate | str, item_id: str) -> Explanation:
        """Return why an item stood in a slate; a slate's id is enough, in any process."""
        return self._explaining.explain(slate, item_id)

    def explanations(self, slate: Slate | str) -> tuple[Explanation, ...]:
        """Return why each item stood in a slate, best first; a slate's id is enough."""
        return self._explaining.explanations(slate)

    def stages(self) -> tuple[str, ...]:
        """Return the steps of a request, in order, as they are now."""
        return self._replica.follow().pipeline.describe()

    def status(self) -> Status:
        """Return which snapshot answers, up to where the log was read, and what went wrong."""
        return self._replica.status()

    def snapshots(self) -> tuple[Release, ...]:
        """Return what can be activated, oldest first, and which of them serves."""
        return releases(self._store)

    def activate(self, snapshot_id: str) -> Release:
        """Return the snapshot that serves from now on: back to an older one, or forward again."""
        self._store.snapshots.activate(snapshot_id)
        self._replica.follow(wait=True)
        return next(one for one in self.snapshots() if one.id == snapshot_id)

    def remove(self, item_id: str) -> bool:
        """Return whether the item was there; it is never recommended again, its history stays."""
        return self._store.catalogue.remove([one_id(item_id, "item_id")]) > 0

    def undo(self, event_id: str) -> bool:
        """Return whether the event was there; every answer is then as if it had never been."""
        return self._store.log.retract(event_id=one_id(event_id, "event_id")) > 0

    def forget(self, user_id: str) -> int:
        """Return how many events of the person were removed, with all else that is theirs.

        Their number is never given out again. What models learned from many people stays until
        the next training, which does not see them.
        """
        return self._admission.forget(user_id, self._asking.user(user_id))

    def merge(self, user_id: str, *, into: str) -> int:
        """Return how many events of a visitor now belong to `into`, who it turned out to be."""
        return self._admission.merge(user_id, into, self._asking.user)

    def export(self, user_id: str) -> dict[str, Any]:
        """Return everything the engine holds about a person, as plain data."""
        return export(self._store, one_id(user_id, "user_id"), self._asking.user(user_id))

    def backup(self, target: str | Path, *, key: bool = True) -> Path:
        """Return the folder of a consistent copy, with the `key` of pseudonyms if there is one."""
        return backup(self._store, target, key=key)

    def evaluate(
        self,
        *,
        protocol: str = "global-time",
        k: int = 10,
        progress: Tell | None = None,
        out: str | Path | None = None,
    ) -> Report:
        """Return how well this recommender would have answered its own log, beside baselines.

        Runs in a process of its own on copies: the directory is only read. `out` is a folder for
        report.json, report.html and report.txt.
        """
        self._store.check()
        with tempfile.TemporaryDirectory(prefix="penchant-") as fresh:
            folder = as_path(fresh if out is None else out, "out")
            more = ("--protocol", protocol, "--k", str(k), "--out", str(folder))
            return Report.read(
                run_child("penchant.evaluate", [*self._arguments, *more], progress), folder
            )

    def close(self) -> None:
        """Write what waits and let go of the directory; closing twice is allowed."""
        if os.getpid() == self._process:  # a forked child must leave its parent's files alone
            self._replica.close()
            self._store.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
