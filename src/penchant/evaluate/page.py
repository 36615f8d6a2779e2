"""A report as one page: no request leaves it, it follows the reader's light or dark, any width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

from penchant.evaluate.plots import figure, ladder, lines, signed
from penchant.evaluate.report import Report, Row, Table

Column = tuple[str, Callable[[Row], str]]
RIVALS = ("k1", "k2", "k3", "k4")
ARMS = ("k0", "f1", "f2", "f3")
TERMS = (
    ("NDCG", "Gain of each wanted item in the list, less the lower it stands, as a share of the "
     "best list there could be. 1 is perfect."),
    ("Recall", "The share of what was wanted that is in the list."),
    ("HR", "Hit rate: the share of lists with anything wanted in them."),
    ("MRR", "One over the place of the first wanted item, zero without one."),
    ("Coverage", "The share of the catalogue that is shown to anybody."),
    ("Gini", "How unevenly items are shown: 0 all alike, 1 a single item."),
    ("Tail share", "The share of shown items outside the most popular fifth."),
    ("Novelty", "How surprising shown items are by their popularity, in bits."),
    ("Diversity", "How unlike each other the items of one list are: 1 less the cosine of their "
     "texts."),
    ("Interval", "In 95 of 100 worlds with other users drawn alike, the figure falls within. "
     "A lead is certain where its interval leaves out zero."),
)  # fmt: skip


def page(report: Report) -> str:
    """Return the whole document."""
    css = files("penchant.evaluate").joinpath("page.css").read_text("utf-8")
    facts = {
        **report.facts,
        "protocol": report.protocol,
        "list length": report.k,
        "seed": report.seed,
    }
    strip = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(_said(value))}</dd></div>"
        for name, value in facts.items()
    )
    parts = [_lead_figures(report), *(_section(report, table) for table in report.tables)]
    parts.append(_speed(report) + _method(report))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{css}</style></head>"
        f'<body><main class="sheet"><header><h1>{escape(report.title)}</h1>'
        f'<dl class="facts">{strip}</dl></header>{"".join(parts)}</main></body></html>\n'
    )


def _lead_figures(report: Report) -> str:
    out = []
    for table in report.tables:
        if not table.rows:
            continue
        first, rest = table.rows[0], table.rivals
        mean = first.metrics[report.main].mean
        if table.kind == "freshness":
            stale = rest[-1] if rest else None
            if stale is None or stale.lead is None:
                continue
            out.append(
                f'<div class="figure"><span>Live over frozen, {report.main}</span>'
                f"<b>{signed(stale.lead.mean)}</b><p>{_certainty(stale)} Told after each event, "
                f"the engine reaches {figure(mean)}; with the same weights and everybody frozen "
                f"at the cut, {figure(stale.metrics[report.main].mean)}.</p></div>"
            )
            continue
        best = max(rest, key=lambda row: row.metrics[report.main].mean, default=None)
        said = ""
        if best is not None:
            among = f"the best of {len(rest)} baselines" if len(rest) > 1 else "the one baseline"
            said = (
                f"{escape(best.system)}, {among}, reaches "
                f"{figure(best.metrics[report.main].mean)}. {_certainty(best)}"
            )
        out.append(
            f'<div class="figure"><span>{escape(table.name)}, {report.main}</span>'
            f"<b>{figure(mean)}</b><p>{said}</p></div>"
        )
    return f'<div class="figures">{"".join(out)}</div>' if out else ""


def _certainty(row: Row) -> str:
    if row.lead is None or not math.isfinite(row.lead.mean):
        return ""
    bounds = f"{signed(row.lead.low)} to {signed(row.lead.high)}"
    if row.lead.certain:
        side = "ahead" if row.lead.mean > 0 else "behind"
        return f"That is certainly {side}: {bounds}."
    return f"The difference, {bounds}, is within chance."


def _section(report: Report, table: Table) -> str:
    live = table.kind == "freshness"
    body = [f"<h3>{report.main}, with 95% intervals</h3>"]
    body.append(_ladder(report, (*table.rows[:1], *table.rivals), f"{table.name}, systems"))
    if table.parts:
        said = f"Each source of {escape(report.subject)} on its own"
        body.append(f"<h3>{said}</h3>{_ladder(report, table.parts, said)}")
    body.append(f"<h3>Accuracy</h3>{_accuracy(report, table)}")
    styles = ARMS if live else ("k0", *RIVALS)
    shown = table.curves[: len(styles)]
    plot = lines(shown, styles[: len(shown)], f"{table.name} over time")
    if plot:
        body.append(f"<h3>{report.main} over time, mean of a tenth of the requests</h3>{plot}")
    body.append(f"<h3>Beyond accuracy</h3>{_beyond(table)}")
    if not live:
        body.append(_slices(report, table))
    return (
        f'<section><div class="aside"><h2>{escape(table.name)}</h2>'
        f"<p>{escape(table.explanation)}</p><p>{table.requests:,} requests.</p></div>"
        f'<div class="body">{"".join(body)}</div></section>'
    )


def _ladder(report: Report, rows: Sequence[Row], label: str) -> str:
    return ladder(
        [
            (row.system, "", row.metrics[report.main], (), row.lead is None and not row.part)
            for row in rows
        ],
        label,
    )


def _slices(report: Report, table: Table) -> str:
    first, rest = table.rows[0], table.rivals
    rungs = []
    for name, one in first.slices.items():
        if not one.n:
            continue
        others = [row.slices[name].mean for row in rest if name in row.slices]
        rungs.append((name, f"{one.n:,} requests", one, others, True))
    if not rungs:
        return ""
    return (
        f"<h3>Where it is good: {report.main} of {escape(first.system)} by slice, "
        f"rings are the baselines</h3>{ladder(rungs, f'{table.name}, slices', 'slices')}"
    )


def _accuracy(report: Report, table: Table) -> str:
    columns = [_metric(name) for name in _names(table) if "@" in name]
    if any(row.lead for row in table.rows):
        against = (
            "the first leads by" if table.kind == "freshness" else f"{report.subject} leads by"
        )
        columns.insert(1, (against, _lead))
    return _table(table.rows, columns)


def _beyond(table: Table) -> str:
    columns: list[Column] = [
        ("coverage", lambda row: figure(row.coverage)),
        ("Gini", lambda row: figure(row.gini)),
        *(_metric(name) for name in _names(table) if "@" not in name),
    ]
    return _table(table.rows, columns)


def _names(table: Table) -> list[str]:
    return list(dict.fromkeys(name for row in table.rows for name in row.metrics))


def _metric(name: str) -> Column:
    digits = 2 if "bits" in name else 3

    def show(row: Row) -> str:
        return figure(row.metrics[name].mean, digits) if name in row.metrics else figure(math.nan)

    return name, show


def _lead(row: Row) -> str:
    if row.lead is None or not math.isfinite(row.lead.mean):
        return "–"
    bounds = f"{signed(row.lead.low)} to {signed(row.lead.high)}"
    said = f"{signed(row.lead.mean)} <small>{bounds}</small>"
    return said if row.lead.certain else f'<span class="soft">{said}</span>'


def _table(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name, _ in columns)
    lines_ = "".join(
        f'<tr{" class=ours" if n == 0 else ""}><th scope="row">{escape(row.system)}</th>'
        + "".join(f"<td>{show(row)}</td>" for _, show in columns)
        + "</tr>"
        for n, row in enumerate(rows)
    )
    return (
        f'<div class="scroll"><table><thead><tr><th scope="col">system</th>{head}</tr></thead>'
        f"<tbody>{lines_}</tbody></table></div>"
    )


def _speed(report: Report) -> str:
    rows = next((table.rows for table in report.tables if table.kind == "systems"), ())
    timed = [row for row in rows if row.milliseconds]
    if not timed:
        return ""
    names = list(timed[0].milliseconds)
    columns = [_timing(name) for name in names]
    if any(row.settings for row in timed):
        columns.append(("settings chosen before the cut", _settings))
    return (
        '<section><div class="aside"><h2>Time and settings</h2><p>Milliseconds, as timed in '
        "this run. Baselines keep nothing on disk and explain nothing; the engine does "
        f'both.</p></div><div class="body">{_table(timed, columns)}</div></section>'
    )


def _timing(name: str) -> Column:
    return name, lambda row: figure(row.milliseconds.get(name, math.nan), 2)


def _settings(row: Row) -> str:
    return escape(", ".join(f"{name} {value:g}" for name, value in row.settings.items())) or "–"


def _method(report: Report) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    terms = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in TERMS
    )
    kept = f'<ul class="notes">{notes}</ul>' if notes else ""
    return (
        '<section><div class="aside"><h2>How it was measured</h2></div><div class="body">'
        f'{kept}<dl class="terms">{terms}</dl></div></section>'
    )


def _said(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
