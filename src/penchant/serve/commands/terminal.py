"""Where a command speaks: its answer on standard output, everything else on standard error."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from penchant.types import Tell

MACHINE_WIDTH = 120  # columns of a table that is written into a file or a pipe
DEBUG = "PENCHANT_DEBUG"


class Terminal:
    """The two streams of one command. With `machine` the answer is one JSON document, no more."""

    def __init__(self, machine: bool = False) -> None:
        self.machine = machine
        # A title may hold brackets and colons that are no markup and no emoji.
        self.out = Console(highlight=False, markup=False, emoji=False)
        self.err = Console(highlight=False, markup=False, emoji=False, stderr=True)
        if not self.out.is_terminal and "COLUMNS" not in os.environ:
            self.out.width = MACHINE_WIDTH

    def answer(self, data: Any, *shown: RenderableType) -> None:
        """Print the answer: `data` as JSON for a machine, `shown` for a person."""
        if self.machine:
            text = json.dumps(plain(data), ensure_ascii=False, indent=1, allow_nan=False)
            self.out.file.write(text + "\n")
            return
        self.show(*shown)

    def show(self, *parts: RenderableType) -> None:
        """Print parts of an answer that a person sees grow; a machine gets it whole, at the end."""
        if not self.machine:
            for part in parts:
                # Lines of text are for the terminal to break, not for us: tables stay tables.
                self.out.print(part, soft_wrap=isinstance(part, str))

    def note(self, text: str) -> None:
        """Print a remark on standard error, for a person or a machine's log."""
        self.err.print(text, soft_wrap=True)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show that something goes on whose end is not known, with the time it has taken."""
        with self._bars() as bars:
            bars.add_task(what, total=None)
            yield

    @contextmanager
    def steps(self, about: str) -> Iterator[Tell]:
        """Give a function that shows steps by name and their share done, one bar each."""
        with self._bars() as bars:
            waiting: TaskID | None = bars.add_task(about, total=None)
            known: dict[str, TaskID] = {}

            def tell(step: str, value: float) -> None:
                nonlocal waiting
                if waiting is not None:
                    bars.remove_task(waiting)
                    waiting = None
                if step not in known:
                    known[step] = bars.add_task(step.replace("_", " "), total=1.0)
                bars.update(known[step], completed=value)

            yield tell

    @contextmanager
    def _bars(self) -> Iterator[Progress]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
        )
        # Nothing is drawn into a file: whoever reads it wants the answer.
        shown = self.err.is_terminal
        with Progress(*columns, console=self.err, transient=True, disable=not shown) as bars:
            yield bars


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table in the one style that all commands have."""
    made = Table(box=None, title=title, title_justify="left", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, header_style="dim")
    return made


def facts(rows: Mapping[str, object]) -> Table:
    """Return names and values below each other."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows.items():
        made.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    return made


def day(seconds: float) -> str:
    """Return a moment as date and time of day in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def amount(size: float) -> str:
    """Return a number of bytes as people write it."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def plain(value: Any) -> Any:
    """Return data as JSON can hold it: NaN becomes null, numpy's numbers become Python's."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
