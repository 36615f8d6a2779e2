"""The command that looks for what is wrong: doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from penchant.serve.commands.arguments import Json, NoShelf, Url, is_shelf
from penchant.serve.commands.terminal import Terminal, amount, day, facts, table

UNSOUND = 1


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(doctor)


def doctor(
    shelf: Annotated[
        Path | None, typer.Argument(metavar="[SHELF]", help="The directory; none: this machine.")
    ] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Look over an installation and a shelf; ends with 1 where something is wrong.

    Versions, sizes, rows kept aside and why, whether snapshots are whole, the encoder, and every
    address that data can reach.
    """
    from dataclasses import asdict

    from penchant.serve.doctor.diagnosis import diagnose

    terminal = Terminal(json)
    if shelf is not None and url is None and not is_shelf(shelf):
        raise NoShelf(f"{shelf} is no recommender; name its directory, or leave it out")
    with terminal.busy("looking"):
        found = diagnose(shelf, url)
    parts: list[RenderableType] = [_head("versions"), facts(found.versions)]
    if found.store:
        parts += [_head("store"), facts(_told(found.store))]
        kinds = table("kind of event", "events", "weight")
        for kind, row in found.store["kinds"].items():
            kinds.add_row(kind, f"{row['events']:,}", f"{row['weight']:+g}")
        parts += [_head("what people did"), kinds if found.store["kinds"] else "nothing yet"]
        if found.store["unknown_kinds"]:
            names = ", ".join(found.store["unknown_kinds"])
            parts.append(f"no weight is known for {names}; give one in [events] weights")
        parts += [_head("kept aside"), _quarantine(found.quarantine)]
        parts += [_head("snapshots"), _snapshots(found.snapshots)]
    parts += [_head("encoder"), facts(found.encoder), _head("addresses that data can reach")]
    parts += [f"{row['address']}: {row['what']}" for row in found.addresses] or ["none"]
    parts += [_head("disk"), facts(_sizes(found.disk))]
    parts.append(_head("verdict"))
    parts += [Text(f"✗ {one}", style="red") for one in found.wrong]
    if not found.wrong:
        parts.append(Text("✓ nothing is wrong", style="green"))
    terminal.answer(asdict(found), *parts)
    if found.wrong:
        raise typer.Exit(UNSOUND)


def _head(name: str) -> Text:
    return Text(f"\n{name}", style="bold")


def _told(store: dict[str, object]) -> dict[str, object]:
    rows = {
        name.replace("_", " "): value
        for name, value in store.items()
        if name not in ("kinds", "unknown_kinds", "first_event", "last_event")
    }
    first, last = store["first_event"], store["last_event"]
    if isinstance(first, float) and isinstance(last, float):
        rows["period"] = f"{day(first)} to {day(last)} UTC"
    return rows


def _quarantine(rows: list[dict[str, object]]) -> RenderableType:
    if not rows:
        return "no row: everything that came was believed"
    shown = table("rows", "reason", "meaning")
    for row in rows:
        shown.add_row(f"{row['rows']:,}", str(row["reason"]), str(row["meaning"]))
    return shown


def _snapshots(rows: list[dict[str, object]]) -> RenderableType:
    if not rows:
        return "none: popularity, co-visitation and text answer until `penchant train`"
    shown = table("", "id", "made", "size", "state")
    for row in rows:
        made, size = row["created"], row["size"]
        shown.add_row(
            "→" if row["current"] else "",
            str(row["id"]),
            day(made) if isinstance(made, float) else "",
            amount(size) if isinstance(size, int) else "",
            "sound" if row["sound"] else "damaged",
        )
    return shown


def _sizes(disk: dict[str, object]) -> dict[str, object]:
    free, total, files = disk["free"], disk["total"], disk.get("files")
    assert isinstance(free, int)
    assert isinstance(total, int)
    rows: dict[str, object] = {"free": f"{amount(free)} of {amount(total)}"}
    if isinstance(files, dict):
        rows |= {name: amount(size) for name, size in files.items()}
    return rows
