"""The HTTP API: one FastAPI application around one engine, for one worker process."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

import penchant
from penchant.engine import Engine
from penchant.serve.http.config import HttpConfig
from penchant.serve.http.contract import routes
from penchant.serve.http.door import LOG, REQUEST_ID, Door
from penchant.serve.http.keys import Keys
from penchant.serve.http.openapi import document
from penchant.serve.http.problems import Problem, problem_of
from penchant.serve.http.reception import Reception
from penchant.store.faults import StoreError
from penchant.types import Error

if TYPE_CHECKING:
    from penchant.serve.service.control import Trainer
    from penchant.serve.service.sharing import Sharing
    from penchant.serve.telemetry.observing import Telemetry


def build(
    engine: Engine,
    settings: HttpConfig,
    *,
    trainer: Trainer,
    telemetry: Telemetry,
    environment: Mapping[str, str] | None = None,
    sharing: Sharing | None = None,
) -> FastAPI:
    """Return the application; raises OpenToAll where others could reach it and there is no key.

    The engine stays the caller's to close, after the application was shut down. With `sharing`,
    questions go to other workers that have less to do, and theirs come here. What the routes
    work with is `app.state.reception`: `stopping = True` takes the worker out of /health/ready.
    """
    keys = Keys(settings, os.environ if environment is None else environment)
    reception = Reception(engine, settings, keys, trainer, telemetry, sharing)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await reception.open()
        yield
        reception.stopping = True
        await reception.close()

    # The page of the documents comes from here as well: a server need not reach the network.
    app = FastAPIOffline(
        title="Penchant",
        version=penchant.__version__,
        openapi_url="/openapi.json",
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs/static",
        redirect_slashes=False,
        lifespan=lifespan,
        exception_handlers={Problem: _problem, Error: _error, HTTPException: _refused},
    )
    app.state.reception = reception
    told = routes()
    for route in told:
        # Plain ones: what FastAPI would take out of a request, and describe, is done here.
        app.add_route(
            route.path, reception.endpoint(route), methods=[route.method], include_in_schema=False
        )
    described = document(told, keyed=bool(keys))
    app.openapi = lambda: described  # type: ignore[method-assign]
    app.add_middleware(Door, telemetry=telemetry)
    return app


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response(request.scope[REQUEST_ID])


async def _error(request: Request, error: Exception) -> Response:
    assert isinstance(error, Error)
    problem = problem_of(error)
    if problem.status == 500:
        raise error  # for the door, which logs it
    if isinstance(error, StoreError):
        LOG.error("%s", error, extra={"request_id": request.scope[REQUEST_ID]})
    return problem.response(request.scope[REQUEST_ID])


async def _refused(request: Request, error: Exception) -> Response:
    """Return the problem for what the router itself refuses: no such path, no such method."""
    assert isinstance(error, HTTPException)
    path, method = request.scope["path"], request.scope["method"]
    if error.status_code == 404:
        problem = Problem(
            404,
            f"there is no route {method} {path!r:.200}; /openapi.json lists them all. In a path a "
            "slash of an id is written %2F, or the id goes into the query",
        )
    elif error.status_code == 405:
        allowed = ", ".join(_allowed(request))
        problem = Problem(
            405,
            f"expected one of {allowed} at {path!r:.200}, got {method}; /openapi.json says what "
            "each does",
            headers={"Allow": allowed},
        )
    else:
        problem = Problem(error.status_code, str(error.detail), headers=error.headers or {})
    return problem.response(request.scope[REQUEST_ID])


def _allowed(request: Request) -> list[str]:
    """Return the methods of all routes that this path fits."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)
