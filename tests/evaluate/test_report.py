"""A report survives JSON, reads as text, and is one page that asks nothing of the network."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from penchant.evaluate.report import Curve, Report, ReportUnreadable, Row, Table
from penchant.measure.intervals import Difference, Interval
from penchant.types import Error

NAN = math.nan


def row(name, mean, lead=None, slices=None):
    around = Interval(mean, mean - 0.01, mean + 0.01, 200, 50)
    return Row(
        system=name,
        metrics={"NDCG@10": around, "HR@10": around, "novelty (bits)": Interval(9, 8, 10, 200, 50)},
        slices=slices or {"new user": around, "cold item": Interval(NAN, NAN, NAN, 0, 0)},
        coverage=0.4,
        gini=0.9,
        milliseconds={"answer, median": 1.5},
        lead=lead,
        settings={"penalty": 200.0} if lead else {},
    )


@pytest.fixture
def report():
    curve = Curve("ours", (1e9, 1e9 + 5e5, 1e9 + 1e6), (0.1, NAN, 0.2))
    systems = Table(
        "Next visit",
        "systems",
        "What <happens> next.",
        1234,
        (
            row("ours", 0.108),
            row("EASE & co", 0.083, Difference(0.025, 0.019, 0.031, 1.0)),
            replace(row("text alone", 0.1, Difference(0.008, 0.001, 0.02, 0.98)), part=True),
        ),
        (curve,),
    )
    live = Table(
        "Freshness",
        "freshness",
        "Told when.",
        1234,
        (row("told at once", 0.108), row("frozen", 0.09, Difference(0.018, -0.001, 0.03, 0.97))),
    )
    return Report(
        "A <b>shop</b>", "ours", "global-time", 10, 7, {"users": 4339, "cut": "2011"},
        (systems, live), ("EASE was left out.",),
    )  # fmt: skip


def test_json_and_back(report, tmp_path):
    text = report.to_json(tmp_path / "report.json")
    assert "NaN" not in text
    for again in (
        Report.from_json(text),
        Report.from_json(tmp_path / "report.json"),
        Report.from_json(str(tmp_path / "report.json")),
    ):
        assert again.to_json() == text
        assert math.isnan(again.tables[0].rows[0].slices["cold item"].mean)
        assert again.tables[0].rows[1].lead == report.tables[0].rows[1].lead
        assert math.isnan(again.tables[0].curves[0].values[1])


@pytest.mark.parametrize(
    "text",
    ["{}", "{", "[1]", json.dumps({"format": 99}), json.dumps({"format": 1, "tables": [{"a": 1}]})],
)
def test_what_is_no_report_is_said(text, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ReportUnreadable, match=r"expected (a|the) report"):
        Report.from_json(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ReportUnreadable, match="run the evaluation again"):
        Report.from_json(tmp_path / "none.json")


def test_text_has_every_system_with_its_interval(report):
    said = str(report)
    assert re.search(r"ours +0\.1080 +0\.0980-0\.1180", said)
    assert re.search(r"EASE & co +0\.0830", said)
    assert "users 4,339" in said
    assert "- EASE was left out." in said
    assert said == str(report)


def test_rows_are_found_by_name(report):
    assert report.tables[0].row("ours").coverage == 0.4
    with pytest.raises(Error, match="not 'iALS'"):
        report.tables[0].row("iALS")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "rect", "line", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in ("rect", "line", "path"):
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_well_formed_and_self_contained(report, tmp_path):
    page = report.to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8") == page
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    for tag, attrs in tags.seen:
        assert tag not in ("script", "link", "img", "iframe", "object")
        assert not {"src", "href", "srcset", "onload", "onclick"} & set(attrs), tag
    assert not re.search(r"url\(|@import|https?:", page)


def test_the_page_says_what_the_tables_say_and_escapes_it(report):
    page = report.to_html()
    assert "A &lt;b&gt;shop&lt;/b&gt;" in page
    assert "EASE &amp; co" in page
    assert "0.108" in page
    assert "That is certainly ahead: +0.019 to +0.031." in page
    assert "within chance" in page
    assert "EASE &amp; co, the one baseline, reaches 0.083." in page
    assert "Each source of ours on its own" in page
    assert "penalty 200" in page
    assert "prefers-color-scheme: dark" in page


def test_a_page_of_nothing_is_still_a_page():
    empty = Report("Nothing", "ours", "last", 10, 7, {}, ())
    tags = Tags()
    tags.feed(empty.to_html())
    assert tags.open == []
    alone = Table("Next visit", "systems", "", 0, (row("ours", 0.1),))
    assert "0.100" in Report("One", "ours", "last", 10, 7, {}, (alone,)).to_html()
