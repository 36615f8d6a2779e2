"""The verbs about one person, asked of a service over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from penchant.serve.client import answers
from penchant.serve.client.connection import Connection
from penchant.serve.client.questions import clock, ids, one_id
from penchant.types import Adjust, Inquiry, Profile

if TYPE_CHECKING:
    from penchant.ingest.times import Moment

# Seconds for the answer where the service takes its time: it encodes texts of items, answers many,
# reads snapshots whole.
LOAD = 300.0


class People:
    """What a client asks about one person: what they are interested in, and what is held."""

    _connection: Connection

    def interests(self, user_id: str, *, now: Moment = None) -> Profile:
        """Return the person's interests by name, strongest first, with trend and evidence."""
        params = {"user_id": one_id(user_id, "user_id"), "now": clock(now)}
        data = self._connection.ask("GET", "/v1/users/interests", harmless=True, params=params)
        return answers.profile(data)

    def ask(
        self, user_id: str, k: int = 5, *, exclude: Iterable[str] = (), now: Moment = None
    ) -> tuple[Inquiry, ...]:
        """Return the `k` items whose answer would help a new person most, the first first."""
        params = {
            "user_id": one_id(user_id, "user_id"),
            "k": k,
            "exclude": ids(exclude, "exclude"),
            "now": clock(now),
        }
        data = self._connection.ask("GET", "/v1/users/inquiries", harmless=True, params=params)
        return answers.inquiries(data)

    def adjust(
        self, user_id: str, interest: str, to: Adjust = "mute", *, now: Moment = None
    ) -> Profile:
        """Return the person's interests after they muted, raised, deleted or restored one."""
        data = self._connection.ask(
            "POST",
            "/v1/users/interests",
            harmless=True,  # what is muted twice is muted
            params={"user_id": one_id(user_id, "user_id")},
            body={"interest": interest, "to": to, "now": None if now is None else clock(now)},
        )
        return answers.profile(data)

    def expand(self, user_id: str, *, now: Moment = None, local: bool = False) -> Profile:
        """Return the person's interests, with `prospects` that are worked out anew where due.

        A service asks its generator in the background only, whatever `local` is.
        """
        params = {"user_id": one_id(user_id, "user_id"), "now": clock(now)}
        path = "/v1/users/prospects"
        data = self._connection.ask("POST", path, harmless=True, params=params, timeout=LOAD)
        return answers.profile(data)

    def withdraw(self, user_id: str, item_id: str) -> int:
        """Return how many of the person's events with an item were taken out of their history."""
        params = {"user_id": one_id(user_id, "user_id"), "item_id": one_id(item_id, "item_id")}
        data = self._connection.ask("DELETE", "/v1/users/history", harmless=True, params=params)
        return int(data["removed"])

    def forget(self, user_id: str) -> int:
        """Return how many events of the person were removed, with all else that is theirs."""
        return self._gone("/v1/users", "user_id", user_id)

    def merge(self, user_id: str, *, into: str) -> int:
        """Return how many events of a visitor now belong to `into`, who it turned out to be."""
        data = self._connection.ask(
            "POST",
            "/v1/users/merge",
            harmless=False,
            params={"user_id": one_id(user_id, "user_id")},
            body={"into": one_id(into, "user_id")},
        )
        return int(data["moved"])

    def export(self, user_id: str) -> dict[str, Any]:
        """Return everything the engine holds about a person, as plain data."""
        params = {"user_id": one_id(user_id, "user_id")}
        return dict(
            self._connection.ask("GET", "/v1/users", harmless=True, params=params, timeout=LOAD)
        )

    def _gone(self, path: str, name: str, given: str) -> int:
        """Return how much was removed of what a path names."""
        data = self._connection.ask(
            "DELETE", path, harmless=False, params={name: one_id(given, name)}
        )
        return int(data["removed"])
