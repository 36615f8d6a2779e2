"""The command that gives the recommender to a language model as tools: mcp."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penchant.serve.commands.arguments import Url, opened
from penchant.serve.commands.terminal import Terminal
from penchant.types import Error, InvalidInput

if TYPE_CHECKING:
    from penchant.engine import Engine
    from penchant.serve.client import Client


class NoProtocol(Error):
    """The library of the protocol is not installed."""


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(mcp)


def mcp(
    target: Annotated[
        str,
        typer.Argument(
            metavar="SHELF|URL", help="The directory, or the address of a service (http://...)."
        ),
    ],
    write: Annotated[
        bool, typer.Option("--write", help="Offer a tool that records events, too.")
    ] = False,
    http: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="Streamable HTTP on this port of this machine, instead of standard input and "
            "output.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="PENCHANT_API_KEY", help="The key of the service, for a URL."),
    ] = None,
    url: Url = None,
) -> None:
    """Give the recommender to a language model as tools (Model Context Protocol).

    Without --http it speaks over standard input and output, as assistants start it, and ends with
    its input.
    """
    if find_spec("mcp") is None:
        raise NoProtocol(
            'the Model Context Protocol needs a library: `pip install "penchant[mcp]"`, then '
            "repeat the command"
        )
    terminal = Terminal(machine=True)  # standard output belongs to the protocol
    if target.startswith(("http://", "https://")):
        from penchant.serve.client import connect

        with connect(target, key=key) as client:
            client.status()  # a wrong address or key is said now, not to a model
            _serve(client, write, http, terminal)
        return
    if "://" in target:
        raise InvalidInput(
            f"expected a directory or an address that begins with http:// or https://, got "
            f"{target!r}; where the tables lie in PostgreSQL, give the directory and --url"
        )
    with opened(Path(target), url, terminal) as engine:
        _serve(engine, write, http, terminal)


def _serve(asked: Engine | Client, write: bool, port: int | None, terminal: Terminal) -> None:
    from penchant.serve.mcp import HOST, server

    made = server(asked, write=write)
    if port is None:
        made.run("stdio")
        return
    terminal.note(f"tools at http://{HOST}:{port}/mcp, for this machine alone; Ctrl-C ends it")
    # Every call stands for itself: without sessions there is nothing to keep or to lose.
    made.run("streamable-http", host=HOST, port=port, stateless_http=True, json_response=True)
