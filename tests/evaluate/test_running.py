"""The whole evaluation as a process: it trains on the past, reports, and touches nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from penchant.evaluate.__main__ import main
from penchant.evaluate.report import Report

from . import shop


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "penchant.evaluate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["global-time", "last", "leave-one-out"])
def test_an_evaluation_writes_its_report_and_says_it(tmp_path, protocol):
    directory = shop.make(tmp_path / "shop")
    files = sorted(directory.rglob("*"))
    out = tmp_path / "out"
    done = run(directory, "--protocol", protocol, "--k", 5, "--effort", "fast", "--out", out)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert {line["step"] for line in lines if "step" in line} >= {
        "next: penchant",
        "next: ItemKNN",
        "next: EASE",
    }
    report = Report.from_json(out / "report.json")
    assert lines[-1]["report"] == json.loads(report.to_json())
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    assert (out / "report.txt").read_text() == str(report)
    first = report.tables[0]
    assert first.rows[0].system == "penchant"
    assert first.rows[0].metrics["NDCG@5"].mean > first.row("popular").metrics["NDCG@5"].mean
    assert "linear_taste alone" in {row.system for row in first.rows}
    assert (report.tables[-1].kind == "freshness") == (protocol != "leave-one-out")
    left = [
        file for file in sorted(directory.rglob("*")) if not file.name.endswith(("-shm", "-wal"))
    ]
    assert left == [file for file in files if not file.name.endswith(("-shm", "-wal"))]


def test_bad_input_is_said_on_one_line(tmp_path, capsys, monkeypatch):
    # An evaluation sets it for its own process, which is this one here.
    monkeypatch.setenv("PENCHANT__PRIVACY__PSEUDONYMS", "false")
    assert main([str(tmp_path / "nowhere")]) == 3
    said = json.loads(capsys.readouterr().out)
    assert "does not exist" in said["message"]
    assert main([str(tmp_path), "--k", "0"]) == 3
    assert "at least 1" in json.loads(capsys.readouterr().out)["message"]
