"""The command that serves: serve."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from penchant.serve.commands.arguments import Effort, Shelf, Url
from penchant.serve.commands.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(serve)


def serve(
    shelf: Shelf,
    host: Annotated[str | None, typer.Option(help="The address; 127.0.0.1 if unsaid.")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port, 0 for a free one; 8080 if unsaid.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="How many processes answer; 4 if unsaid.")
    ] = None,
    learn_every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help='Train in the background this often: "6h", "1d".'),
    ] = None,
    effort: Effort = "balanced",
    log_level: Annotated[
        str | None, typer.Option(help="debug, info (a line a request), warning or error.")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(help="json, text, or auto, which is text in a terminal.")
    ] = None,
    url: Url = None,
) -> None:
    """Serve a shelf over HTTP, and learn in the background, until interrupted.

    What is unsaid stands in sections [http] and [service] of penchant.toml. SIGTERM and Ctrl-C
    finish what was accepted first; asked twice, it ends at once.
    """
    from penchant.serve.service.notifying import READY, notify
    from penchant.serve.service.parent import Parent
    from penchant.serve.service.starting import planned
    from penchant.serve.telemetry import logs

    terminal = Terminal()
    plan, listening = planned(
        shelf,
        {"host": host, "port": port},
        {
            "workers": workers,
            "learn_every": learn_every,
            "log_level": log_level,
            "log_format": log_format,
        },
        effort=effort,
        url=url,
    )
    place = f"[{plan.host}]" if ":" in plan.host else plan.host
    address = f"http://{place}:{plan.port}"

    def ready() -> None:
        terminal.show(
            f"{shelf} is served at {address} by {plan.workers} workers; {address}/docs says how",
            *(f"  {line}" for line in _to_try(address, shelf, url)),
        )
        terminal.out.file.flush()
        notify(READY)

    with logs.written("parent", plan.log_level, plan.log_format):
        status = Parent(plan, ready).run()
    listening.detach()  # closed by the parent when it stopped
    raise typer.Exit(status)


def _to_try(address: str, shelf: Path, url: str | None) -> list[str]:
    """Return lines for a shell that record an event and ask, about an item that there is."""
    from penchant.serve.http.keys import HEADER, VARIABLE, Keys
    from penchant.serve.sections import served
    from penchant.store.open import open_store
    from penchant.store.settings import FILE, Settings
    from penchant.types import Error

    item = "ITEM"
    try:
        with open_store(shelf, url, read_only=True) as store:
            first = store.catalogue.get(range(min(len(store.catalogue), 100)))
            item = next(iter(first.filter(~first["removed"])["item_id"]), item)
    except Error:  # the service answers; that alone must not end it
        pass
    keyed = bool(Keys(served(Settings(shelf / FILE))["http"], os.environ))
    curl = f'curl -H "{HEADER}: ${VARIABLE}"' if keyed else "curl"
    event = shlex.quote(json.dumps({"user_id": "me", "item_id": item, "event": "click"}))
    json_type = "-H 'Content-Type: application/json'"
    return [
        f"{curl} -X POST {address}/v1/events {json_type} -d {event}",
        f"{curl} '{address}/v1/recommend/me?k=10'",
        f"{curl} '{address}/v1/similar?item_id={quote(item, safe='')}&k=5'",
    ]
