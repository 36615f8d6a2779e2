"""The command about headlines: what is written for items, and what a person decides of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from penchant.serve.commands.arguments import Json, NoShelf, Shelf, Url, is_shelf
from penchant.serve.commands.terminal import Terminal, table
from penchant.types import Error, InvalidInput

if TYPE_CHECKING:
    from penchant.store.headlines import Headlines
    from penchant.store.open import Store

_STYLES = {"approved": "green", "refused": "dim", "draft": ""}


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(headlines)


def headlines(
    shelf: Shelf,
    items: Annotated[list[str] | None, typer.Argument(help="Item ids.")] = None,
    interest: Annotated[str, typer.Option(help="The interest it is for; for all if absent.")] = "",
    draft: Annotated[bool, typer.Option("--draft", help="Have them written anew.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Let them be shown.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="Keep them from being shown.")] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Write lines for items with a language model, look at them, and approve them or not.

    Nothing is shown before it is approved here, and only where [headlines] says so.
    """
    from penchant.store.headlines import Headlines
    from penchant.store.open import open_store

    terminal = Terminal(json)
    if url is None and not is_shelf(shelf):
        raise NoShelf(f"{shelf} is no recommender yet; name its directory")
    if draft + approve + refuse > 1 or ((draft or approve or refuse) and not items):
        raise InvalidInput("name items, and one of --draft, --approve and --refuse")
    with open_store(shelf, url) as store:
        kept = Headlines(store.directory)
        wrong: list[str] = []
        if draft:
            wrong = _drafted(store, kept, items or [], interest, terminal)
        for item in items or () if approve or refuse else ():
            kept.decide(item, interest, "approved" if approve else "refused")
        found = [one for one in kept.all() if not items or one.item_id in items]
    shown = table("item", "for", "headline", "state")
    for one in found:
        state = Text(one.state, style=_STYLES[one.state])
        shown.add_row(one.item_id, one.interest or "everybody", one.text, state)
    nothing = "No headline was written yet: name items and --draft."
    terminal.answer(
        {"headlines": [asdict(one) for one in found], "refused": wrong},
        shown if found else nothing,
        *(Text(f"✗ {one}", style="red") for one in wrong),
    )


def _drafted(
    store: Store, kept: Headlines, items: list[str], interest: str, terminal: Terminal
) -> list[str]:
    """Write a draft for each item; return what was wrong, in words."""
    from penchant.language.encoder.open import EncoderConfig, open_encoder
    from penchant.language.generator.headline import NEAR, SHARE, write_headline
    from penchant.language.generator.open import GeneratorConfig, open_generator
    from penchant.language.grounded import Grounded
    from penchant.rank.answer.catalogued import catalogued
    from penchant.store.headlines import Headline, digest

    generator = open_generator(store.settings.section("generator", GeneratorConfig))
    if generator is None:
        raise InvalidInput("no generator is named: give url and model in [generator]")
    config = store.settings.section("encoder", EncoderConfig)
    grounded = Grounded(open_encoder(config), near=NEAR, share=SHARE)
    found = {item.item_id: item for item in catalogued(store, items)}
    wrong = [f"{one!r} is not in the catalogue" for one in items if one not in found]
    with terminal.busy("writing"):
        for item in found.values():
            try:
                made = write_headline(generator, grounded, item, interest or "everybody")
            except Error as error:
                wrong.append(str(error))
                continue
            facts = digest(item.title, item.category, item.tags)
            kept.put(Headline(item.item_id, interest, made.value.headline, facts, by=generator.id))
    return wrong
