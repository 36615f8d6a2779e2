"""The client: the verbs of the engine, asked of a service over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, overload
from urllib.parse import quote

from penchant.ingest.intake import Counts
from penchant.measure.reports import Report, TrainReport
from penchant.serve.client import answers, parcels, training
from penchant.serve.client.connection import Connection
from penchant.serve.client.people import LOAD, People
from penchant.serve.client.problems import Conflict, NotFound, NotOverHttp
from penchant.serve.client.questions import check_columns, clock, ids, one_id, question
from penchant.types import (
    Event,
    Explanation,
    InvalidInput,
    Item,
    Release,
    Seen,
    Slate,
    Status,
    Tell,
)

if TYPE_CHECKING:
    import polars as pl

    from penchant.ingest.times import Moment

PEOPLE = 200  # in one question of recommend_many
ITEMS = 25  # in one question of items, which stands in the address: 2 kB of one pass everywhere


class Client(People):
    """The recommender behind the service at `url`. Safe for threads; close it, or use `with`.

    The verbs are those of `penchant.Engine`, with the same arguments and answers, and raise the
    same errors where the engine would; what only a network can do raises `Unreachable`,
    `Unavailable`, `NotAllowed` or `ServiceFailed`, each a `penchant.Error`.

    Questions, and whatever can be said twice without harm, are asked again up to `retries` times
    when no answer comes, with growing, random pauses; everything else only where it is known that
    nothing was done. `timeout` is seconds for one answer.
    """

    def __init__(
        self, url: str, *, key: str | None = None, timeout: float = 30.0, retries: int = 3
    ) -> None:
        self._connection = Connection(url, key=key, timeout=timeout, retries=retries)
        self.url = self._connection.url

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

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

        Paths and frames are read here and sent in pieces. A piece whose answer was lost is sent
        again: its items then count as the same. A failure in between leaves what was sent before.
        """
        given = {"items": items, "users": users, "links": links}
        check_columns(columns)
        if columns is not None and sum(one is not None for one in given.values()) > 1:
            raise InvalidInput(
                "columns= says which column is which of one table; add one table at a time with it"
            )
        read = {"items": parcels.items, "users": parcels.users, "links": parcels.links}
        counts = Counts()
        for table, source in given.items():
            if source is None:
                continue
            done = self._sent(read[table](source, columns), progress)
            counts = counts.beside(done if table == "items" else done.named(table))
        return counts

    def record(
        self, events: Any, *, now: Moment = None, columns: Mapping[str, str] | None = None
    ) -> Counts:
        """Return counts of events that were new, already known, and kept aside; see `.mapping`.

        Durable when it returns. An event without an `event_id` is given one, so that it can be
        sent again after a lost answer and is one event; of many, those count as known. An absent
        time means `now`; left out, it is the clock of the service.
        """
        moment = clock(now)
        if isinstance(events, Event | Mapping) and columns is None:
            body, fresh = parcels.event_body(events, moment)
            answer = self._connection.ask("POST", "/v1/events", harmless=True, body=body)
            counts = Counts(parcels.plain_counts(answer))
            if fresh and counts.get("known"):  # by an attempt of ours whose answer was lost
                counts |= {"new": counts["known"], "known": 0}
            return counts
        check_columns(columns)
        return self._sent(parcels.events(events, columns, moment), None)

    @overload
    def train(
        self, *, progress: Tell | None = None, seed: int = 0, wait: Literal[True] = True
    ) -> TrainReport: ...
    @overload
    def train(
        self, *, progress: Tell | None = None, seed: int = 0, wait: Literal[False]
    ) -> None: ...
    def train(
        self, *, progress: Tell | None = None, seed: int = 0, wait: bool = True
    ) -> TrainReport | None:
        """Return what was learned, kept, left out and measured, when the service has trained.

        One that is at work already is waited for instead. With `wait=False` the training is only
        asked for. To stop waiting does not stop the training.
        """
        if seed != 0:
            raise NotOverHttp(
                f"the service trains with its own seed, got {seed!r}; leave seed out, or run "
                "`penchant train --seed` where the shelf lies"
            )
        before = self._training()
        # Asking twice is one training.
        self._connection.ask("POST", "/v1/train", harmless=True)
        return training.awaited(before, self._training, progress) if wait else None

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

        `more` asks again at the same moment for what was not shown. Tell the service what was not
        shown to anybody with `log=False`; explain() then knows nothing of it.
        """
        body = question(k, context, text, now, history, log)
        if user_id is not None:
            body["user_id"] = one_id(user_id, "user_id")
        if where is not None:
            body["where"] = where
        if seen is not None:
            body["seen"] = seen
        return self._recommended(body, ids(exclude, "exclude"), ())

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
        body = question(None, context, text, now, history, log)
        body["items"] = ids(items, "items")
        params = {"user_id": None if user_id is None else one_id(user_id, "user_id")}
        data = self._connection.ask("POST", "/v1/rank", harmless=True, params=params, body=body)
        slate = answers.slate(data, lambda k: _nothing(slate, k))
        return slate

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
        people = ids(user_ids, "user_ids")
        body = question(k, context, None, now, None, None)
        if seen is not None:
            body["seen"] = seen
        slates: list[Mapping[str, Any]] = []
        for start in range(0, len(people), PEOPLE):
            asked = body | {"user_ids": people[start : start + PEOPLE]}
            slates += self._connection.ask(
                "POST", "/v1/recommend:batch", harmless=True, body=asked, timeout=LOAD
            )["slates"]
        return answers.frame(slates)

    def similar(self, item_id: str, k: int = 10, *, now: Moment = None) -> Slate:
        """Return the `k` items most like this one, by behaviour and by text."""
        return self._similar(one_id(item_id, "item_id"), k, clock(now), ())

    def items(self, item_ids: Iterable[str]) -> tuple[Item, ...]:
        """Return what the catalogue holds of items, in this order, without those it does not."""
        wanted = ids(item_ids, "item_ids")
        found: list[Item] = []
        for start in range(0, len(wanted), ITEMS):
            params = {"item_id": wanted[start : start + ITEMS]}
            data = self._connection.ask("GET", "/v1/items", harmless=True, params=params)
            found += (answers.item(one) for one in data["items"])
        return tuple(found)

    def explain(self, slate: Slate | str, item_id: str) -> Explanation:
        """Return why an item stood in a slate; a slate's id is enough. It must have been logged."""
        return self._explained(slate, {"item_id": one_id(item_id, "item_id")})[0]

    def explanations(self, slate: Slate | str) -> tuple[Explanation, ...]:
        """Return why each item stood in a slate, best first. It must have been logged."""
        return self._explained(slate, {})

    def _explained(self, slate: Slate | str, params: Mapping[str, str]) -> tuple[Explanation, ...]:
        slate_id = one_id(slate.id if isinstance(slate, Slate) else slate, "slate")
        path = f"/v1/slates/{quote(slate_id, safe='')}/reasons"
        try:
            data = self._connection.ask("GET", path, harmless=True, params=params)
        except NotFound as error:
            from penchant.rank.explain.explaining import NotShown

            raise NotShown(str(error)) from error
        return tuple(answers.explanation(one) for one in data["explanations"])

    def stages(self) -> NoReturn:
        """Raise NotOverHttp: the steps of a request are printed where the shelf lies."""
        raise NotOverHttp(
            "the steps of a request are not told over HTTP; open the shelf where it lies "
            "(penchant.open(directory).stages()), or read the trace that explain() gives"
        )

    def status(self) -> Status:
        """Return which snapshot answers, up to where the log was read, and what went wrong.

        Of several workers it is the one that answered.
        """
        return answers.status(self._connection.ask("GET", "/v1/status", harmless=True))

    def snapshots(self) -> tuple[Release, ...]:
        """Return what can be activated, oldest first, and which of them serves."""
        data = self._connection.ask("GET", "/v1/snapshots", harmless=True, timeout=LOAD)
        return tuple(answers.release(one) for one in data["snapshots"])

    def activate(self, snapshot_id: str) -> Release:
        """Return the snapshot that serves from now on: back to an older one, or forward again."""
        path = f"/v1/snapshots/{quote(one_id(snapshot_id, 'snapshot_id'), safe='')}:activate"
        try:
            return answers.release(self._connection.ask("POST", path, harmless=True, timeout=LOAD))
        except NotFound as error:
            from penchant.store.faults import StoreError

            raise StoreError(str(error)) from error
        except Conflict as error:
            from penchant.store.snapshots import SnapshotDamaged

            raise SnapshotDamaged(str(error)) from error

    def remove(self, item_id: str) -> bool:
        """Return whether the item was there; it is never recommended again, its history stays."""
        return bool(self._gone("/v1/items", "item_id", item_id))

    def undo(self, event_id: str) -> bool:
        """Return whether the event was there; every answer is then as if it had never been."""
        return bool(self._gone("/v1/events", "event_id", event_id))

    def backup(self, target: str | Path, *, key: bool = True) -> NoReturn:
        """Raise NotOverHttp: a backup is made where the shelf lies."""
        raise NotOverHttp(
            "a backup is not made over HTTP; run `penchant backup SHELF TARGET` where the shelf "
            "lies, while the service runs"
        )

    def evaluate(
        self,
        *,
        protocol: str = "global-time",
        k: int = 10,
        progress: Tell | None = None,
        out: str | Path | None = None,
    ) -> Report:
        """Raise NotOverHttp: an evaluation reads the whole log, where the shelf lies."""
        raise NotOverHttp(
            "an evaluation is not run over HTTP; run `penchant evaluate SHELF` where the shelf "
            "lies, while the service runs, or on a backup of it"
        )

    def close(self) -> None:
        """Let go of the connections; closing twice is allowed."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _training(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._connection.ask("GET", "/v1/train", harmless=True)
        return found

    def _sent(self, parcel: parcels.Parcel, progress: Tell | None) -> Counts:
        def post(piece: bytes) -> Mapping[str, Any]:
            # Rows with ids: items, people and links are replaced by themselves, events known.
            answer: Mapping[str, Any] = self._connection.ask(
                "POST", f"/v1/{parcel.table}", harmless=True, lines=piece, timeout=LOAD
            )
            return answer

        return parcel.send(post, progress)

    def _recommended(
        self, body: Mapping[str, Any], exclude: Sequence[str], shown: tuple[str, ...]
    ) -> Slate:
        asked = {**body, "exclude": [*exclude, *shown]}
        data = self._connection.ask("POST", "/v1/recommend", harmless=True, body=asked)

        def further(k: int) -> Slate:
            so_far = (*shown, *(line["item_id"] for line in data["recommendations"]))
            return self._recommended({**body, "k": k, "now": data["now"]}, exclude, so_far)

        return answers.slate(data, further, shown)

    def _similar(self, item_id: str, k: int, now: float | None, shown: tuple[str, ...]) -> Slate:
        # Nothing can be left out of this question, so it is asked for more, and cut.
        params = {"item_id": item_id, "k": k + len(shown) if shown else k, "now": now}
        try:
            data = self._connection.ask("GET", "/v1/similar", harmless=True, params=params)
        except NotFound as error:
            from penchant.rank.answer.asking import UnknownItem

            raise UnknownItem(str(error)) from error
        lines = [one for one in data["recommendations"] if one["item_id"] not in set(shown)][:k]
        left = [{**line, "rank": place} for place, line in enumerate(lines, start=1)]

        def further(more: int) -> Slate:
            so_far = (*shown, *(line["item_id"] for line in left))
            return self._similar(item_id, more, float(data["now"]), so_far)

        return answers.slate({**data, "recommendations": left}, further, shown)


def _nothing(slate: Slate, k: int) -> Slate:
    """Return the empty slate that comes after a list which was ranked whole."""
    return Slate((), slate.id, slate.snapshot, slate.user_id, slate.now, continuation=None)
