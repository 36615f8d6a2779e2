"""The README's code and commands do what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import penchant
from penchant.serve.cli import app

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def own_tables(folder: Path) -> None:
    """Write a small shop: forty customers, each with a liking for one of four categories."""
    categories = ("tools", "garden", "kitchen", "toys")
    items = [
        {
            "item_id": f"sku-{n}",
            "title": f"{categories[n % 4]} number {n}",
            "category": categories[n % 4],
            "price": 5 + n % 30,
        }
        for n in range(40)
    ]
    events = [
        {
            "customer_id": f"c{c}",
            "sku": f"sku-{4 * ((3 * c + step) % 10) + c % 4}",
            "event_type": "purchase" if step % 3 == 0 else "click",
            "timestamp": 1_700_000_000 + 86_400 * step + 60 * c,
        }
        for c in range(40)
        for step in range(8)
    ]
    pl.DataFrame(items).write_csv(folder / "items.csv")
    pl.DataFrame(events).write_csv(folder / "events.csv")


def test_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_tables(tmp_path)
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    first, *others = blocks("python")
    assert len([line for line in first.splitlines() if line.strip()]) == 10
    exec(compile(first, "README.md", "exec"), space)
    assert "is here" in capsys.readouterr().out
    for line in "\n".join(blocks("console")).splitlines():
        command = re.fullmatch(r"\$ penchant (.*)", line)
        if command is not None:
            done = CliRunner().invoke(app, shlex.split(command[1]), catch_exceptions=False)
            assert done.exit_code == 0, f"{line}\n{done.stderr}"
    for code in others:
        exec(compile(code, "README.md", "exec"), space)
    assert "user_id      <- customer_id" in capsys.readouterr().out


@pytest.mark.service
def test_what_it_says_of_serving_runs(tmp_path: Path) -> None:
    from serve.service.running import Service

    own_tables(tmp_path)
    shelf = tmp_path / "shop"
    with penchant.open(shelf) as engine:
        engine.add(tmp_path / "items.csv")
        engine.record(tmp_path / "events.csv")
    (lines,), (code,) = blocks("sh"), blocks("py")
    serve, *curls = [line.removeprefix("$ ") for line in lines.splitlines()]
    options = shlex.split(serve.partition("--workers")[2])[1:]
    assert re.match(r"penchant serve shop --port 8080 --workers \d+ ", serve)
    service = Service(shelf, *options, workers=2)
    try:
        port = str(service.address[1])
        answers = []
        for curl in curls:
            words = shlex.split(curl.replace("8080", port))
            url = next(word for word in words if word.startswith("localhost"))
            data = words[words.index("-d") + 1] if "-d" in words else None
            path = url.partition(port)[2]
            status, answer = service.ask(path, None if data is None else json.loads(data))
            assert status == 200, answer
            answers.append(answer)
        assert answers[0]["new"] == 1
        assert len(answers[1]["recommendations"]) == 5
        assert "sku-3" not in [line["item_id"] for line in answers[1]["recommendations"]]
        space: dict[str, object] = {"penchant": penchant}
        exec(compile(code.replace("8080", port), "README.md", "exec"), space)
        assert service.ask("/v1/users/c17")[1]["events"][-1]["item_id"] == "sku-3"
    finally:
        service.stop()


def test_the_first_screen() -> None:
    screen = re.match(
        r"# Penchant\n\n([^\n]+)\n\n```python\n.*?^```\n\n!\[[^\n]+\]\(([^\n]+)\)\n",
        README,
        re.M | re.S,
    )
    assert screen is not None
    sentence, picture = screen.groups()
    assert sentence.count(".") == 1
    svg = (Path(__file__).resolve().parents[1] / picture).read_text(encoding="utf-8")
    assert "simulated" in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_the_table_names_what_prints_it() -> None:
    for script in re.findall(r"\(benchmarks/(\w+\.py)\)", README):
        assert (Path(__file__).resolve().parents[1] / "benchmarks" / script).exists()
    assert "benchmarks/accuracy.py" in README
    assert os.sep + "work" + os.sep not in README
