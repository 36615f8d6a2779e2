"""Commands that ask: recommend, rank, similar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import RenderableType
from rich.text import Text

from penchant.serve.commands.arguments import (
    Context,
    Json,
    Many,
    Now,
    Shelf,
    Url,
    Words,
    moment,
    opened,
    pairs,
)
from penchant.serve.commands.captions import because, captions
from penchant.serve.commands.terminal import Terminal, day, table
from penchant.types import Explanation, InvalidInput, Seen, Slate

if TYPE_CHECKING:
    from penchant.engine import Engine

User = Annotated[str, typer.Argument(metavar="USER", help="The person's id.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (recommend, rank, similar):
        app.command()(command)


def recommend(
    shelf: Shelf,
    user: Annotated[
        str | None, typer.Argument(metavar="[USER]", help="The person's id; or give --history.")
    ] = None,
    k: Many = 10,
    context: Context = None,
    text: Words = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="ITEM", help="An item to leave out; repeatable.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="A condition: \"price < 20 and category != 'toys'\".")
    ] = None,
    seen: Annotated[str | None, typer.Option(help="hide or keep what they know.")] = None,
    history: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ITEM", help="A visitor nobody stored: an item they chose; oldest first."
        ),
    ] = None,
    explain: Annotated[
        int | None, typer.Option(metavar="RANK", help="Tell everything about one line.")
    ] = None,
    now: Now = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Print what a person most likely wants now: title, category, score, and why."""
    terminal = Terminal(json)
    with opened(shelf, url, terminal) as engine:
        slate = engine.recommend(
            user,
            k,
            context=pairs(context, "--context"),
            text=text,
            exclude=exclude or (),
            where=where,
            seen=cast("Seen | None", seen),  # the engine says what it expects
            history=history or None,
            now=moment(now),
        )
        _show(terminal, engine, shelf, url, slate, user or "a visitor", explain)


def rank(
    shelf: Shelf,
    user: User,
    items: Annotated[list[str], typer.Argument(metavar="ITEM...", help="The list to re-rank.")],
    context: Context = None,
    text: Words = None,
    now: Now = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Print a list somebody else made in the order this person wants it."""
    terminal = Terminal(json)
    with opened(shelf, url, terminal) as engine:
        slate = engine.rank(
            user, items, context=pairs(context, "--context"), text=text, now=moment(now)
        )
        _show(terminal, engine, shelf, url, slate, user)


def similar(
    shelf: Shelf,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="The item's id.")],
    k: Many = 10,
    now: Now = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Print the items most like one item, by behaviour and by text."""
    terminal = Terminal(json)
    with opened(shelf, url, terminal) as engine:
        slate = engine.similar(item, k, now=moment(now))
    told = captions(shelf, url, [item, *(r.item_id for r in slate)])
    shown = table("", "like " + str(told[item]), "category", "score", "id")
    for line in slate:
        caption = told[line.item_id]
        shown.add_row(
            str(line.rank), str(caption), caption.category, f"{line.score:.3f}", line.item_id
        )
    data = [
        {
            "rank": r.rank,
            "item_id": r.item_id,
            "title": told[r.item_id].title,
            "category": told[r.item_id].category,
            "score": r.score,
        }
        for r in slate
    ]
    terminal.answer({"item_id": item, "items": data}, shown)


def reasons(
    engine: Engine, slate: Slate, categories: Mapping[str, str], most: int = 2
) -> dict[str, str]:
    """Return for each item of a slate the `most` strongest causes of its place, in words."""
    return {
        line.item_id: because(
            engine.explain(slate, line.item_id), categories.get(line.item_id, ""), most
        )
        if line.reasons
        else "no source proposed it"
        for line in slate
    }


def _show(
    terminal: Terminal,
    engine: Engine,
    shelf: Path,
    url: str | None,
    slate: Slate,
    whose: str,
    explain: int | None = None,
) -> None:
    """Print a slate, one line an item with what weighed most, and all about line `explain`."""
    if explain is not None and not 1 <= explain <= len(slate):
        raise InvalidInput(f"--explain takes a rank from 1 to {len(slate)}, got {explain}")
    told = captions(shelf, url, [line.item_id for line in slate])
    why = reasons(engine, slate, {item: told[item].category for item in told})
    shown = table("", f"for {whose}", "category", "score", "why", "id")
    shown.columns[4].overflow = "fold"
    shown.columns[5].style = "dim"
    rows: list[dict[str, Any]] = []
    for line in slate:
        item, caption = line.item_id, told[line.item_id]
        score = f"{line.score:.3f}"
        shown.add_row(str(line.rank), str(caption), caption.category, score, why[item], item)
        row = {"rank": line.rank, "item_id": item, "title": caption.title}
        rows.append({**row, "category": caption.category, "score": line.score, "why": why[item]})
    data: dict[str, Any] = {
        "slate_id": slate.id,
        "snapshot": slate.snapshot,
        "user_id": slate.user_id,
        "now": slate.now,
        "items": rows,
    }
    models = "untrained: popularity, co-visitation and text answer"
    if slate.snapshot != "untrained":
        models = f"snapshot {slate.snapshot}"
    nothing = "Nothing may be shown: the catalogue is empty, or all of it was seen or left out."
    footer = f"slate {slate.id} · {models} · as of {day(slate.now)} UTC"
    parts: list[RenderableType] = [shown if len(slate) else nothing, footer]
    if explain is not None:
        found = engine.explain(slate, slate[explain - 1].item_id)
        data["explanation"] = asdict(found)
        parts += ["", *_all_about(found)]
    terminal.answer(data, *parts)


def _all_about(found: Explanation) -> Iterator[RenderableType]:
    """Yield everything that is known about why one line stands where it does."""
    yield Text(found.sentence, style="bold")
    causes = table("what raised or lowered it", "by")
    for cause in found.contributions:
        causes.add_row(cause.name, f"{cause.weight:+.3f}")
    yield causes
    if found.events:
        behind = table("their own items behind it", "share")
        for event in found.events:
            behind.add_row(event.name, f"{event.weight:.0%}")
        yield behind
    yield Text("\n".join(found.trace), style="dim")
