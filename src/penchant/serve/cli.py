"""The command line: `penchant COMMAND SHELF ...`, one file for each group of commands.

Errors of the engine are one line on standard error and exit status 2; doctor ends with 1 where it
found something wrong.
"""

from __future__ import annotations

import os
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import penchant
from penchant.serve.commands import (
    answering,
    demonstration,
    diagnosing,
    experimenting,
    headlining,
    importing,
    interesting,
    keeping,
    keys,
    learning,
    protocol,
    serving,
)
from penchant.serve.commands.terminal import DEBUG, Terminal
from penchant.types import Error

REFUSED, BROKEN, INTERRUPTED = 2, 1, 130


class Commands(TyperGroup):
    """Turns what the engine raises into one line and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except Error as error:
            self._say(str(error))
            raise typer.Exit(REFUSED) from error
        except KeyboardInterrupt as error:
            self._say("interrupted; what was acknowledged before is kept")
            raise typer.Exit(INTERRUPTED) from error
        except (OSError, RuntimeError, ValueError, TypeError, LookupError, ImportError) as error:
            # Click's own exceptions, typer.Exit among them, are RuntimeErrors.
            if type(error).__module__.split(".")[0] in ("click", "typer"):
                raise
            self._say(f"unexpected {type(error).__name__}: {error} ({DEBUG}=1 shows where)")
            raise typer.Exit(BROKEN) from error

    def _say(self, text: str) -> None:
        terminal = Terminal()
        if os.environ.get(DEBUG):
            terminal.note(traceback.format_exc())
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()] or ["?"]
        # Of what a process said before it ended, the last line is what ended it.
        said = lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"
        terminal.note(f"error: {said}")


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(penchant.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    """An embedded recommender: a directory is one, and every event changes the very next answer."""


for group in (
    *(demonstration, importing, learning, answering, interesting, serving, protocol),
    *(experimenting, headlining, keeping, keys, diagnosing),
):
    group.register(app)


def main() -> None:
    """Run the command line."""
    app(prog_name="penchant")
