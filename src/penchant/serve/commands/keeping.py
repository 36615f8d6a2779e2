"""Commands about what is kept: export, forget, backup, restore."""

from __future__ import annotations

import json as javascript
import sys
from pathlib import Path
from typing import Annotated

import typer

from penchant.serve.commands.answering import User
from penchant.serve.commands.arguments import Json, Shelf, Url, opened
from penchant.serve.commands.terminal import Terminal, plain
from penchant.store.place import KEY_FILE
from penchant.types import InvalidInput


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (export, forget, backup, restore):
        app.command()(command)


def export(
    shelf: Shelf,
    user: User,
    out: Annotated[Path | None, typer.Option(help="A file to write instead.")] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Write everything held about a person as JSON: attributes, events, links, what was shown."""
    terminal = Terminal(json)
    with opened(shelf, url, terminal) as engine:
        data = plain(engine.export(user))
    if out is None:
        terminal.machine = True
        terminal.answer(data)
        return
    out.write_text(javascript.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
    counts = {name: len(data.get(name, ())) for name in ("events", "links")}
    terminal.answer(
        {"user_id": user, "out": str(out), **counts},
        f"{counts['events']:,} events and {counts['links']:,} links of {user!r} are in {out}",
    )


def forget(
    shelf: Shelf,
    user: User,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Remove a person: their events, attributes, links, impressions and quarantined rows."""
    terminal = Terminal(json)
    if not yes:
        if json or not sys.stdin.isatty():
            raise InvalidInput(f"forgetting {user!r} cannot be undone; say --yes to do it")
        typer.confirm(f"Forget {user!r} for good?", abort=True, err=True)
    with opened(shelf, url, terminal) as engine:
        removed = engine.forget(user)
    said = f"{removed:,} events of {user!r} are gone, with all else that was theirs."
    if not removed:
        said = f"No event of {user!r} was there."
    terminal.answer(
        {"user_id": user, "events_removed": removed},
        said,
        "What models learned from many people stays until the next `penchant train`.",
    )


def backup(
    shelf: Shelf,
    target: Annotated[Path, typer.Argument(help="A directory that is not there yet, or empty.")],
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Leave the key of the pseudonyms out; keep it apart.")
    ] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Copy a whole shelf while it is in use; the copy can be opened as it is."""
    terminal = Terminal(json)
    with opened(shelf, url, terminal) as engine, terminal.busy("copying"):
        made = engine.backup(target, key=not no_key)
    said = [f"{shelf} is copied to {made}"]
    held = (made / KEY_FILE).exists()
    if held:
        said.append(
            f"The key of the pseudonyms is in it ({KEY_FILE}): with the copy anybody can try out "
            "who is who. Guard it like the shelf, or leave the key out with --no-key."
        )
    elif (shelf / KEY_FILE).exists():
        said.append(
            f"The key of the pseudonyms is not in it: keep {shelf / KEY_FILE} apart. Without it "
            "the copy knows nobody again, and a shelf made from it does not open."
        )
    terminal.answer({"shelf": str(shelf), "backup": str(made), "key": held}, *said)


def restore(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `backup` made.")],
    shelf: Shelf,
    url: Url = None,
    json: Json = False,
) -> None:
    """Make a shelf from a backup; the directory must not be there yet, or be empty."""
    from penchant.ingest.privacy import key_missing
    from penchant.store.backup import restore as restored
    from penchant.store.open import open_store

    terminal = Terminal(json)
    with terminal.busy("restoring"):
        made = restored(backup, shelf, url)
        with open_store(made, url, read_only=True) as store:
            missing = key_missing(made, store.people)
    said = [f"{made} holds what {backup} did"]
    if missing:
        said.append(
            "People are stored in it under pseudonyms, and the backup was made without their key: "
            f"copy the {KEY_FILE} of the original shelf to {made / KEY_FILE} before you open it."
        )
    terminal.answer({"backup": str(backup), "shelf": str(made), "key_missing": missing}, *said)
