"""The line to a service: pooled connections, and another attempt where one does no harm.

An attempt that failed says nothing about whether the service did what it was asked: the answer may
have been lost on the way back. So it is repeated only where doing it twice is the same as doing it
once, or where the service said, or nobody can have heard, that nothing was done.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from random import SystemRandom
from typing import Any

import httpx2
import orjson

import penchant
from penchant.serve.client.problems import ServiceFailed, Unreachable, problem
from penchant.types import InvalidInput

# Below the 5 seconds after which uvicorn closes an idle connection: one that the service is about
# to close fails in the middle of a request, and a write could not be repeated.
KEEP_ALIVE = 4.0
CONNECTIONS = 64
CONNECT = 5.0  # seconds; a host that takes longer to say hello is not there
# The longest pause before the next attempt is uniform in [0, FIRST * 2**attempt], at most LONGEST:
# "full jitter", so that clients that failed together do not come back together
# (M. Brooker, "Exponential Backoff And Jitter", 2015).
FIRST, LONGEST = 0.1, 5.0
PATIENCE = 30.0  # seconds a service may ask us to wait; who is told more is better told so

NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
REFUSED_AT_ONCE = 429  # nothing was done
AWAY = (502, 503, 504)

_CHANCE = SystemRandom()


class Connection:
    """Asks one service. Safe for threads; `close` it.

    `key` goes into the header X-API-Key. `timeout` is seconds for one answer, `retries` how many
    further attempts a question gets.
    """

    def __init__(self, url: str, *, key: str | None, timeout: float, retries: int) -> None:
        self.url = _address(url)
        self._retries = _whole(retries)
        self._timeout = _positive(timeout)
        headers = {
            "Accept": "application/json",
            "User-Agent": f"penchant/{penchant.__version__}",
        }
        if key is not None:
            headers["X-API-Key"] = _sound(key)
        self._http = httpx2.Client(
            base_url=self.url,
            headers=headers,
            limits=httpx2.Limits(
                max_connections=CONNECTIONS,
                max_keepalive_connections=CONNECTIONS,
                keepalive_expiry=KEEP_ALIVE,
            ),
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        harmless: bool,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        lines: bytes | None = None,
        timeout: float = 0.0,
    ) -> Any:
        """Return what the service answers, as plain data; `harmless` if asking twice changes
        nothing more than asking once.

        `body` is sent as JSON, `lines` as NDJSON; `timeout` gives the answer more seconds than it
        has anyway. Raises what the engine would raise, `Unreachable`
        where no answer came.
        """
        content, kind = None, None
        if lines is not None:
            content, kind = lines, "application/x-ndjson"
        elif body is not None:
            content, kind = encoded(body), "application/json"
        headers = None if kind is None else {"Content-Type": kind}
        seconds = max(timeout, self._timeout)
        given = {name: value for name, value in (params or {}).items() if value is not None}
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                response = self._http.request(
                    method,
                    path,
                    params=given,
                    content=content,
                    headers=headers,
                    timeout=httpx2.Timeout(seconds, connect=min(CONNECT, seconds)),
                )
            except httpx2.TransportError as error:
                if last or not (harmless or isinstance(error, NOT_SENT)):
                    raise self._unreachable(method, path, error, attempt, harmless) from error
                time.sleep(_pause(attempt, None))
                continue
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise ServiceFailed(f"the answer of {self.url} cannot be read: {error}") from error
            except RuntimeError as error:  # httpx2: "the client has been closed"
                if not self._http.is_closed:
                    raise
                raise ServiceFailed("this client is closed; call connect() again") from error
            if response.is_success:
                return self._content(response)
            status = response.status_code
            pause = _pause(attempt, response.headers.get("Retry-After"))
            again = status == REFUSED_AT_ONCE or (harmless and status in AWAY)
            if last or not again or pause > PATIENCE:
                raise problem(response, self.url)
            time.sleep(pause)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Let go of the connections; closing twice is allowed."""
        self._http.close()

    def _content(self, response: httpx2.Response) -> Any:
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            raise ServiceFailed(
                f"expected JSON from {self.url}, got {response.headers.get('Content-Type')}: "
                f"{response.text[:80]!r}; is it the address of a Penchant service?"
            ) from error

    def _unreachable(
        self, method: str, path: str, error: Exception, attempt: int, harmless: bool
    ) -> Unreachable:
        said = str(error) or type(error).__name__
        message = f"no answer from {self.url} to {method} {path} ({said})"
        if attempt:
            message += f", tried {attempt + 1} times"
        if isinstance(error, NOT_SENT):
            message += "; nothing was sent. Check the address, and that `penchant serve` runs there"
        elif not harmless:
            message += "; it may have been done or not: look before you repeat it"
        else:
            message += "; repeating it does no harm. Is the service busy? timeout= allows more time"
        return Unreachable(message)


def encoded(body: Any) -> bytes:
    """Return data as JSON; numbers of numpy, times and sets are written as JSON can hold them.

    Raises InvalidInput where something has no form in JSON.
    """
    try:
        return orjson.dumps(body, default=_plain, option=_OPTIONS)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"expected values that JSON can hold, which is how they travel; {error}"
        ) from error


_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | orjson.OPT_NAIVE_UTC


def _plain(value: Any) -> Any:
    """Return what orjson does not know in a type that it does."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | range):
        return list(value)
    if hasattr(value, "item") and not isinstance(value, Iterable):
        return value.item()  # numpy's scalars that orjson does not take
    raise TypeError(f"got {type(value).__name__} {value!r:.80}")


def _pause(attempt: int, asked: str | None) -> float:
    """Return how long to wait, in seconds: as long as the service asks, and some chance."""
    chance = _CHANCE.uniform(0.0, min(LONGEST, FIRST * 2.0**attempt))
    try:
        return max(0.0, float(asked or 0.0)) + chance
    except ValueError:  # a date, as HTTP allows: no clock of ours need agree with it
        return chance


def _address(url: object) -> str:
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise InvalidInput(
            f"expected the address of a service, such as 'http://127.0.0.1:8080', got {url!r:.80}; "
            "a directory is opened with penchant.open()"
        )
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise InvalidInput(f"expected an address, got {url!r:.80}: {error}") from error
    if not parsed.host or parsed.query or parsed.fragment:
        raise InvalidInput(
            f"expected scheme, host and perhaps port and path, got {url!r:.80}; leave the rest out"
        )
    return url.rstrip("/")


def _sound(key: object) -> str:
    if not isinstance(key, str) or not key.isascii() or not key.isprintable() or not key.strip():
        raise InvalidInput("expected key as printable ASCII, as `penchant key` writes it")
    return key.strip()


def _positive(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise InvalidInput(f"timeout is a number of seconds above 0, got {timeout!r}")
    return float(timeout)


def _whole(retries: object) -> int:
    if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= 20:
        raise InvalidInput(f"retries is a whole number from 0 to 20, got {retries!r}")
    return retries
