"""The example that watches opinions: topics, sentiment, and an alarm where negative ones surge."""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "opinion_monitor.py"
NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86_400.0
TOPICS = {
    "sport": "The team {} the match in front of its supporters",
    "energy": "The power company {} at its wind farms and gas plants",
}
SPORT = {
    "positive": ("won", "celebrated", "turned around", "dominated", "crowned its season with"),
    "negative": ("lost", "threw away", "was humiliated in", "collapsed in", "was sent off in"),
}
ENERGY = {
    "positive": ("raised profits", "grew strongly", "gained orders", "improved", "won contracts"),
    "negative": ("cut jobs", "reported losses", "failed", "was fined", "stopped work"),
}
SAID = {"sport": SPORT, "energy": ENERGY}
KINDS = [(topic, tone) for topic in SAID for tone in SPORT]
MORE = ("", " on Monday", ", reports say", " again", " this year", ", officials confirmed")


def sentences(topic: str, tone: str) -> list[str]:
    said = SAID[topic][tone]
    return [TOPICS[topic].format(word) + more for more in MORE for word in said]


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    topics, tones = tmp_path / "topics.csv", tmp_path / "tones.csv"
    for path, of in ((topics, 0), (tones, 1)):
        with path.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(("text", "label"))
            for key in KINDS:
                out.writerows((text, key[of]) for text in sentences(*key))
    return topics, tones


def run(folder: Path, tables: tuple[Path, Path], source: str, given: str = "") -> list[str]:
    command = [sys.executable, str(EXAMPLE), *map(str, tables), source]
    done = subprocess.run(
        command, cwd=folder, input=given, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout.splitlines()


def feed(path: Path, rows: list[tuple[float, str]]) -> None:
    items = "".join(
        f"<item><title>{escape(text)}</title><description/>"
        f"<pubDate>{formatdate(now)}</pubDate></item>"
        for now, text in reversed(rows)  # as feeds are: the newest first
    )
    path.write_text(f"<rss><channel>{items}</channel></rss>", encoding="utf-8")


def stream() -> list[tuple[float, str]]:
    """Return three weeks with a negative text a day of each topic, then a bad day for energy."""
    rows = [
        (NOW + day * DAY + hour * HOUR, sentences(*key)[day])
        for day in range(21)
        for hour, key in enumerate(KINDS)
    ]
    bad = [(NOW + 21 * DAY + n * HOUR / 2, sentences("energy", "negative")[n]) for n in range(9)]
    return rows + bad


def test_a_surge_in_a_feed_raises_one_alarm_for_its_topic(
    tmp_path: Path, tables: tuple[Path, Path]
) -> None:
    feed(tmp_path / "feed.rss", stream())
    lines = run(tmp_path, tables, "feed.rss")
    said = [line for line in lines if not line.startswith("ALERT")]
    truth = KINDS * 21 + [("energy", "negative")] * 9
    right = [tuple(line.split("  ")[1:3]) == kind for line, kind in zip(said, truth, strict=True)]
    assert sum(right) >= 0.9 * len(right)
    alarms = [line for line in lines if line.startswith("ALERT")]
    assert len(alarms) == 1
    assert alarms[0].startswith("ALERT energy: ")
    # While it was still going on.
    assert lines.index(alarms[0]) < len(lines) - 1


def test_an_atom_feed_and_labels_in_capitals_with_a_mark_at_the_beginning(
    tmp_path: Path, tables: tuple[Path, Path]
) -> None:
    for path in tables:  # as spreadsheets write them
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(text.replace(" its ", "\nits "), label) for text, label in csv.reader(file)]
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows((text, label.replace("neg", "Neg")) for text, label in rows)
    entries = "".join(
        f"<entry><title>{text}</title><updated>{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%TZ}"
        f"</updated><link href='https://news.example/{now}'/></entry>"
        for now, text in stream()
    )
    atom = f"<feed xmlns='http://www.w3.org/2005/Atom'>{entries}</feed>"
    (tmp_path / "feed.atom").write_text(atom, encoding="utf-8-sig")
    lines = run(tmp_path, tables, "feed.atom")
    assert len([line for line in lines if line.startswith("ALERT energy: ")]) == 1
    assert lines[0].startswith("15 Jan 08:00  sport  ")


def test_each_line_is_told_as_it_comes(tmp_path: Path, tables: tuple[Path, Path]) -> None:
    command = [sys.executable, str(EXAMPLE), *map(str, tables), "-"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as started:
        assert started.stdin is not None
        assert started.stdout is not None
        for text in (b"The team lost the match", b"\xff is no text"):
            started.stdin.write(text + b"\n")
            started.stdin.flush()
            assert started.stdout.readline()  # while the input is still open
        started.stdin.close()
        assert started.wait(60) == 0


@pytest.mark.parametrize("given", [(), ("topics.csv",), ("a", "b", "c", "d")])
def test_it_says_how_it_is_used(tmp_path: Path, given: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), *given], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "opinion_monitor.py topics.csv sentiment.csv SOURCE" in done.stderr
    assert not any(tmp_path.iterdir())


def test_lines_and_folders_are_read_and_nothing_is_learned_twice(
    tmp_path: Path, tables: tuple[Path, Path]
) -> None:
    texts = [*sentences("sport", "positive")[:2], *sentences("energy", "negative")[:2]]
    lines = run(tmp_path, tables, "-", "\n".join([texts[0], "", *texts[1:]]) + "\n")
    assert [line.split("  ")[1:3] for line in lines] == [["sport", "positive"]] * 2 + [
        ["energy", "negative"]
    ] * 2
    for path in tables:
        path.unlink()
    folder = tmp_path / "news"
    folder.mkdir()
    for number, text in enumerate(texts):
        file = folder / f"{9 - number}.txt"
        file.write_text(text, encoding="utf-8")
        os.utime(file, (NOW + number, NOW + number))
    again = run(tmp_path, tables, "news")
    assert [line.split("  ")[3] for line in again] == [text[:60] for text in texts]


def test_an_alarm_is_for_what_is_more_than_usual_and_ends() -> None:
    topic = module().Topic()
    # Five a day are what is usual after two weeks.
    alarms = [topic.add(NOW + n * DAY / 5, True) for n in range(5 * 14)]
    assert not any(alarms[35:])
    begin = NOW + 14 * DAY
    raised = [topic.add(begin + n * HOUR / 4, True) for n in range(16)]
    assert sum(one is not None for one in raised) == 1
    count, expected = next(one for one in raised if one)
    assert count > 3 * expected
    # Positive ones raise nothing; after a quiet time the next surge is told again.
    assert topic.add(begin + 2 * DAY, False) is None
    later = [topic.add(begin + 9 * DAY + n * HOUR / 8, True) for n in range(24)]
    assert sum(one is not None for one in later) == 1


def module() -> Any:
    spec = importlib.util.spec_from_file_location("opinion_monitor", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_it_is_short() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 80
