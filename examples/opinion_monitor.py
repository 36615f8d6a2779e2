"""Which topics a stream of news is about, how it speaks of them, and when that turns.

    python examples/opinion_monitor.py topics.csv sentiment.csv feed.rss

Both tables hold labelled examples, columns `text` and `label`; among the labels of the second is
`negative`. The source is an RSS file, a folder of text files, or `-` for lines as they come.
What is learned lies in `opinion/` afterwards.
"""

import csv
import math
import sys
import time
from collections import defaultdict, deque
from email.utils import parsedate_to_datetime
from pathlib import Path
from xml.etree import ElementTree

import penchant
from penchant.measure.surprise import above

HOUR, DAY = 3600.0, 86400.0


class Topic:
    """Negative mentions of one topic: decayed for what is usual, counted for what is new."""

    def __init__(self, window=12 * HOUR, half=14 * DAY, surprise=1e-3, least=5):
        self.window, self.half, self.surprise, self.least = window, half, surprise, least
        self.usual, self.first, self.last = 0.0, None, None
        self.recent, self.alarmed = deque(), False

    def add(self, now, negative):
        """Take in one mention; return (count, expected) where a surge of negative ones begins."""
        self.first = now if self.first is None else self.first
        self.usual *= 0.5 ** ((now - (self.last or now)) / self.half)
        self.last = now
        while self.recent and self.recent[0] <= now - self.window:
            self.recent.popleft()
            self.usual += 1.0  # no longer new
        if negative:
            self.recent.append(now)
        span = self.half / math.log(2) * (1 - 0.5 ** ((now - self.first) / self.half))
        expected = (self.usual + 0.5) * self.window / max(span, DAY)
        rare = above(len(self.recent), expected, spread=0.1) <= math.log10(self.surprise)
        before, self.alarmed = self.alarmed, rare and len(self.recent) >= self.least
        return (len(self.recent), expected) if self.alarmed and not before else None


def learned(name, examples):
    folder = Path("opinion") / name
    if not folder.exists():
        rows = list(csv.DictReader(Path(examples).read_text(encoding="utf-8").splitlines()))
        penchant.learn_head([r["text"] for r in rows], [r["label"] for r in rows]).save(folder)
    return penchant.open_head(folder)


def articles(source):
    path = Path(source)
    if source == "-":
        yield from ((time.time(), line.strip()) for line in sys.stdin if line.strip())
    elif path.is_dir():
        for file in sorted(path.glob("*.txt"), key=lambda f: f.stat().st_mtime):
            yield file.stat().st_mtime, file.read_text(encoding="utf-8", errors="replace")
    else:
        items = ElementTree.parse(path).iter("item")  # noqa: S314 a file of the caller's own
        texts = [[i.findtext(t, "") for t in ("title", "description", "pubDate")] for i in items]
        yield from sorted((parsedate_to_datetime(w).timestamp(), f"{t}. {d}") for t, d, w in texts)


if __name__ == "__main__":
    topics, sentiment = learned("topics", sys.argv[1]), learned("sentiment", sys.argv[2])
    seen = defaultdict(Topic)
    for now, text in articles(sys.argv[3]):
        topic, tone = (head.predict([text])[0].label for head in (topics, sentiment))
        print(time.strftime("%d %b %H:%M", time.gmtime(now)), topic, tone, text[:60], sep="  ")
        if surge := seen[topic].add(now, tone == "negative"):
            print(f"ALERT {topic}: {surge[0]} negative in 12 hours, {surge[1]:.1f} were expected")
