"""What keeps the code readable, as tests: layers, sizes, names, imports, and docs that tell all."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import penchant
from penchant.learn.sections import OTHERS, SECTIONS, defaults
from penchant.serve.sections import SERVED

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "penchant"
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = (
    *("serve", "evaluate", "engine", "learn", "rank", "recall", "interests"),
    *("language", "ingest", "store", "measure", "types"),
)
CONTRACTS = {
    "store/log.py": "Log",
    "store/catalogue.py": "Catalogue",
    "store/people.py": "People",
    "language/encoder/encoder.py": "Encoder",
    "language/generator/generator.py": "Generator",
    "language/heads/head.py": "Head",
    "recall/source.py": "Source",
    "rank/stage.py": "Stage",
}
"""Every folder with more than one implementation of something opens with one of these."""


def python(code: str) -> str:
    """Return what a fresh interpreter printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def protocols() -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases
            ):
                yield path, node


def test_layers_import_one_way() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_twelve_entries() -> None:
    entries = {
        p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert entries == {*LAYERS, "__init__"}


def test_no_file_is_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in FILES
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_no_name_says_nothing() -> None:
    nothing = re.compile(r"(utils?|helpers?|common|managers?|base|misc|stuff|v2|impl)(_.*)?")
    assert [
        str(p) for p in FILES if nothing.fullmatch(p.stem) or nothing.fullmatch(p.parent.name)
    ] == []


def test_contracts_are_small() -> None:
    found = {str(path.relative_to(PACKAGE)): node for path, node in protocols()}
    assert {path: found[path].name for path in CONTRACTS} == CONTRACTS
    for path, node in found.items():
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
        assert len(methods) <= 6, path
        assert node.end_lineno is not None
        assert node.end_lineno - node.lineno < 40, path


def test_public_names() -> None:
    nouns = ["Error", "Event", "Item", "Link", "Recommendation", "Slate", "User"]
    assert penchant.__all__ == ["Engine", *nouns, "connect", "learn_head", "open", "open_head"]
    verbs = [
        *("activate", "add", "adjust", "ask", "backup", "close", "evaluate", "expand", "explain"),
        *("explanations", "export", "forget"),
        *("interests", "items", "merge", "rank", "recommend", "recommend_many", "record", "remove"),
        *("similar", "snapshots", "stages", "status", "train", "undo", "withdraw"),
    ]
    public = [name for name in vars(penchant.Engine) if not name.startswith("_")]
    assert sorted(public) == verbs


def test_importing_costs_no_more_than_numpy() -> None:
    def milliseconds(name: str) -> float:
        code = (
            f"import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
        )
        return 1000 * statistics.median(float(python(code)) for _ in range(7))

    assert milliseconds("penchant") <= 1.5 * milliseconds("numpy")


def test_importing_loads_nothing_large() -> None:
    heavy = "{'numpy', 'polars', 'torch', 'sqlalchemy', 'onnxruntime', 'socket'}"
    assert python(f"import sys, penchant; print({heavy} & set(sys.modules))") == "set()"


def test_serving_loads_neither_torch_nor_pandas(own_shelf: Path) -> None:
    code = f"""
import sys, penchant
with penchant.open({str(own_shelf)!r}) as engine:
    slate = engine.recommend("ada")
    assert len(slate) == 10 and slate.snapshot != "untrained"
    engine.rank("ada", [line.item_id for line in slate])
    engine.similar(slate[0].item_id)
    engine.record(penchant.Event("somebody", slate[0].item_id))
unwanted = {{"torch", "pandas", "sklearn", "scipy", "lightgbm", "transformers"}}
print(sorted(unwanted & set(sys.modules)))
"""
    assert python(code) == "[]"


def test_the_version_opens_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## \[([\d.]+)\]", text, re.M)[0] == penchant.__version__
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{penchant.__version__}"' in project


def test_every_setting_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    read = set()
    for path in (path for path in FILES if "migrations" not in path.parts):  # tables of SQL
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("section", "table")
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                read.add(node.args[0].value)
            if (  # checked(settings)["privacy"]
                isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Call)
                and isinstance(node.value.func, ast.Name)
                and node.value.func.id == "checked"
                and isinstance(node.slice, ast.Constant)
            ):
                read.add(node.slice.value)
    assert set(SERVED) == OTHERS
    known = {**SECTIONS, **SERVED}
    # Those of the service are read by one loop over their names.
    said = "a section is read that penchant.learn.sections does not list"
    assert read | set(SERVED) == set(known), said
    for name, kind in known.items():
        assert f"`[{name}]`" in readme
        for key, _ in defaults(kind):
            assert f"`{key}`" in readme, f"{name}.{key}"


def test_what_the_docs_take_from_the_code_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_links_of_the_docs_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    broken = []
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []
