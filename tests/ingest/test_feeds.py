"""RSS and Atom feeds as entries, and as items."""

from __future__ import annotations

from pathlib import Path

import pytest

from penchant.ingest.feeds import entries, plain, read_feed
from penchant.ingest.items import read_items
from penchant.types import InvalidInput

JANUARY = 1_767_323_045.0  # 2026-01-02 03:04:05 UTC
RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss xmlns:media="http://search.yahoo.com/mrss/"><channel><title>All of it</title>
<item><guid>a1</guid><title>Cod &amp;amp; chips</title><link>https://news.example/1</link>
  <description>&lt;p&gt;Prices &lt;b&gt;rose&lt;/b&gt;.&lt;/p&gt;</description>
  <media:title>A picture</media:title><pubDate>Fri, 02 Jan 2026 04:04:05 +0100</pubDate></item>
<item><title>No date, no id</title></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>All of it</title>
<entry><id>urn:1</id><title>Wind farms</title><link rel="self" href="https://news.example/self"/>
  <link href="https://news.example/2"/><updated>2026-01-02T03:04:05Z</updated>
  <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">They <i>grew</i></div></content>
</entry></feed>"""
RDF = """<rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><channel><items/></channel>
<item><title>Old news</title><dc:date>2026-01-02T04:04:05+01:00</dc:date></item></rdf:RDF>"""


def test_a_feed_of_each_kind() -> None:
    first, second = entries(RSS.encode(), "feed")
    assert (first.id, first.title, first.text) == ("a1", "Cod & chips", "Prices rose.")
    assert (first.link, first.published) == ("https://news.example/1", JANUARY)
    assert (second.id, second.whole, second.published) == ("No date, no id",) * 2 + (None,)
    (entry,) = entries(ATOM.encode(), "feed")
    assert (entry.id, entry.link) == ("urn:1", "https://news.example/2")
    assert (entry.whole, entry.published) == ("Wind farms. They grew", JANUARY)
    (entry,) = entries(RDF.encode(), "feed")
    assert (entry.title, entry.published) == ("Old news", JANUARY)


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\n", b"\xef\xbb\xbf\r\n "])
def test_marks_and_blank_lines_before_it(before: bytes) -> None:
    assert len(entries(before + RSS.encode(), "feed")) == 2
    wide = RSS.replace("utf-8", "utf-16").encode("utf-16")
    assert entries(wide, "feed") == entries(RSS.encode(), "feed")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05", JANUARY),
        ("2026-01-02T03:04:05.000Z", JANUARY),
        (" 2026-01-02T05:04:05+02:00\n", JANUARY),
        ("Fri, 02 Jan 2026 03:04:05 -0000", JANUARY),
        ("02 Jan 2026 03:04:05 GMT", JANUARY),
        ("2026-01-02", JANUARY - 11_045),
        ("yesterday", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("name", ["pubDate", "published", "updated"])
def test_times(text: str, moment: float | None, name: str) -> None:
    feed = f"<rss><item><title>x</title><{name}>{text}</{name}></item></rss>"
    assert entries(feed.encode(), "feed")[0].published == moment


def test_markup_goes_and_text_stays() -> None:
    assert plain("AT&amp;T: 3 < 5, <em>so</em><br/>it&#39;s up") == "AT&T: 3 < 5, so it's up"
    assert plain("profit up > 5% & falling") == "profit up > 5% & falling"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<rss><channel>", "cannot be read"),
        (b"", "cannot be read"),
        (b"no feed at all", "cannot be read"),
        (b"<?xml version='1.0' encoding='martian'?><rss/>", "cannot be read"),
        (b"<html><body/></html>", "no item or entry in its <html>"),
    ],
)
def test_what_is_no_feed_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        entries(data, "feed")


def test_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gone\.rss"):
        read_feed(tmp_path / "gone.rss")
    path = tmp_path / "feed.rss"
    path.write_text(RSS, encoding="utf-8-sig")
    assert read_feed(path) == entries(RSS.encode(), "feed")
    rows = read_items(path).frame
    assert rows["item_id"].to_list() == ["a1", "No date, no id"]
    assert rows["description"].to_list() == ["Prices rose.", ""]
    assert rows["released"].to_list() == [JANUARY * 1e6, None]
