"""News as they are published: the entries of an RSS or Atom feed.

The elements are known by their names without namespaces: RSS 2.0 has `item`, `description` and
`pubDate`, RSS 1.0 the same with `dc:date`, Atom `entry`, `summary` or `content`, and `updated`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from penchant.ingest.times import seconds
from penchant.types import InvalidInput

_TITLE = ("title",)
_TEXT = ("description", "summary", "content", "encoded")
_TIME = ("pubDate", "published", "updated", "date")
_ID = ("guid", "id")
# Tags that may stand within a word; any other ends it.
_WITHIN = {"a", "abbr", "b", "code", "em", "font", "i", "mark", "small", "span", "strong", "u"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `published` in seconds UTC, None where the feed gives no time that can be read.

    `title` and `text` are without markup, "" where there is none. `id` is the feed's own, or else
    the link, or else the title.
    """

    id: str
    title: str
    text: str
    link: str
    published: float | None

    @property
    def whole(self) -> str:
        """The title and the text as one."""
        return ". ".join(part for part in (self.title, self.text) if part)


def read_feed(path: str | Path) -> list[Entry]:
    """Return the entries of a file in its order, newest first as a rule.

    InvalidInput where it cannot be read, is no XML, or has no entries.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"expected an RSS or Atom feed in {path}: {error}") from error
    return entries(data, str(path))


def entries(data: bytes, name: str) -> list[Entry]:
    """Return the entries of what was read already; `name` says in messages where it came from."""
    try:
        # Some servers begin with blank lines or marks of byte order, which XML does not allow.
        root = ElementTree.fromstring(data.lstrip(b"\xef\xbb\xbf\r\n\t "))  # noqa: S314 no entities
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise InvalidInput(
            f"expected an RSS or Atom feed in {name}, which cannot be read: {error}; get it again"
        ) from error
    found = [_entry(part) for part in root.iter() if _name(part) in ("item", "entry")]
    if not found:
        raise InvalidInput(
            f"expected an RSS or Atom feed in {name}, found no item or entry in its "
            f"<{_name(root)}>; check that it is the address of the feed and not of a page"
        )
    return found


def _entry(element: ElementTree.Element) -> Entry:
    said: dict[str, str] = {}
    links: dict[str, str] = {}
    for part in element:
        # Of several the first that says something: others are of extensions, or repeat it.
        text = "".join(part.itertext()).strip()
        if text:
            said.setdefault(_name(part), text)
        if _name(part) == "link":
            links.setdefault(part.get("rel", "alternate"), part.get("href") or text)
    title, link = plain(_first(said, _TITLE)), links.get("alternate", "")
    identity = _first(said, _ID) or link or title
    published = next(_moments(said), None)
    return Entry(identity, title, plain(_first(said, _TEXT)), link, published)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _first(said: dict[str, str], names: tuple[str, ...]) -> str:
    return next((said[name] for name in names if name in said), "")


def _moments(said: dict[str, str]) -> Iterator[float]:
    """Yield the times that can be read, as mails have them or ISO 8601; UTC where no zone is."""
    for text in (said[name] for name in _TIME if name in said):
        for read in (parsedate_to_datetime, datetime.fromisoformat):
            with suppress(ValueError, OverflowError, InvalidInput):
                yield seconds(read(text))


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in _WITHIN:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.handle_starttag(tag, ())


def plain(text: str) -> str:
    """Return text that may be HTML, as the descriptions of feeds are, without tags and entities."""
    words = _Words()
    words.feed(text)
    words.close()
    return " ".join("".join(words.parts).split())
