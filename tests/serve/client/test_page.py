"""What docs/clients.md says runs as it stands, against a real service."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import penchant
from penchant.serve.mcp.tools import Tools
from serve.client.conftest import serving
from shelves import filled

pytestmark = pytest.mark.service

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "clients.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with penchant.open(filled(tmp_path / "shelf")) as engine, serving(engine) as url:
        (code,) = blocks("python")
        space: dict[str, object] = {}
        exec(compile(code.replace(ADDRESS, url), "clients.md", "exec"), space)
        client = space["client"]
        assert isinstance(client, penchant.serve.client.Client)
        client.close()
        assert "is here because" in capsys.readouterr().out
        lines = [
            line.removeprefix("$ ").replace(ADDRESS, url)
            for line in "\n".join(blocks("console")).splitlines()
            if "curl" in line
        ]
        assert len(lines) == 9
        for line in lines:
            done = subprocess.run(
                ["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True
            )
            answer = json.loads(done.stdout)
            assert "detail" not in answer, (line, answer)
        assert engine.items(["i3"])[0].title == "Six Guns at Noon"


def test_the_page_names_every_tool_and_starts_them() -> None:
    tools = {name for name, tool in vars(Tools).items() if not name.startswith("_")}
    assert {name for name in re.findall(r"^\| `(\w+)` \|", PAGE, re.M) if name != "train"} >= tools
    for block in blocks("json"):
        given = json.loads(block)["mcpServers"]["penchant"]
        assert given["command"] == "penchant"
        assert given["args"][0] == "mcp"
    assert shlex.split(blocks("console")[-1].splitlines()[-1])[1:3] == ["penchant", "mcp"]
