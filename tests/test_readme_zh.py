"""The Chinese README says what the English one says: same parts, code, links, figures, names.

A page is cut into its parts in order: a heading, a block of code, a row of a table, a line of text.
Part by part, what no translation changes has to be the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "README.zh-CN.md")
ENGLISH, CHINESE = ((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
FIGURE = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|\.\d+")
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Part:
    """One part of a page, and the number of its first line."""

    kind: str
    text: str
    line: int


def parts(page: str) -> list[Part]:
    """Return what the page is made of, without comments, empty lines and the line of languages."""
    found: list[Part] = []
    code: list[str] | None = None
    for number, line in enumerate(page.splitlines(), 1):
        if code is not None:
            code.append(line)
            if line == "```":
                found.append(Part("code", "\n".join(code), number - len(code) + 1))
                code = None
        elif line.startswith("```"):
            code = [line]
        elif line.strip() and not line.startswith(("<!--", "[English](")):
            found.append(Part(kind(line), line, number))
    assert code is None, "a block of code is not closed"
    return found


def kind(line: str) -> str:
    """Return `# ` to `###### `, `image`, `row of N cells`, `list`, `section [NAME]` or `text`."""
    if heading := re.match(r"#{1,6} ", line):
        return heading[0]
    if line.startswith("!["):
        return "image"
    if line.startswith("|"):
        return f"row of {len(cells(line))} cells"
    if section := re.match(r"\*\*`(\[\w+\])`\*\* ", line):
        return f"section {section[1]}"
    return "list" if re.match(r"- |\d+\. ", line) else "text"


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().removeprefix("|").removesuffix("|").split("|")]


def names(text: str) -> Counter[str]:
    """Return what stands in backticks: keys, defaults, commands, files, data sets."""
    return Counter(re.findall(r"`([^`]+)`", text))


def values(text: str) -> Counter[str]:
    """Return what a section's text has in straight quotation marks: values of its settings."""
    if not text.startswith("**`["):
        return Counter()
    return Counter(re.findall(r'"([^"]*)"', re.sub(r"`[^`]+`", "", text)))


def figures(text: str) -> Counter[str]:
    """Return the figures outside backticks and the targets of links."""
    return Counter(FIGURE.findall(LINK.sub("", re.sub(r"`[^`]+`", "", text))))


def links(text: str) -> Counter[str]:
    """Return the targets of links and, with `!` before them, of images."""
    found = Counter(f"{image}{target}" for image, target in LINK.findall(text))
    return Counter({target: n for target, n in found.items() if target not in PAGES})


def sign(part: Part) -> str:
    """Return the kind, for a row with the keys or commands of its first cell and its links."""
    if part.kind.startswith("row"):
        known = sorted(names(cells(part.text)[0])) + sorted(links(part.text))
        return " ".join((part.kind, *known))
    return part.kind


def pairs(english: str, chinese: str) -> Iterator[tuple[Part, Part]]:
    """Yield the parts of both pages beside each other, once they are of the same kinds."""
    ours, theirs = parts(english), parts(chinese)
    match = SequenceMatcher(a=[*map(sign, ours)], b=[*map(sign, theirs)], autojunk=False)
    wrong = []
    for what, a0, a1, b0, b1 in match.get_opcodes():
        if what != "equal":
            wrong += [f"the Chinese page lacks README.md:{p.line} {p.text}" for p in ours[a0:a1]]
            wrong += [f"gone is README.zh-CN.md:{p.line} {p.text}" for p in theirs[b0:b1]]
    assert not wrong, "\n".join(wrong)
    yield from zip(ours, theirs, strict=True)


def same(english: str, chinese: str, taken: Callable[[str], Counter[str]]) -> None:
    """Fail with everything that one of the two pages has and the other lacks."""
    wrong = []
    for a, b in pairs(english, chinese):
        if a.kind == "code":
            continue
        here, there = taken(a.text), taken(b.text)
        if here != there:
            wrong.append(
                f"README.md:{a.line}, README.zh-CN.md:{b.line}: "
                f"the Chinese page lacks {list((here - there).elements())}, "
                f"has beyond it {list((there - here).elements())}"
            )
    assert not wrong, "\n".join(wrong)


def told(taken: Callable[[str], Counter[str]]) -> Callable[[str, str], None]:
    return partial(same, taken=taken)


def same_code(english: str, chinese: str) -> None:
    for a, b in pairs(english, chinese):
        if a.kind == "code":
            where = f"README.md:{a.line} and README.zh-CN.md:{b.line} differ; copy the block"
            assert a.text == b.text, where


def same_cells(english: str, chinese: str) -> None:
    """Compare tables cell by cell, so that no figure or default stands in another column."""
    for a, b in pairs(english, chinese):
        if not a.kind.startswith("row"):
            continue
        for place, (here, there) in enumerate(zip(cells(a.text), cells(b.text), strict=True), 1):
            taken = [(figures(c), names(c), links(c), c.count("**")) for c in (here, there)]
            where = f"README.md:{a.line} and README.zh-CN.md:{b.line}, cell {place}"
            assert taken[0] == taken[1], f"{where}: {here!r} against {there!r}"
            assert bool(here) == bool(there), f"{where}: one is empty"


def test_the_parts_are_the_same() -> None:
    kinds = [a.kind for a, _ in pairs(ENGLISH, CHINESE)]
    assert kinds.count("## ") >= 9
    assert kinds.count("code") >= 7
    assert sum(kind.startswith("section") for kind in kinds) >= 13


def test_the_code_is_the_same_byte_for_byte() -> None:
    same_code(ENGLISH, CHINESE)


def test_the_links_and_images_are_the_same() -> None:
    same(ENGLISH, CHINESE, links)


def test_the_keys_defaults_and_commands_are_the_same() -> None:
    same(ENGLISH, CHINESE, names)
    same(ENGLISH, CHINESE, values)


def test_the_figures_are_the_same() -> None:
    same(ENGLISH, CHINESE, figures)


def test_the_tables_are_the_same_cell_by_cell() -> None:
    same_cells(ENGLISH, CHINESE)


def test_the_text_is_chinese() -> None:
    """Every line of text, list and section is translated, and so is what a command does."""
    for _, part in pairs(ENGLISH, CHINESE):
        if part.kind in ("text", "list", "## ", "image") or part.kind.startswith("section"):
            where = f"README.zh-CN.md:{part.line} is not translated: {part.text}"
            assert re.search(r"[\u4e00-\u9fff]", part.text), where
        elif part.text.startswith("| `penchant "):
            assert re.search(r"[\u4e00-\u9fff]", cells(part.text)[1]), part.text


def test_each_page_leads_to_the_other() -> None:
    assert "(README.zh-CN.md)" in ENGLISH
    assert "(README.md)" in "\n".join(CHINESE.splitlines()[:4])


@pytest.mark.parametrize(
    ("old", "new", "check", "said"),
    [
        ("## Limits", "## Console\n\n## Limits", same_code, "lacks README.md:[0-9]+ ## "),
        ("Licence: ", "More.\n\nLicence: ", same_code, "lacks README.md"),
        ("shop --effort fast", "shop --effort best", same_code, "copy the block"),
        ("](docs/api.md)", "](docs/verbs.md)", told(links), r"lacks \['docs/verbs.md'\]"),
        ("](docs/http.md)", "](docs/routes.md)", same_code, r"lacks .*docs/routes.md"),
        ("](docs/img/demo.svg)", "](docs/img/new.svg)", told(links), r"\['!docs/img/new.svg'\]"),
        ("| `wanted_from` | `0.5` |", "| `wanted_from` | `0.6` |", same_cells, "cell 2"),
        ("| `burst` |", "| `gust` | `1` |\n| `burst` |", same_code, r"lacks .* \| `gust` \| `1`"),
        ("| `burst` | `2.0` |\n", "", same_code, r"^gone is .* \| `burst` \| `2.0` \|\n"),
        ("`penchant mcp` | Give", "`penchant tools` | Give", same_code, "lacks .*penchant tools"),
        (".075 | .089 | |", ".075 | | .089 |", same_cells, "cell 5"),
        ("| 10.0 | 15.2 |", "| 10.0 | 15.3 |", told(figures), r"lacks \['15.3'\]"),
        ("last 200 events", "last 300 events", told(figures), r"lacks \['300'\]"),
        ("`[learn]` overrides", "`[train]` overrides", told(names), r"lacks \['\[train\]'\]"),
        ('or "never"', 'or "rarely"', told(values), "rarely"),
    ],
)
def test_a_change_of_one_page_is_told(
    old: str, new: str, check: Callable[[str, str], None], said: str
) -> None:
    assert old in ENGLISH, f"README.md no longer has {old!r}: take another example"
    with pytest.raises(AssertionError, match=said):
        check(ENGLISH.replace(old, new, 1), CHINESE)
