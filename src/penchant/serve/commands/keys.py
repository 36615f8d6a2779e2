"""The command that makes keys of the HTTP API: key."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from penchant.serve.commands.arguments import Json
from penchant.serve.commands.terminal import Terminal
from penchant.types import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(key)


def key(
    name: Annotated[str, typer.Argument(help="What the key is called, in the file and in logs.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="read (if unsaid), write or admin; may be repeated."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second that this key may make, if not as all.")
    ] = None,
    json: Json = False,
) -> None:
    """Print a fresh key of the HTTP API, and the line of penchant.toml that lets it in.

    The key itself is kept nowhere: who loses it makes another.
    """
    from penchant.serve.http.config import SCOPES, KeyConfig
    from penchant.serve.http.keys import HEADER, fresh_key

    if not _NAME.fullmatch(name):
        raise InvalidInput(f"a key is called by 1 to 64 letters, digits, - and _; got {name!r:.80}")
    made, digest = fresh_key()
    config = KeyConfig(digest, tuple(scope or SCOPES[:1]), rate)
    scopes = ", ".join(f'"{one}"' for one in config.scopes)
    own = "" if rate is None else f", rate = {rate:g}"
    line = f'keys.{name} = {{ sha256 = "{digest}", scopes = [{scopes}]{own} }}'
    Terminal(json).answer(
        {"name": name, "key": made, "header": HEADER, "toml": line},
        f"{made}",
        "",
        f"Send it as {HEADER}; it is kept nowhere else. To let it in, put this line",
        "into section [http] of penchant.toml and start the service again:",
        "",
        line,
    )
