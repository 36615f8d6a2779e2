"""What a service refuses, as the errors of the engine: its words, and a class to catch.

The words come as a problem document (RFC 9457). What an engine in this process would raise is
raised under the same class; what only a network can do to a call has classes of its own.
"""

from __future__ import annotations

from typing import Any

import httpx2
import orjson

from penchant.types import Error, InvalidInput


class Unreachable(Error):
    """No answer came from the service."""


class ServiceFailed(Error):
    """The service failed, or what answers at its address is no Penchant service."""


class Unavailable(Error):
    """The service cannot do it at the moment, or was asked too often; nothing is wrong with it."""


class NotAllowed(Error):
    """The key is missing, wrong, or may not do this."""


class NotFound(Error):
    """There is nothing of this name."""


class Conflict(Error):
    """It cannot be done in the state in which things are."""


class NotOverHttp(Error):
    """A verb that needs the directory itself."""


_INVALID = (400, 405, 408, 413, 415, 422)
_CLASSES: dict[int, type[Error]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def problem(response: httpx2.Response, url: str) -> Error:
    """Return the error to raise for an answer that is none of success."""
    status = response.status_code
    if response.is_redirect:
        return ServiceFailed(
            f"{url} sends us to {response.headers.get('Location')!r}; connect to that address, "
            "if it is the service (a key is not carried to another one unasked)"
        )
    document = _document(response)
    if document is None:
        kind = _CLASSES.get(status, ServiceFailed)
        if kind is not Unavailable:
            kind = ServiceFailed
        return kind(
            f"{url} answered {status} and said nothing that a Penchant service says "
            f"({response.text[:80]!r}); is it the address of one, and does its proxy reach it?"
        )
    detail = str(document.get("detail") or document.get("title") or f"status {status}")
    if status in _INVALID:
        rule = document.get("rule")
        if not isinstance(rule, str):
            return InvalidInput(detail)
        from penchant.ingest.cells import Refused

        return Refused(rule, detail)
    if status in _CLASSES:
        return _CLASSES[status](detail)
    return ServiceFailed(f"{detail} (status {status}, request {document.get('instance')})")


def _document(response: httpx2.Response) -> dict[str, Any] | None:
    """Return the problem document of an answer, None where there is none."""
    if "json" not in response.headers.get("Content-Type", ""):
        return None
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and "detail" in found else None
