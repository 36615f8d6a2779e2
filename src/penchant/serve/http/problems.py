"""Problems: every refusal as an RFC 9457 document that says what was expected and what to do."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from penchant.ingest.cells import Refused
from penchant.language.encoder.endpoint import EndpointFailed
from penchant.learn.turn import AlreadyTraining
from penchant.rank.answer.asking import UnknownItem
from penchant.rank.explain.explaining import NotShown
from penchant.store.faults import (
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
)
from penchant.store.snapshots import SnapshotDamaged
from penchant.types import Error, InvalidInput

MEDIA = "application/problem+json"
LINGER_BYTES, LINGER_SECONDS = 33_554_432, 2.0
TYPE = "urn:penchant:problem:"

NAMES: Mapping[int, tuple[str, str]] = {
    400: ("malformed-request", "The request is malformed"),
    401: ("key-needed", "A key is needed"),
    403: ("not-allowed", "The key does not allow this"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "The method does not fit"),
    408: ("too-slow", "The request came too slowly"),
    409: ("conflict", "Not in this state"),
    413: ("too-large", "The body is too large"),
    415: ("unsupported-media-type", "The body is of another kind than expected"),
    422: ("invalid-input", "The input cannot be believed"),
    429: ("too-many-requests", "Too many requests"),
    431: ("head-too-large", "The request line and headers are too large"),
    500: ("unexpected", "Something unexpected happened"),
    503: ("unavailable", "Not possible at the moment"),
}
"""Status -> the name in `type`, and the title."""


@dataclass(eq=False)
class Problem(Exception):
    """A request that is refused; `detail` says what was expected, what came, and what to do.

    `members` are added to the document; with `linger` the rest of the body is read first.
    """

    status: int
    detail: str
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    linger: bool = False

    def response(self, request_id: str) -> Response:
        """Return the document, `instance` being the id of the request."""
        name, title = NAMES.get(self.status) or (str(self.status), _phrase(self.status))
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        document = {
            "type": TYPE + name,
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "instance": request_id,
            **self.members,
        }
        kind = Lingering if self.linger else Response
        return kind(
            orjson.dumps(document), status_code=self.status, headers=headers, media_type=MEDIA
        )


class Lingering(Response):
    """An answer after which the rest of a body is read and thrown away, for a moment.

    Who listens only after the last byte was sent would otherwise find the line cut, and never hear
    why.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, read on, close."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        left = LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        break
        await send({"type": "http.response.body", "body": b""})


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def problem_of(error: Error) -> Problem:
    """Return what an error of the engine is to somebody on the other side of the network."""
    detail = str(error)
    if isinstance(error, UnknownItem | NotShown):
        return Problem(404, detail)
    if isinstance(error, Refused):
        return Problem(422, detail, members={"rule": error.rule})
    if isinstance(error, InvalidInput):
        return Problem(422, detail)
    if isinstance(error, AlreadyTraining | SnapshotDamaged):
        return Problem(409, detail)
    if isinstance(error, StoreClosed):
        return Problem(503, "the service is stopping; ask again in a moment", retry_after=2)
    for kind, told, wait in _TROUBLES:
        if isinstance(error, kind):
            # Where the store lies is nobody's business on the other side: the log names it.
            return Problem(503, f"{told}. Its log says more", retry_after=wait)
    if isinstance(error, EndpointFailed):
        return Problem(503, detail, retry_after=5)
    return Problem(500, detail)


_TROUBLES: tuple[tuple[type[StoreError], str, int], ...] = (
    (
        StoreFull,
        "the service has no space left, and stored nothing of this: who runs it has to free some",
        60,
    ),
    (
        StoreReadOnly,
        "the service cannot write, and stored nothing of this: who runs it has to let it write",
        60,
    ),
    (
        StoreDamaged,
        "the store of the service is damaged: who runs it has to restore a backup",
        60,
    ),
    (StoreError, "the store of the service does not do its work; ask again in a moment", 5),
)
