"""Writes into the docs what they take from the code: settings, commands, verbs, routes.

    python docs/generate.py            # write
    python docs/generate.py --check    # end with 1 where a page is not up to date

A page holds the parts between `<!-- name:begin -->` and `<!-- name:end -->`.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import penchant
from penchant.learn.sections import SECTIONS, defaults
from penchant.serve.cli import app
from penchant.serve.http.contract import routes
from penchant.serve.sections import SERVED

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/api.md", "docs/http.md")


def settings() -> Iterator[str]:
    """Yield every section of penchant.toml with its keys and defaults."""
    for name, kind in {**SECTIONS, **SERVED}.items():
        about = " ".join(inspect.getdoc(kind).split())
        yield f"**`[{name}]`** {re.sub(r'^Section `[a-z]+`[.:] ?', '', about)}"
        yield ""
        yield "| key | default |"
        yield "|---|---|"
        for key, value in defaults(kind):
            # What has no default of its own is derived from the dial of training.
            shown = "by `effort`" if value is None else f"`{_toml(value)}`"
            yield f"| `{key}` | {shown} |"
        yield ""


def commands() -> Iterator[str]:
    """Yield every command of the command line with what it does."""
    yield "| command | what it does |"
    yield "|---|---|"
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        yield f"| `penchant {name}` | {_first(command.callback)} |"


def verbs() -> Iterator[str]:
    """Yield the signature and the docstring of everything that is public."""
    for name in ("open", "connect", "learn_head", "open_head"):
        yield f"### `penchant.{name}`"
        yield ""
        yield f"```python\npenchant.{name}{_signature(getattr(penchant, name))}\n```"
        yield ""
        yield inspect.getdoc(getattr(penchant, name))
        yield ""
    for name, verb in vars(penchant.Engine).items():
        if name.startswith("_"):
            continue
        yield f"### `engine.{name}`"
        yield ""
        yield f"```python\nengine.{name}{_signature(verb, method=True)}\n```"
        yield ""
        yield inspect.getdoc(verb)
        yield ""
    for name in ("Event", "Item", "User", "Link", "Slate", "Recommendation", "Error"):
        kind = getattr(penchant, name)
        yield f"### `penchant.{name}`"
        yield ""
        if name != "Error":
            yield f"```python\n{name}{_signature(kind)}\n```"
            yield ""
        yield inspect.getdoc(kind)
        yield ""


def paths() -> Iterator[str]:
    """Yield every route of the HTTP API with its scope and what it does."""
    yield "| route | scope | what it does |"
    yield "|---|---|---|"
    for route in routes():
        yield f"| `{route.method} {route.path}` | {route.scope or ''} | {route.summary} |"


PARTS = {"settings": settings, "commands": commands, "verbs": verbs, "routes": paths}


def _signature(of: Any, *, method: bool = False) -> str:
    """Return the parameters of something callable, one a line where they are many."""
    found = inspect.signature(of)
    given = list(found.parameters.values())[method:]
    parts, starred = [], False
    for one in given:
        if one.kind is one.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        text = one.name
        if one.annotation is not one.empty:
            text += f": {one.annotation}"
        if one.default is not one.empty:
            text += " = {}" if "factory" in repr(one.default) else f" = {one.default!r}"
        parts.append(text)
    answer = found.return_annotation
    arrow = "" if answer in (found.empty, None, "None") else f" -> {answer}"
    line = f"({', '.join(parts)}){arrow}"
    if len(line) <= 76:
        return line
    return "(\n    " + ",\n    ".join(parts) + f",\n){arrow}"


def _first(function: Any) -> str:
    return " ".join(inspect.getdoc(function).split("\n\n")[0].split())


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, ensure_ascii=False)


def made(page: str) -> str:
    """Return a page with its parts as the code says now."""
    for name, part in PARTS.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if begin in page:
            before, after = page.split(begin)[0], page.split(end)[1]
            page = before + "\n".join([begin, *part()]).strip() + f"\n{end}" + after
    return page


def main() -> int:
    """Write the pages, or say which are not up to date."""
    stale = []
    for name in PAGES:
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = made(old)
        if new != old:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"not up to date: {', '.join(stale)}; run `make docs`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
