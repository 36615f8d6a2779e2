"""Which topics a stream of news is about, how it speaks of them, and when that turns.

    python examples/opinion_monitor.py topics.csv sentiment.csv SOURCE

Both tables have columns `text` and `label`; one label of the second is `negative`. SOURCE is an RSS
or Atom file, a folder of text files, or `-` for lines. What is learned lies in `opinion/`.
"""

import csv
import math
import sys
import time
from collections import defaultdict, deque
from pathlib import Path

import penchant
from penchant.ingest.feeds import read_feed
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
        with open(examples, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        penchant.learn_head([r["text"] for r in rows], [r["label"] for r in rows]).save(folder)
    return penchant.open_head(folder)


def articles(source):
    if source == "-":
        yield from ((time.time(), line.strip()) for line in sys.stdin if line.strip())
    elif Path(source).is_dir():
        for file in sorted(Path(source).glob("*.txt"), key=lambda f: f.stat().st_mtime):
            yield file.stat().st_mtime, " ".join(file.read_text("utf-8-sig", "replace").split())
    else:  # an entry without a time counts as of now
        yield from sorted((e.published or time.time(), e.whole) for e in read_feed(source))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.stdin.reconfigure(errors="replace")  # a byte that is no UTF-8 must not end the stream
    sys.stdout.reconfigure(line_buffering=True)  # also into a pipe each line goes at once
    topics, sentiment = learned("topics", sys.argv[1]), learned("sentiment", sys.argv[2])
    seen = defaultdict(Topic)
    for now, text in articles(sys.argv[3]):
        topic, tone = (head.predict([text])[0].label for head in (topics, sentiment))
        print(time.strftime("%d %b %H:%M", time.gmtime(now)), topic, tone, text[:60], sep="  ")
        if surge := seen[topic].add(now, tone.lower() == "negative"):
            print(f"ALERT {topic}: {surge[0]} negative in 12 hours, {surge[1]:.1f} were expected")
