"""The outcome of an evaluation: tables, curves and notes, as data, text, JSON or one page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from penchant.measure.intervals import Difference, Interval
from penchant.types import Error

FORMAT = 1


class ReportUnreadable(Error, ValueError):
    """A file is not a report of this version."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure over time: `times` in seconds UTC, `values` the mean of a sliding window."""

    label: str
    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One system: its figures with intervals, its slices, and how far the subject is ahead of it.

    `lead` is NDCG of the subject less that of this system, paired; None for the subject itself.
    `part` says that it is a piece of the subject on its own, not a rival.
    """

    system: str
    metrics: Mapping[str, Interval]
    slices: Mapping[str, Interval]
    coverage: float
    gini: float
    milliseconds: Mapping[str, float]
    lead: Difference | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    part: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Systems asked the same requests; `kind` says if its rows are rivals or freshness arms.

    The subject is first, then rivals from best to worst, then its parts alike.
    """

    name: str
    kind: Literal["systems", "freshness"]
    explanation: str
    requests: int
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = ()

    @property
    def rivals(self) -> tuple[Row, ...]:
        """The rows of other systems, or the staler freshness arms."""
        return tuple(row for row in self.rows[1:] if not row.part)

    @property
    def parts(self) -> tuple[Row, ...]:
        """The rows of pieces of the subject on their own."""
        return tuple(row for row in self.rows if row.part)

    def row(self, system: str) -> Row:
        """Return the row of a system."""
        for row in self.rows:
            if row.system == system:
                return row
        raise Error(
            f"table {self.name!r} has rows {[row.system for row in self.rows]}, not {system!r}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Everything an evaluation found. `subject` is the system it is about, `facts` the data's size.

    `main` is the metric that tables are led by, NDCG at k.
    """

    title: str
    subject: str
    protocol: str
    k: int
    seed: int
    facts: Mapping[str, Any]
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()

    @property
    def main(self) -> str:
        """The metric that leads every table."""
        return f"NDCG@{self.k}"

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the report as JSON, and write it where `path` says; figures not known are null."""
        text = json.dumps({"format": FORMAT, **_plain(asdict(self))}, indent=1, allow_nan=False)
        return _written(text, path)

    @classmethod
    def from_json(cls, source: str | Path) -> Report:
        """Return the report of a JSON file, or of JSON text. Raises ReportUnreadable."""
        try:
            text = source.read_text("utf-8") if isinstance(source, Path) else source
            if not text.lstrip().startswith("{"):
                text = Path(text).read_text("utf-8")
            data = json.loads(text)
            if data.pop("format") != FORMAT:
                raise ReportUnreadable(f"expected a report of format {FORMAT}; evaluate again")
            tables = tuple(_table(table) for table in data.pop("tables"))
            return cls(**{**data, "tables": tables, "notes": tuple(data["notes"])})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, ReportUnreadable):
                raise
            raise ReportUnreadable(
                f"expected the report.json an evaluation wrote, got something that does not read "
                f"as one ({type(error).__name__}: {error}); run the evaluation again"
            ) from error

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one self-contained page, and write it where `path` says."""
        from penchant.evaluate.page import page

        return _written(page(self), path)

    def __str__(self) -> str:
        """Return every table as plain text, intervals included."""
        facts = ", ".join(f"{name} {_number(value)}" for name, value in self.facts.items())
        parts = [f"{self.title}\n{facts}"]
        for table in self.tables:
            names = list(dict.fromkeys(name for row in table.rows for name in row.metrics))
            head = ["system", self.main, "95%", *(n for n in names if n != self.main), "coverage"]
            rows = [
                [
                    row.system,
                    _figure(row.metrics[self.main].mean),
                    f"{_figure(row.metrics[self.main].low)}-{_figure(row.metrics[self.main].high)}",
                    *(_figure(row.metrics[n].mean, n) for n in names if n != self.main),
                    _figure(row.coverage),
                ]
                for row in table.rows
            ]
            parts.append(f"{table.name} ({table.requests} requests)\n{_aligned([head, *rows])}")
        if self.notes:
            parts.append("\n".join(f"- {note}" for note in self.notes))
        return "\n\n".join(parts)


def _table(data: dict[str, Any]) -> Table:
    def interval(one: dict[str, Any]) -> Interval:
        return Interval(**{name: _nan(value) for name, value in one.items()})

    def row(one: dict[str, Any]) -> Row:
        lead = one["lead"]
        return Row(
            **{
                **one,
                "metrics": {name: interval(value) for name, value in one["metrics"].items()},
                "slices": {name: interval(value) for name, value in one["slices"].items()},
                "coverage": _nan(one["coverage"]),
                "gini": _nan(one["gini"]),
                "lead": Difference(**{n: _nan(v) for n, v in lead.items()}) if lead else None,
            }
        )

    def curve(one: dict[str, Any]) -> Curve:
        values = tuple(_nan(value) for value in one["values"])
        return Curve(one["label"], tuple(one["times"]), values)

    rows, curves = tuple(map(row, data["rows"])), tuple(map(curve, data["curves"]))
    return Table(**{**data, "rows": rows, "curves": curves})


def _nan(value: Any) -> Any:
    return math.nan if value is None else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, "utf-8")
    return text


def _figure(value: float, name: str = "") -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.2f}" if "bits" in name else f"{value:.4f}"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
