"""Commands that put facts in and learn from them: import, train, evaluate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penchant.serve.arguments import Effort, Json, Now, Shelf, Url, moment, opened
from penchant.serve.terminal import Terminal
from penchant.types import InvalidInput

if TYPE_CHECKING:
    import polars as pl

    from penchant.engine import Engine
    from penchant.ingest.intake import Intake

KINDS = ("items", "users", "links", "events")
"""The tables of an import, in the order they are read: items before the events that name them."""


def _files(help: str) -> Any:
    return typer.Option(metavar="FILE", help=help)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("import")(import_)
    app.command()(train)
    app.command()(evaluate)


def import_(
    shelf: Shelf,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Files whose names begin with items, users, links or events.",
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
    """Read items, people, links and events from csv, jsonl, parquet, arrow, .inter or .dat files.

    Prints which column was taken for what, what each rule of cleaning did, and what was kept aside.
    Reading a file again adds nothing that is known.
    """
    given = dict(zip(KINDS, (items, users, links, events), strict=True))
    sources = _sorted_by_kind(files or [], {kind: given[kind] or [] for kind in KINDS})
    terminal = Terminal(json)
    renamed = _columns(column)
    read: list[dict[str, Any]] = []
    with ExitStack() as stack:
        engine = None if dry_run else stack.enter_context(opened(shelf, url, terminal, create=True))
        for kind, path in sources:
            with terminal.busy(f"reading {path.name}"):
                frame = _frame(path, kind, renamed.get(kind, {}))
                intake = _intake(shelf, frame, kind, moment(now))
            if not json:
                terminal.out.print(f"\n{path}", style="bold")
                terminal.out.print(str(intake))
            counts: Mapping[str, int] = intake.counts
            if engine is not None:
                with terminal.busy(f"storing {len(frame):,} {kind}"):
                    counts = {**counts, **_store(engine, frame, kind, moment(now))}
                if not json:
                    said = {n.removeprefix(f"{kind}_"): c for n, c in counts.items()}
                    stored = ("new", "changed", "same", "known")
                    line = ", ".join(f"{said[n]:,} {n}" for n in stored if said.get(n))
                    terminal.out.print(f"  stored: {line or 'nothing'}")
            read.append(
                {
                    "file": str(path),
                    "kind": kind,
                    "columns": dict(intake.columns.source),
                    "extras": list(intake.columns.extras),
                    "notes": [*intake.columns.notes, *intake.notes],
                    "counts": dict(counts),
                }
            )
    terminal.answer({"shelf": str(shelf), "stored": not dry_run, "files": read})


def train(
    shelf: Shelf,
    effort: Effort = "balanced",
    seed: Annotated[int, typer.Option(help="The same seed learns the same.")] = 0,
    url: Url = None,
    json: Json = False,
) -> None:
    """Learn from the log, in a process of its own; serving goes on meanwhile.

    Prints what was learned from, what was kept, and what each part was measured to be worth.
    """
    terminal = Terminal(json)
    with opened(shelf, url, terminal, effort=effort) as engine:
        with terminal.steps("learning") as tell:
            report = engine.train(progress=tell, seed=seed)
        terminal.answer({"snapshot": report.snapshot, **report.data}, str(report))


def evaluate(
    shelf: Shelf,
    protocol: Annotated[
        str, typer.Option(help="global-time (the headline) or leave-one-out (for papers).")
    ] = "global-time",
    effort: Effort = "balanced",
    k: Annotated[int, typer.Option("-k", "--k", help="The length of the lists.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Where the report goes; SHELF/reports/... if absent.")
    ] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Measure how well this recommender would have answered its own log, beside baselines."""
    terminal = Terminal(json)
    folder = out if out is not None else _fresh(shelf / "reports")
    with opened(shelf, url, terminal, effort=effort) as engine:
        with terminal.steps("evaluating") as tell:
            report = engine.evaluate(protocol=protocol, k=k, progress=tell, out=folder)
        terminal.answer(
            {"out": str(folder), **report.data}, str(report), f"\n{folder / 'report.html'}"
        )


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
    """Return for each kind which of its columns is to be called what: column -> canonical name."""
    renamed: dict[str, dict[str, str]] = {}
    for one in given or ():
        place, sign, column = one.partition("=")
        kind, dot, name = place.partition(".")
        if not (sign and dot and name and column) or kind not in KINDS:
            raise InvalidInput(
                "--column takes KIND.NAME=COLUMN with a kind of "
                f"{', '.join(KINDS)}, for example events.user_id=client; got {one!r}"
            )
        renamed.setdefault(kind, {})[column] = name
    return renamed


def _frame(path: Path, kind: str, renamed: Mapping[str, str]) -> pl.DataFrame:
    """Return a file's rows, with the columns that the caller named under their canonical names."""
    from penchant.ingest.columns import ALIASES
    from penchant.ingest.tables import read_table

    frame = read_table(path, kind).frame
    assert frame is not None
    for column, name in renamed.items():
        if name not in ALIASES[kind]:
            raise InvalidInput(
                f"--column names {kind}.{name}, which is no column of {kind}; "
                f"those are {', '.join(ALIASES[kind])}"
            )
        if column not in frame.columns:
            raise InvalidInput(
                f"--column takes {kind}.{name} from {column!r}, which {path} does not have; "
                f"its columns are {', '.join(map(repr, frame.columns))}"
            )
        frame = frame.drop(name, strict=False) if column != name else frame
    return frame.rename(dict(renamed))


def _intake(shelf: Path, frame: pl.DataFrame, kind: str, now: float | None) -> Intake:
    """Return what the engine will make of a table: the mapping, the counts, the assumptions."""
    import time

    from penchant.ingest.cleaning import CleaningConfig
    from penchant.ingest.events import read_events
    from penchant.ingest.items import read_items
    from penchant.ingest.kinds import Kinds
    from penchant.ingest.people import read_links, read_users
    from penchant.store.settings import FILE, Settings

    settings = Settings(shelf / FILE)
    cleaning = settings.section("cleaning", CleaningConfig)
    if kind == "items":
        return read_items(frame, cleaning=cleaning)
    if kind == "users":
        return read_users(frame, cleaning=cleaning)
    if kind == "links":
        return read_links(frame)
    kinds = Kinds.from_settings(settings)
    clock = time.time() if now is None else now
    return read_events(frame, now=clock, kinds=kinds, cleaning=cleaning)


def _store(engine: Engine, frame: pl.DataFrame, kind: str, now: float | None) -> dict[str, int]:
    if kind == "events":
        return engine.record(frame, now=now)
    if kind == "items":
        return engine.add(frame)
    return engine.add(users=frame) if kind == "users" else engine.add(links=frame)


def _fresh(folder: Path) -> Path:
    """Return the path of a report that is not there yet."""
    number = 1
    while (folder / f"{number:03d}").exists():
        number += 1
    return folder / f"{number:03d}"
