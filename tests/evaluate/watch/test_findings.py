"""Findings: each once, worse but never milder, over when nothing is seen any more, on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from penchant.evaluate.watch.finding import KINDS, Finding, finding
from penchant.evaluate.watch.findings import FILE, KEPT, LINGER, Findings

ONE = Finding("rate", "events", 100.0, "warning", 5.0, 50.0, "too few.")
PERSON = Finding("person", "person:17", 100.0, "warning", 900.0, 4.0, "one person did much.")


def test_what_lasts_is_one_finding() -> None:
    found = Findings()
    assert found.meet([ONE], 200.0) == (ONE,)
    later = replace(ONE, since=700.0, figure=1.0, sentence="almost none.")
    assert found.meet([later], 800.0) == ()
    (kept,) = found.open
    assert (kept.since, kept.figure, kept.sentence) == (100.0, 1.0, "almost none.")
    assert kept.id == ONE.id


def test_worse_is_told_and_milder_is_not() -> None:
    found = Findings()
    found.meet([ONE], 200.0)
    worse = found.meet([replace(ONE, severity="critical")], 300.0)
    assert [one.severity for one in worse] == ["critical"]
    assert found.meet([ONE], 400.0) == ()
    assert found.open[0].severity == "critical"


def test_it_is_over_since_it_was_last_seen_and_may_come_again() -> None:
    found = Findings()
    found.meet([ONE], 200.0)
    found.meet([ONE], 800.0)
    assert found.meet([], 800.0 + LINGER - 1) == ()
    (over,) = found.meet([], 800.0 + LINGER)
    assert over.over == 800.0
    assert found.open == ()
    again = replace(ONE, since=9000.0)
    assert found.meet([again], 9100.0) == (again,)
    assert [one.over for one in found.rows] == [800.0, None]
    assert found.rows[0].id != found.rows[1].id


def test_they_are_on_disk_as_they_are(tmp_path: Path) -> None:
    found = Findings()
    found.meet([ONE, PERSON], 200.0)
    found.meet([PERSON], 200.0 + LINGER)
    found.save(tmp_path)
    read = Findings.load(tmp_path)
    assert read.rows == found.rows
    assert read.meet([], 200.0 + 2 * LINGER) == found.meet([], 200.0 + 2 * LINGER)
    assert [one.over for one in read.rows] == [200.0, 200.0 + LINGER]


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    assert Findings.load(tmp_path).rows == []
    (tmp_path / FILE).parent.mkdir()
    for text in ("{", "[]", '{"findings": [{"kind": 1}], "seen": []}'):
        (tmp_path / FILE).write_text(text)
        assert Findings.load(tmp_path).rows == []


def test_nothing_stays_of_who_is_forgotten(tmp_path: Path) -> None:
    found = Findings()
    found.meet([ONE, PERSON], 200.0)
    assert not found.drop([18])
    assert found.drop([17])
    assert found.rows == [ONE]
    found.save(tmp_path)
    assert "17" not in (tmp_path / FILE).read_text().replace(ONE.id, "")
    assert found.meet([], 200.0 + LINGER)[0].key == ONE.key


def test_only_so_many_of_the_past_are_kept() -> None:
    found = Findings()
    for n in range(KEPT + 5):
        found.meet([replace(ONE, since=float(n))], 1e4 * n)
        found.meet([], 1e4 * n + LINGER)
    assert len(found.rows) == KEPT
    assert found.rows[-1].since == KEPT + 4


def test_plain_data_and_back() -> None:
    assert finding(PERSON.plain()) == PERSON
    assert PERSON.person == 17
    assert ONE.person is None
    assert set(KINDS) >= {"rate", "silence", "quality"}
