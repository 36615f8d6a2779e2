"""`python -m penchant.evaluate DIRECTORY`: one evaluation in a process of its own.

Writes report.json, report.html and report.txt into --out. In a terminal the progress is shown on
standard error and the tables are printed; otherwise both go to standard output as JSON lines, the
last of which is the report. The directory is only read; the work is done in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

from penchant.store.lifeline import end_with_caller
from penchant.types import Error, InvalidInput, Tell


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 evaluated, 3 nothing to evaluate or bad input."""
    from penchant.evaluate.plan import Protocol

    parser = argparse.ArgumentParser(prog="python -m penchant.evaluate")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--protocol", choices=get_args(Protocol), default="global-time")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--most", type=int, default=6000, help="requests of an arm, drawn by seed")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("report"))
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--url", default=None)
    options = parser.parse_args(arguments)
    shown = sys.stdout.isatty()
    try:
        with ExitStack() as stack:
            tell = _bars(stack) if shown else _lines
            report = evaluate(options, tell)
    except Error as error:
        if shown:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        else:
            _say(error=type(error).__name__, message=str(error))
        return 3
    options.out.mkdir(parents=True, exist_ok=True)
    text = report.to_json(options.out / "report.json")
    report.to_html(options.out / "report.html")
    (options.out / "report.txt").write_text(str(report), "utf-8")
    if shown:
        sys.stdout.write(f"{report}\n\n{options.out / 'report.html'}\n")
    else:
        _say(report=json.loads(text))
    return 0


def evaluate(options: argparse.Namespace, tell: Tell) -> Any:
    """Return the report: train on the past, walk what came after, beside the baselines."""
    from penchant.evaluate.running import run

    if options.k < 1 or options.most < 1:
        raise InvalidInput(f"--k and --most are at least 1, got {options.k} and {options.most}")
    # What is read from the log bears its pseudonyms already.
    os.environ["PENCHANT__PRIVACY__PSEUDONYMS"] = "false"
    with tempfile.TemporaryDirectory(prefix="penchant-evaluate-") as workspace:
        return run(
            options.directory,
            Path(workspace),
            url=options.url,
            protocol=options.protocol,
            k=options.k,
            most=options.most,
            seed=options.seed,
            effort=options.effort,
            tell=tell,
        )


def _say(**content: Any) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def _lines(step: str, value: float) -> None:
    _say(step=step, value=value)


def _bars(stack: ExitStack) -> Tell:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bars = stack.enter_context(Progress(*columns, console=Console(stderr=True)))
    known: dict[str, TaskID] = {}

    def tell(step: str, value: float) -> None:
        if step not in known:
            known[step] = bars.add_task(step, total=1.0)
        bars.update(known[step], completed=value)

    return tell


if __name__ == "__main__":
    end_with_caller()
    sys.exit(main())
