"""One call: the ids in its path, the parameters of its query, and its body, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import orjson
from starlette.requests import Request

from penchant.ingest.times import seconds
from penchant.serve.http.keys import Caller
from penchant.serve.http.problems import Problem

PARAMETERS = 1_000  # in one query; lists that are longer belong into a body

Pairs = list[tuple[str, str]]


class Call:
    """A request that was let in, with who asks."""

    __slots__ = ("_pairs", "caller", "request")

    def __init__(self, request: Request, caller: Caller) -> None:
        self.request = request
        self.caller = caller
        self._pairs: Pairs | None = None

    @property
    def pairs(self) -> Pairs:
        """Return the parameters of the query in order; UTF-8, or a problem 422."""
        if self._pairs is None:
            self._pairs = _pairs(self.request.scope["query_string"])
        return self._pairs

    def known(self, *names: str, pairs_of: str | None = None) -> None:
        """Raise a problem 422 where the query has a parameter that nobody would read."""
        for name, _ in self.pairs:
            if name in names or (pairs_of is not None and _inner(name, pairs_of) is not None):
                continue
            there = ", ".join([*names, *([f"{pairs_of}[...]"] if pairs_of else [])]) or "none"
            raise Problem(422, f"there is no parameter {name!r:.80} here; known are {there}")

    def one(self, name: str) -> str | None:
        """Return a parameter that may be there once."""
        found = [value for key, value in self.pairs if key == name]
        if len(found) > 1:
            raise Problem(422, f"expected {name} once, got it {len(found)} times; choose one")
        return found[0] if found else None

    def many(self, name: str) -> list[str]:
        """Return all values of a parameter that may be repeated."""
        return [value for key, value in self.pairs if key == name]

    def context(self) -> dict[str, Any]:
        """Return the pairs context[key]=value; numbers, true and false become that."""
        found: dict[str, Any] = {}
        for name, value in self.pairs:
            if (key := _inner(name, "context")) is not None:
                found[key] = _plain(value)
        return found

    def identity(self, name: str, *, of: str) -> str:
        """Return an id from the path, or from the query where the path has none."""
        inside: str | None = self.request.path_params.get(name)
        beside = self.one(of)
        if inside is None:
            if beside is None:
                raise Problem(422, f"expected the id as ?{of}=..., got none")
            return beside
        if beside is not None:
            raise Problem(422, f"expected {of} in the path or in the query, got both; choose one")
        return unquoted(inside)


def unquoted(segment: str) -> str:
    """Return a segment of a path decoded once, `%2F` to a slash among all others."""
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(
            422, f"expected ids in UTF-8 before they are percent-encoded, got {segment!r:.80}"
        ) from None


def whole(text: str | None, name: str) -> int | None:
    """Return a parameter that is a whole number."""
    if text is None:
        return None
    try:
        if len(text) > 20 or not text.isascii() or text != text.strip() or "_" in text:
            raise ValueError
        return int(text)
    except ValueError:
        raise Problem(422, f"expected {name} as a whole number, got {text!r:.80}") from None


def moment(text: str | None) -> float | None:
    """Return a time in seconds UTC; InvalidInput says what is none."""
    return None if text is None else seconds(text)


def switch(text: str | None, name: str, default: bool) -> bool:
    """Return a parameter that is true or false."""
    if text is None:
        return default
    if text not in ("true", "false"):
        raise Problem(422, f"expected {name} as true or false, got {text!r:.80}")
    return text == "true"


WHOLE, TEXT, LIST, OBJECT = "a whole number", "text", "a list of ids", "an object"
SWITCH, TIME, ID = "true or false", "seconds, or a time as ISO text", "an id"
_KINDS: Mapping[str, tuple[type, ...]] = {
    WHOLE: (int,),
    TEXT: (str,),
    LIST: (list,),
    OBJECT: (dict,),
    SWITCH: (bool,),
    TIME: (int, float, str),
    ID: (str, int),
}


def members(body: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return the members of a body that are not null; 422 for unknown names and other kinds.

    `kinds` says of each name what belongs there, in words above; times become seconds.
    """
    found: dict[str, Any] = {}
    for name, value in body.items():
        if name not in kinds:
            raise Problem(
                422, f"there is no member {name!r:.80} here; known are {', '.join(kinds)}"
            )
        if value is None:
            continue
        expected = kinds[name]
        types = _KINDS[expected]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise Problem(422, f"expected {name} as {expected}, got {value!r:.80}")
        found[name] = seconds(value) if expected == TIME else value
    return found


def _pairs(query: bytes) -> Pairs:
    if not query:
        return []
    try:
        return parse_qsl(
            query.decode("utf-8"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=PARAMETERS,
        )
    except UnicodeDecodeError:
        raise Problem(422, "expected a query in UTF-8, percent-encoded") from None
    except ValueError:
        raise Problem(
            422, f"expected at most {PARAMETERS} parameters; send long lists in a body (POST)"
        ) from None


def _inner(name: str, outer: str) -> str | None:
    """Return `key` of a name `outer[key]`, None where it is another name."""
    if name.startswith(f"{outer}[") and name.endswith("]") and len(name) > len(outer) + 2:
        return name[len(outer) + 1 : -1]
    return None


def _plain(text: str) -> Any:
    """Return a number, true or false where JSON reads the text as that; `007` stays text."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, bool | int | float) else text
