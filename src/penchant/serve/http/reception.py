"""Where every call comes to: who may pass, how many at once, and the engine behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from penchant.engine import Engine
from penchant.serve.http.bodies import Room, kind_of, read
from penchant.serve.http.call import Call
from penchant.serve.http.config import HttpConfig
from penchant.serve.http.keys import HEADER, Caller, Keys, allow, is_loopback
from penchant.serve.http.limits import Limit, grant
from penchant.serve.http.pools import Pool
from penchant.serve.http.problems import Problem, problem_of
from penchant.serve.http.questions import Question, unpacked
from penchant.serve.telemetry.tracing import ROUTE
from penchant.types import Error

if TYPE_CHECKING:
    from penchant.serve.service.control import Trainer
    from penchant.serve.service.sharing import Sharing
    from penchant.serve.telemetry.observing import Telemetry

SMALL = 65_536  # bytes that are parsed at once, on the way; more is parsed in a thread
CALLER = "penchant.caller"  # in the scope of a request
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query or the path, for the description of the API."""

    name: str
    schema: Mapping[str, Any]
    about: str
    example: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path: who may ask, who answers, and what is told about it.

    `scope` is None where no key is needed. `answer` and `body` are names of schemas; `statuses`
    are those of problems beside the ones that every route has; `rows` says that the body may be
    one row or many, JSON or NDJSON; `open_here` that this machine needs no key.
    """

    method: str
    path: str
    scope: str | None
    handler: Callable[[Reception, Call], Awaitable[Response]]
    summary: str
    about: str
    tag: str
    answer: str | None
    status: int = 200
    parameters: tuple[Parameter, ...] = ()
    body: str | None = None
    body_needed: bool = True
    rows: bool = False
    open_here: bool = False
    media: str = JSON
    examples: Mapping[str, Any] = field(default_factory=dict)
    example: Any = None
    statuses: tuple[int, ...] = ()


class Reception:
    """What every route works with, one for a worker process."""

    def __init__(
        self,
        engine: Engine,
        settings: HttpConfig,
        keys: Keys,
        trainer: Trainer,
        telemetry: Telemetry,
        sharing: Sharing | None = None,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.keys = keys
        self.trainer = trainer
        self.telemetry = telemetry
        self.sharing = sharing
        self.room = Room(settings.buffer_bytes)
        self.limits = {
            True: Limit(settings.rate_loopback, settings.burst),
            False: Limit(settings.rate, settings.burst),
        }
        self.events = Limit(settings.user_rate, settings.burst)
        self.stopping = False
        self._own: dict[str, Limit] = {}
        waiting = settings.waiting
        self.answers = Pool(
            "answers",
            settings.threads,
            waiting,
            settings.timeout,
            together=1,
            tell=(lambda inside: None) if sharing is None else sharing.inside,
        )
        self.records = Pool("events", settings.record_threads, waiting, settings.timeout)
        self.loads = Pool("loads", settings.load_threads, waiting, settings.load_timeout)
        # Apart: how things are is asked most when the events that wait fill their pool.
        self.operations = Pool("operations", settings.load_threads, waiting, settings.timeout)
        # Apart: a slate that is not on disk yet is waited for, and nobody else should be.
        self.reasons = Pool("explanations", settings.load_threads, waiting, settings.load_timeout)

    def endpoint(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """Return the function that leads a request of a route to its handler."""
        scope, handler = route.scope, route.handler

        async def endpoint(request: Request) -> Response:
            request.scope[ROUTE] = route.path
            free = scope is None or (route.open_here and _is_here(request))
            caller = _ANYBODY if free or scope is None else self.admitted(request, scope)
            return await handler(self, Call(request, caller))

        endpoint.__name__ = handler.__name__
        return endpoint

    def admitted(self, request: Request, scope: str) -> Caller:
        """Return who asks, or raise the problem 401, 403 or 429 that keeps them out."""
        client = request.scope.get("client")
        address = client[0] if client else "unknown"
        caller = self.keys.caller(request.headers.get(HEADER), address)
        now = time.monotonic()
        if caller is None:
            # Guessing is as limited as asking.
            grant(self.limits[is_loopback(address)], f"address {address}", now, "requests")
            raise Problem(
                401,
                f"expected a key in the header {HEADER}, got "
                f"{'none' if HEADER not in request.headers else 'one that is not known'}; "
                "`penchant key` makes one, PENCHANT_API_KEY or section [http] names it",
                headers={"WWW-Authenticate": f'ApiKey header="{HEADER}"'},
            )
        if not self.keys:
            _from_here(request)
        request.scope[CALLER] = caller.name if self.keys else "local"
        limit = self.limits[caller.local]
        if caller.rate is not None:
            limit = self._own.get(caller.name) or self._own.setdefault(
                caller.name, Limit(caller.rate, self.settings.burst)
            )
        grant(limit, f"key {caller.name}", now, "requests")
        allow(caller, scope)
        return caller

    async def body(self, call: Call, use: Callable[[bytes], Awaitable[Response]]) -> Response:
        """Return what `use` makes of the body, which counts against the room until it is done."""
        settings = self.settings
        kind_of(call.request.headers)
        with self.room.lease() as lease:
            body = await read(call.request, lease, settings.body_bytes, settings.body_timeout)
            return await use(body)

    async def answer(self, work: Callable[[], bytes]) -> Response:
        """Return the answer that `work` writes as JSON, in a thread of the answers."""
        return Response(await self.answers.run(work), media_type=JSON)

    async def ask(self, question: Question) -> Response:
        """Return the answer to a question, given by whichever worker has the least to do."""
        began = time.monotonic()
        found = await self._shared(question)
        if found is None:
            found = await self.answers.run(
                lambda: question.answered(self.engine, self.telemetry), time.monotonic() - began
            )
        return Response(found, media_type=JSON)

    async def asked(self, packed: bytes) -> bytes | None:
        """Return the answer to the question of another worker, None where it is to answer it."""
        try:
            question, trace = unpacked(packed)
            with self.telemetry.beneath(trace):
                return await self.answers.run(
                    lambda: question.answered(self.engine, self.telemetry)
                )
        except Exception as error:
            # Whoever asked meets what is wrong with the question, and tells it.
            known = isinstance(error, Problem) or (
                isinstance(error, Error) and problem_of(error).status < 500
            )
            if not known:
                self.telemetry.trouble("share", error)
            return None

    async def _shared(self, question: Question) -> bytes | None:
        """Return the answer of another worker that has less to do, None where nobody has."""
        mine = self.answers.inside
        if self.sharing is None or not mine:
            return None
        packed = question.packed(self.telemetry.trace())
        found = None if packed is None else await self.sharing.ask(packed, mine)
        if found is not None:
            self.telemetry.shared()
        return found

    async def load(self, work: Callable[[], bytes]) -> Response:
        """Return the answer to what takes long, in a thread of the loads."""
        return Response(await self.loads.run(work), media_type=JSON)

    async def open(self) -> None:
        """Answer what other workers ask, from now on."""
        if self.sharing is not None:
            await self.sharing.open(self.asked)

    async def close(self) -> None:
        """Finish what was accepted."""
        pools = (self.answers, self.records, self.loads, self.operations, self.reasons)
        for pool in pools:
            await asyncio.to_thread(pool.close)
        if self.sharing is not None:
            await self.sharing.close()


_ANYBODY = Caller("anybody", frozenset())


def _is_here(request: Request) -> bool:
    """Return whether somebody on this machine asks, and not through a proxy on it."""
    client = request.scope.get("client")
    through = any(name in request.headers for name in _THROUGH)
    return client is not None and is_loopback(client[0]) and not through


_THROUGH = ("forwarded", "x-forwarded-for", "x-real-ip")


def _from_here(request: Request) -> None:
    """Raise a problem 403 where a keyless service is asked from elsewhere after all.

    That is through a proxy on this machine, or by a web page that makes a browser here ask: a name
    that leads to this machine only now (DNS rebinding) stands in Host, a page of another site in
    Origin.
    """
    if not _is_here(request):
        raise Problem(
            403,
            "without a key only this machine is answered, and this comes from elsewhere or through "
            "a proxy; configure a key (`penchant key`)",
        )
    for name in ("host", "origin"):
        given = request.headers.get(name)
        if given is None:
            continue
        host = given.split("://", 1)[-1]
        host = host.partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if not is_loopback(host):
            raise Problem(
                403,
                f"without a key only this machine is answered, and {name.title()} is "
                f"{given!r:.80}; ask for 127.0.0.1 or localhost, or configure a key "
                "(`penchant key`)",
            )
