"""Bodies: read within a size and a time, and parsed, JSON or one JSON object a line."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request

from penchant.serve.http.problems import Problem

JSON = "application/json"
LINES = "application/x-ndjson"
_LINES = frozenset({LINES, "application/ndjson", "application/jsonl", "application/json-lines"})
# What `curl -d` says of everything it sends.
_FORM = "application/x-www-form-urlencoded"


class Room:
    """How many bytes of bodies are in memory, of at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._guard = threading.Lock()

    @property
    def held(self) -> int:
        """Return the bytes held now."""
        return self._held

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """Give a part of the room that can grow, and take it back at the end."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            self._take(-lease.held)

    def _take(self, size: int) -> bool:
        with self._guard:
            if size > 0 and self._held and self._held + size > self._most:
                return False
            self._held += size
            return True


class Lease:
    """What one request holds of the room."""

    def __init__(self, room: Room) -> None:
        self.held = 0
        self._room = room

    def grow(self, size: int) -> None:
        """Take more, or raise a problem 429 where there is none."""
        if not self._room._take(size):
            raise Problem(
                429,
                "the bodies of other requests fill the memory set apart for them; ask again in a "
                "second, or send fewer rows at once",
                retry_after=1,
                headers={"Connection": "close"},
                linger=True,
            )
        self.held += size


def kind_of(headers: Headers) -> str:
    """Return JSON or LINES, whichever the body is; a problem 415 where it is neither."""
    if (coding := headers.get("content-encoding", "identity").strip().lower()) not in (
        "identity",
        "",
    ):
        raise Problem(
            415,
            f"expected a body as it is, got Content-Encoding {coding!r:.40}; send it uncompressed",
            headers={"Accept-Encoding": "identity"},
        )
    said = headers.get("content-type", "")
    media, _, rest = said.partition(";")
    media = media.strip().lower()
    for parameter in rest.split(";"):
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8", "us-ascii"):
            raise Problem(415, f"expected a body in UTF-8, got charset {charset!r:.40}; convert it")
    if media in _LINES:
        return LINES
    if media in ("", JSON, _FORM) or (media.startswith("application/") and media.endswith("+json")):
        return JSON
    raise Problem(
        415,
        f"expected Content-Type {JSON}, or {LINES} with one object a line; got {said!r:.80}",
    )


async def read(request: Request, lease: Lease, most: int, seconds: float) -> bytes:
    """Return the body: 413 beyond `most` bytes, 408 where it takes longer than `seconds`."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(f"{int(declared):,}", most)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "the body ended before it was complete")
                part = message.get("body", b"")
                size += len(part)
                if size > most:
                    break
                if part:
                    lease.grow(len(part))
                    parts.append(part)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise Problem(
            408,
            f"expected the body within {seconds:g} s, got {size:,} bytes of it; send it faster, or "
            "in smaller pieces",
            headers={"Connection": "close"},
        ) from None
    raise _too_large("more", most)


def _too_large(came: str, most: int) -> Problem:
    return Problem(
        413,
        f"expected a body of at most {most:,} bytes, got {came}; send the rows in several pieces "
        "(NDJSON is easy to cut), or have body_bytes raised in section [http] of penchant.toml",
        headers={"Connection": "close"},
        linger=True,
    )


def document(body: bytes) -> Any:
    """Return what a JSON body holds; a problem 422 where it is none."""
    if not body.strip():
        raise Problem(422, "expected a JSON body, got none; see /docs for what belongs into it")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(422, f"expected JSON in UTF-8; {error}. Nothing was stored") from None


def one_object(body: bytes) -> dict[str, Any]:
    """Return a JSON body that has to be an object."""
    found = document(body)
    if not isinstance(found, dict):
        raise Problem(422, f"expected a JSON object, got {_named(found)}; see /docs")
    return found


def rows(body: bytes, kind: str) -> dict[str, Any] | list[dict[str, Any]]:
    """Return one row, or many, of a body; nothing else gets through, least of all a path."""
    found = _lines(body) if kind == LINES else document(body)
    if isinstance(found, dict):
        return found
    if not isinstance(found, list):
        raise Problem(422, f"expected an object or an array of objects, got {_named(found)}")
    for place, row in enumerate(found):
        if not isinstance(row, dict):
            raise Problem(
                422,
                f"expected objects in the array, got {_named(row)} at position {place}; nothing "
                "was stored",
            )
    return found


def _lines(body: bytes) -> list[Any]:
    found = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise Problem(
                422,
                f"expected one JSON object a line; line {number} is none: {error}. Nothing was "
                "stored",
            ) from None
    return found


def _named(value: Any) -> str:
    names = {str: "text", bool: "true or false", type(None): "null", list: "an array"}
    return names.get(type(value), "a number")
