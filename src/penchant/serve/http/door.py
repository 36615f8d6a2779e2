"""The door: each request gets an id, keeps its path as it was sent, is timed, and gets an answer.

Whatever goes wrong behind it becomes a problem document; nothing is ever answered without one.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penchant.serve.http.problems import Problem, problem_of
from penchant.serve.http.reception import CALLER
from penchant.serve.telemetry.tracing import ROUTE
from penchant.types import Error

if TYPE_CHECKING:
    from penchant.serve.telemetry.observing import Telemetry

LOG = logging.getLogger("penchant.http")
REQUEST_ID = "penchant.request_id"
_SANE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class Door:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope["headers"])
        # A copy: the server reads the method again when it writes the answer.
        inside = {**scope, REQUEST_ID: request_id}
        # Routes see the path as it was sent: an encoded slash is part of an id, a plain one is not.
        raw = scope.get("raw_path")
        inside["path"] = quote(scope["path"]) if raw is None else raw.decode("latin-1")
        if scope["method"] == "HEAD":
            inside["method"] = "GET"  # the server leaves the body out
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        try:
            await self._app(inside, receive, answer)
        except Exception as error:
            if status:
                raise
            await _problem(error, inside).response(request_id)(inside, receive, answer)
        finally:
            scope[ROUTE] = inside.get(ROUTE)  # for who traces around this
            seconds = time.perf_counter() - started
            route, method = inside.get(ROUTE, "unknown"), scope["method"]
            known = {"caller": inside[CALLER]} if CALLER in inside else {}
            self._telemetry.request(route, method, status or 500, seconds, request_id, **known)


def _problem(error: Exception, scope: Scope) -> Problem:
    """Return what is told of an error, which is logged where nobody expected it."""
    if isinstance(error, Problem):
        return error
    problem = problem_of(error) if isinstance(error, Error) else None
    if problem is None or problem.status == 500:
        LOG.error(
            "unexpected %s at %s %s",
            type(error).__name__,
            scope["method"],
            scope.get(ROUTE, "unknown"),
            exc_info=error,
            extra={"request_id": scope[REQUEST_ID]},
        )
        return Problem(
            500,
            "the service met something it did not expect; the log of the service says more under "
            "the id of this request. Nothing is known to have been stored",
        )
    return problem


def _request_id(headers: Any) -> str:
    for name, value in headers:
        if name == b"x-request-id" and _SANE.fullmatch(value):
            return bytes(value).decode("ascii")
    return secrets.token_hex(8)
