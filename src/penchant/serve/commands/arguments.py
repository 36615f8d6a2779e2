"""What the commands take from the command line, named once, and the shelf they open with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penchant.types import Error, InvalidInput

if TYPE_CHECKING:
    from penchant.engine import Engine
    from penchant.serve.commands.terminal import Terminal

Shelf = Annotated[
    Path, typer.Argument(metavar="SHELF", help="The directory that is the recommender.")
]
Url = Annotated[
    str | None,
    typer.Option(
        envvar="PENCHANT_URL",
        help="PostgreSQL URL (postgresql+psycopg://...), where the tables lie there.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Effort = Annotated[str, typer.Option(help="fast (a minute), balanced, or best (takes its time).")]
Many = Annotated[int, typer.Option("-k", "--k", help="How many items.")]
Now = Annotated[
    str | None,
    typer.Option(help="The moment taken as now (ISO time or seconds, UTC); the clock if absent."),
]
Context = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="The context of the request, for example device=tv."),
]
Words = Annotated[str | None, typer.Option(help="Words the person asks with.")]


class NoShelf(Error):
    """A command was given a directory that is no recommender yet."""


@contextmanager
def opened(
    directory: Path,
    url: str | None,
    terminal: Terminal,
    *,
    effort: str = "balanced",
    create: bool = False,
) -> Iterator[Engine]:
    """Open the shelf, close it at the end; NoShelf where there is none and none may be made."""
    from penchant.engine import Engine

    if not create and url is None and not is_shelf(directory):
        raise NoShelf(
            f"{directory} is no recommender yet; make one with "
            f"`penchant import {directory} --items FILE --events FILE`, or `penchant demo`"
        )
    with terminal.busy("opening"):
        engine = Engine(directory, effort=effort, url=url)
    with engine:
        yield engine


def is_shelf(directory: Path) -> bool:
    """Return whether a directory holds the tables of a recommender."""
    from penchant.store.open import LOG_FILE

    return (directory / LOG_FILE).is_file()


def need_learning(effort: str, *more: str) -> None:
    """Raise MissingLibrary where something that learning needs, or one of `more`, is missing."""
    from penchant.learn.effort import derive
    from penchant.learn.requirements import need

    need(derive(effort), more=more)


def moment(text: str | None) -> float | None:
    """Return a time of the command line in seconds UTC; InvalidInput where it is none."""
    from penchant.ingest.times import seconds

    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return seconds(text)
    return seconds(number)


def pairs(given: list[str] | None, option: str) -> dict[str, Any]:
    """Return KEY=VALUE options as a dict; values that are numbers or true/false become that."""
    out: dict[str, Any] = {}
    for one in given or ():
        key, sign, value = one.partition("=")
        if not sign or not key:
            raise InvalidInput(f"{option} takes KEY=VALUE, for example device=tv; got {one!r}")
        out[key] = _value(value)
    return out


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
