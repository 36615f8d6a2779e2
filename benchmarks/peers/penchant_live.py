"""Penchant live: the embedded engine, trained on what lies before the cut, told of each event."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any, Self

import polars as pl

import penchant


class Penchant:
    """`record` and `recommend`, as they are."""

    def __init__(self, engine: penchant.Engine, settings: dict[str, Any]) -> None:
        self._engine = engine
        self.settings = settings

    @classmethod
    def trained(cls, task: Any, options: argparse.Namespace, scratch: Path) -> Self:
        """Return the engine on a shelf of the task's training events, made where none is given."""
        folder, effort = scratch / "shelf", options.effort
        last = float(task.train["timestamp"].max())
        if options.shelf is not None:
            shutil.copytree(options.shelf, folder)
        else:
            with penchant.open(folder, effort=effort) as engine:
                engine.add(task.items)
                engine.record(task.train.with_columns(event=pl.lit("click")), now=last)
                engine.train()
        engine = penchant.open(folder)
        status = engine.status()
        if status.offset != task.train.height:
            sys.exit(f"the shelf holds {status.offset} events, not {task.train.height} as the task")
        engine.recommend(task.train["user_id"][0], 10, now=last, log=False)  # reads what is lazy
        return cls(engine, {"snapshot": status.snapshot})

    def ask(self, user: str, now: float) -> list[str]:
        """Return ten items the person has not had."""
        return [line.item_id for line in self._engine.recommend(user, 10, now=now)]

    def tell(self, user: str, item: str, now: float) -> None:
        """Record a click; it is on disk when this returns."""
        self._engine.record(penchant.Event(user, item, "click", now), now=now)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
