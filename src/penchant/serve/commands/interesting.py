"""Commands about what a person is interested in: interests, ask, adjust, withdraw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from penchant.serve.commands.answering import User
from penchant.serve.commands.arguments import Json, Now, Shelf, Url, moment, opened
from penchant.serve.commands.captions import captions
from penchant.serve.commands.terminal import Terminal, table
from penchant.serve.demo.scene import WINDOWS
from penchant.types import Profile


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (interests, ask, adjust, withdraw):
        app.command()(command)


def interests(
    shelf: Shelf,
    user: User,
    expand: Annotated[
        bool, typer.Option("--expand", help="Work out first what they may come to like.")
    ] = False,
    now: Now = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Print what a person is interested in by name, how strongly, and which way it goes."""
    terminal = Terminal(json)
    with opened(shelf, url, terminal) as engine:
        asked = engine.expand if expand else engine.interests
        found = asked(user, now=moment(now))
    _show(terminal, shelf, url, user, found)


def ask(
    shelf: Shelf,
    user: User,
    k: Annotated[int, typer.Option("-k", "--k", help="How many items.")] = 5,
    exclude: Annotated[
        list[str] | None, typer.Option(help="An item that was asked about already; repeated.")
    ] = None,
    now: Now = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Print what to ask a new person: the items whose answer would help most."""
    terminal = Terminal(json)
    with opened(shelf, url, terminal) as engine:
        found = engine.ask(user, k, exclude=exclude or (), now=moment(now))
    shown = table("ask about", "what it is", "likely a yes", "would help", "tells")
    for one in found:
        shown.add_row(
            one.title or one.item_id,
            ", ".join(one.about),
            f"{one.likely:.0%}",
            f"{one.gain:+.2f} of 20",
            f"{one.bits:.2f} bits",
        )
    terminal.answer(
        {"user_id": user, "inquiries": [asdict(one) for one in found]},
        shown if found else "There is nothing to ask about: no item is left that anybody knows.",
    )


def adjust(
    shelf: Shelf,
    user: User,
    interest: Annotated[str, typer.Argument(help="Its name, as `interests` prints it.")],
    to: Annotated[
        str, typer.Option(help="mute, raise, delete, or restore what was changed.")
    ] = "mute",
    now: Now = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Mute, raise, delete or restore an interest of a person; the next answer obeys."""
    terminal = Terminal(json)
    with opened(shelf, url, terminal) as engine:
        found = engine.adjust(user, interest, to, now=moment(now))  # type: ignore[arg-type]
    _show(terminal, shelf, url, user, found)


def withdraw(
    shelf: Shelf,
    user: User,
    item: Annotated[str, typer.Argument(help="The item's id.")],
    url: Url = None,
    json: Json = False,
) -> None:
    """Take an item out of a person's history: answers are as if they had never had it."""
    terminal = Terminal(json)
    with opened(shelf, url, terminal) as engine:
        removed = engine.withdraw(user, item)
    said = f"{removed:,} events of {user!r} with {item!r} are undone."
    if not removed:
        said = f"{user!r} has no event with {item!r}."
    terminal.answer({"user_id": user, "item_id": item, "events_removed": removed}, said)


def _show(terminal: Terminal, shelf: Path, url: str | None, user: str, found: Profile) -> None:
    told = captions(shelf, url, [item for one in found for item in one.evidence])
    shown = table("interest", "share", "", "this week", "from")
    strongest = max((one.strength for one in found), default=1.0)
    for one in found:
        bar = "█" * max(1, round(20 * one.strength / strongest))
        arrow = "▲" if one.trend > 0.005 else "▼" if one.trend < -0.005 else "·"
        evidence = ", ".join(dict.fromkeys(told[item].title for item in one.evidence))
        name = f"{one.name} ({one.adjusted}d)" if one.adjusted else one.name
        shown.add_row(
            Text(name, style="dim" if one.adjusted == "mute" else ""),
            f"{one.strength:.0%}",
            bar,
            f"{arrow} {100 * one.trend:+.0f} points",
            evidence,
        )
    nothing = f"Nothing is known of what {user!r} wants: no event of theirs names an item."
    parts: list[RenderableType] = [shown if len(found) else nothing, *_pointed(found)]
    terminal.answer(
        {
            "user_id": user,
            "interests": [asdict(one) for one in found],
            "windows": [asdict(one) for one in found.windows],
            "prospects": [asdict(one) for one in found.prospects],
            "gone": list(found.gone),
        },
        *parts,
    )


def _pointed(found: Profile) -> Iterator[RenderableType]:
    """Yield where the interest points in each window, how sure that is, and how far it turned."""
    for one in found.windows:
        if not one.interests:
            continue
        turned = "" if one.turned is None else f", {one.turned:+.2f} of a day before"
        yield Text(
            f"{WINDOWS[one.name]}: {', '.join(one.interests)} (sure {one.sure:.2f}{turned})",
            style="dim",
        )
    for prospect in found.prospects[:3]:
        why = f" ({prospect.why})" if prospect.why else ""
        yield Text(f"may come to like: {prospect.name}{why}", style="dim")
    if found.gone:
        yield Text(f"no longer in the catalogue: {', '.join(found.gone)}", style="dim")
