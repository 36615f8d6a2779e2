"""From settings and options to a plan and a socket; everything wrong is refused before a start."""

from __future__ import annotations

import dataclasses
import os
import resource
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from penchant.learn.sections import checked
from penchant.serve.http.config import HttpConfig
from penchant.serve.http.keys import Keys
from penchant.serve.sections import served
from penchant.serve.service.config import ServiceConfig, duration
from penchant.serve.service.parent import bound
from penchant.serve.service.plan import Plan
from penchant.store.place import as_path, prepare
from penchant.store.settings import FILE, Settings
from penchant.types import Effort, InvalidInput

T = TypeVar("T", HttpConfig, ServiceConfig)
FILES = 65_536  # open files: each connection is one


def planned(
    shelf: Path,
    http: Mapping[str, Any],
    service: Mapping[str, Any],
    *,
    effort: str = "balanced",
    url: str | None = None,
) -> tuple[Plan, socket.socket]:
    """Return the plan of a service on the directory, and the socket that it listens on.

    `http` and `service` override keys of the sections of that name where they are not None. Raises
    what is wrong with any of it: a setting, the directory, an address without a key, a port that
    is taken.
    """
    if effort not in get_args(Effort):
        raise InvalidInput(f"effort is one of {', '.join(get_args(Effort))}; got {effort!r}")
    directory = as_path(shelf, "the directory of a shelf").absolute()
    prepare(directory, read_only=False, local=url is None)
    settings = Settings(directory / FILE)
    checked(settings)
    sections = served(settings)
    told: ServiceConfig = _with(sections["service"], service)
    listens: HttpConfig = _with(sections["http"], http)
    Keys(listens, os.environ)  # refuses an address that others reach where there is no key
    listening = bound(listens.host, listens.port)
    with suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if most == resource.RLIM_INFINITY else min(most, FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    plan = Plan(
        name="service",
        directory=str(directory),
        runtime="",
        host=listens.host,
        port=listening.getsockname()[1],
        workers=told.workers,
        socket=listening.fileno(),
        url=url,
        effort=effort,
        learn_every=duration(told.learn_every),
        stop_seconds=told.stop_seconds,
        keep_impressions_days=told.keep_impressions_days,
        log_level=told.log_level,
        log_format=told.log_format,
    )
    return plan, listening


def _with(section: T, given: Mapping[str, Any]) -> T:
    """Return the section with what was given in the place of what it says."""
    values = {name: value for name, value in given.items() if value is not None}
    if not values:
        return section
    kind = type(section)
    whole = {f.name: getattr(section, f.name) for f in dataclasses.fields(section)} | values
    try:
        return TypeAdapter(kind).validate_python(whole)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidInput(said) from error
