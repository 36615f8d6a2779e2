"""The command that puts facts in: import."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penchant.serve.commands.arguments import Json, Now, Shelf, Url, moment, opened
from penchant.serve.commands.terminal import Terminal
from penchant.types import InvalidInput, Tell

if TYPE_CHECKING:
    from penchant.engine import Engine
    from penchant.ingest.intake import Counts

KINDS = ("items", "users", "links", "events")
"""The tables of an import, in the order they are read: items before the events that name them."""

_TOTALS = ("rows", "accepted", "quarantined", "duplicates")
_STORED = ("new", "changed", "same", "known")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("import")(import_)


def _files(help: str) -> Any:
    return typer.Option(metavar="FILE", help=help)


def import_(
    shelf: Shelf,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Files whose names begin with item, user, link or event.",
        ),
    ] = None,
    items: Annotated[list[Path] | None, _files("Items: id, title, category, ...")] = None,
    users: Annotated[list[Path] | None, _files("People and their attributes.")] = None,
    links: Annotated[list[Path] | None, _files("head, relation, tail, weight.")] = None,
    events: Annotated[list[Path] | None, _files("Who did what with which item, when.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND.NAME=COLUMN",
            help="Which column is meant where names do not tell: events.user_id=client.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be believed; store nothing.")
    ] = False,
    now: Now = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Read items, people, links and events from csv, jsonl, parquet, arrow, .inter, .dat or .rss.

    Prints which column was taken for what, what each rule of cleaning did, and what was kept aside.
    Reading a file again adds nothing that is known.
    """
    given = dict(zip(KINDS, (items, users, links, events), strict=True))
    sources = _sorted_by_kind(files or [], {kind: given[kind] or [] for kind in KINDS})
    columns = _columns(column)
    clock = moment(now)
    terminal = Terminal(json)
    read: list[dict[str, Any]] = []
    with ExitStack() as stack:
        engine = None if dry_run else stack.enter_context(opened(shelf, url, terminal, create=True))
        for kind, path in sources:
            with terminal.steps(f"reading {path.name}") as tell:
                named = columns.get(kind)
                counts = (
                    _read(shelf, kind, path, clock, named)
                    if engine is None
                    else _stored(engine, kind, path, clock, named, tell)
                )
            said = {name.removeprefix(f"{kind}_"): count for name, count in counts.items()}
            if not json:
                terminal.show(*_told(path, counts.mapping, said, stored=engine is not None))
            mapping = [line.strip() for line in counts.mapping.splitlines()]
            read.append({"file": str(path), "kind": kind, "mapping": mapping, "counts": said})
    terminal.answer({"shelf": str(shelf), "stored": not dry_run, "files": read})


def _stored(
    engine: Engine,
    kind: str,
    path: Path,
    now: float | None,
    columns: Mapping[str, str] | None,
    tell: Tell,
) -> Counts:
    """Return what became of a file that is now stored."""
    if kind == "items":
        return engine.add(path, columns=columns, progress=tell)
    if kind == "users":
        return engine.add(users=path, columns=columns)
    if kind == "links":
        return engine.add(links=path, columns=columns)
    return engine.record(path, now=now, columns=columns)


def _read(
    shelf: Path, kind: str, path: Path, now: float | None, columns: Mapping[str, str] | None
) -> Counts:
    """Return what would become of a file, by the settings of the shelf."""
    from penchant.ingest.cleaning import CleaningConfig
    from penchant.ingest.events import read_events
    from penchant.ingest.intake import Counts
    from penchant.ingest.items import read_items
    from penchant.ingest.kinds import Kinds
    from penchant.ingest.people import read_links, read_users
    from penchant.store.settings import FILE, Settings

    settings = Settings(shelf / FILE)
    cleaning = settings.section("cleaning", CleaningConfig)
    if kind == "items":
        intake = read_items(path, cleaning=cleaning, columns=columns)
    elif kind == "users":
        intake = read_users(path, cleaning=cleaning, columns=columns)
    elif kind == "links":
        intake = read_links(path, columns=columns)
    else:
        intake = read_events(
            path,
            now=time.time() if now is None else now,
            kinds=Kinds.from_settings(settings),
            cleaning=cleaning,
            columns=columns,
        )
    return Counts.of(intake, {})


def _told(path: Path, mapping: str, counts: Mapping[str, int], *, stored: bool) -> Iterable[str]:
    """Yield what a person reads of one file: the mapping, the totals, each rule that applied."""
    yield f"\n{path}"
    yield mapping
    yield "  " + ", ".join(f"{counts.get(name, 0):,} {name}" for name in _TOTALS)
    for name, count in counts.items():
        if name not in (*_TOTALS, *_STORED) and count:
            yield f"  {count:>10,} {name.replace('_', ' ')}"
    if stored:
        kept = ", ".join(f"{counts[n]:,} {n}" for n in _STORED if counts.get(n))
        yield f"  stored: {kept or 'nothing'}"


def _sorted_by_kind(
    files: Iterable[Path], given: Mapping[str, list[Path]]
) -> list[tuple[str, Path]]:
    """Return (kind, path) in the order of KINDS; a bare file's kind is how its name begins."""
    by_kind = {kind: list(given[kind]) for kind in KINDS}
    for path in files:
        kind = next((k for k in KINDS if path.name.lower().startswith(k[:-1])), None)
        if kind is None:
            raise InvalidInput(
                f"cannot tell what {path.name!r} holds: its name begins with none of "
                f"{', '.join(KINDS)}; say it with --items, --users, --links or --events"
            )
        by_kind[kind].append(path)
    sources = [(kind, path) for kind in KINDS for path in by_kind[kind]]
    if not sources:
        raise InvalidInput(
            "nothing to import: name files, for example `--items items.csv --events events.parquet`"
        )
    return sources


def _columns(given: list[str] | None) -> dict[str, dict[str, str]]:
    """Return for each kind what the caller settled: canonical name -> column of the file."""
    columns: dict[str, dict[str, str]] = {}
    for one in given or ():
        place, sign, column = one.partition("=")
        kind, dot, name = place.partition(".")
        if not (sign and dot and name and column) or kind not in KINDS:
            raise InvalidInput(
                "--column takes KIND.NAME=COLUMN with a kind of "
                f"{', '.join(KINDS)}, for example events.user_id=client; got {one!r}"
            )
        columns.setdefault(kind, {})[name] = column
    return columns
