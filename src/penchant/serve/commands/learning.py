"""Commands that learn from the log and measure what was learned: train, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penchant.serve.commands.arguments import Effort, Json, Shelf, Url, need_learning, opened
from penchant.serve.commands.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(train)
    app.command()(evaluate)


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
    need_learning(effort)
    terminal = Terminal(json)
    with opened(shelf, url, terminal, effort=effort) as engine:
        with terminal.steps("learning") as tell:
            report = engine.train(progress=tell, seed=seed)
        terminal.answer({**report.data, "snapshot": report.snapshot}, str(report))


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
    need_learning(effort, "implicit")  # a baseline
    terminal = Terminal(json)
    folder = out if out is not None else _fresh(shelf / "reports")
    with opened(shelf, url, terminal, effort=effort) as engine:
        with terminal.steps("evaluating") as tell:
            report = engine.evaluate(protocol=protocol, k=k, progress=tell, out=folder)
        page = folder / "report.html"
        terminal.answer({**report.data, "page": str(page)}, str(report), f"\n{page}")


def _fresh(folder: Path) -> Path:
    """Return the path of a report that is not there yet."""
    number = 1
    while (folder / f"{number:03d}").exists():
        number += 1
    return folder / f"{number:03d}"
