"""What the dial means, and what section [learn] says above it."""

from __future__ import annotations

from pathlib import Path

import pytest

import penchant
from penchant.learn.effort import LearnSection, derive
from penchant.learn.sections import checked
from penchant.store.settings import Settings, SettingsError
from penchant.types import InvalidInput
from shelves import mute


def section(tmp_path: Path, text: str, **environment: str) -> LearnSection:
    (tmp_path / "penchant.toml").write_text(f"[learn]\n{text}\n", encoding="utf-8")
    return Settings(tmp_path / "penchant.toml", environment).section("learn", LearnSection)


def test_the_section_is_above_the_effort(tmp_path: Path) -> None:
    said = section(
        tmp_path,
        "window = 0.2\nrequests = 77\nrefit = 0.5\nablate = false\nkeep = 2\nthreads = 3\n"
        "search_seconds = 9\nepochs = 4\nmost_seconds = 12.5",
    )
    made = derive("best", seed=5, section=said)
    assert (made.window, made.requests, made.refit, made.ablate) == (0.2, 77, 0.5, False)
    assert (made.keep, made.search_seconds, made.seed, made.effort) == (2, 9.0, 5, "best")
    assert (made.threads, made.sources.threads, made.ranker.threads) == (3, 3, 3)
    for network in (made.sources.sequence, made.sources.sequence_text):
        assert network is not None
        assert (network.epochs, network.most_seconds, network.dimension) == (4, 12.5, 128)


def test_what_the_section_leaves_out_is_derived(tmp_path: Path) -> None:
    for effort in ("fast", "balanced", "best"):
        assert derive(effort, 1, 2, LearnSection()) == derive(effort, 1, 2)
        changed = derive(effort, section=section(tmp_path, "epochs = 4"))
        assert changed.requests == derive(effort).requests
    assert derive("fast", section=LearnSection(epochs=4)).sources.sequence is None
    assert derive("best").search_seconds == 180
    assert derive("balanced").search_seconds == 0


def test_threads_of_the_call_are_above_the_section(tmp_path: Path) -> None:
    said = section(tmp_path, "threads = 3")
    assert derive("fast", threads=2, section=said).ranker.threads == 2
    assert derive("fast", threads=0, section=said).ranker.threads == 3
    with pytest.raises(InvalidInput, match="got -1"):
        derive("fast", threads=-1)


def test_the_environment_is_above_the_file(tmp_path: Path) -> None:
    assert section(tmp_path, "requests = 7", PENCHANT__LEARN__REQUESTS="8").requests == 8


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("request = 7", r"\[learn\] of .* has no key 'request'; known are .*requests"),
        ("requests = 0", "requests: .*greater than or equal to 1, got 0"),
        ("window = 0.9", "window: .*less than or equal to 0.5, got 0.9"),
        ("refit = -0.1", "refit: "),
        ("search_seconds = nan", "search_seconds: "),
        ("keep = 'all'", "keep: .*got 'all'"),
    ],
)
def test_what_cannot_be_followed_is_refused_when_the_shelf_opens(
    tmp_path: Path, text: str, complaint: str
) -> None:
    folder = mute(tmp_path / "shelf")
    settings = folder / "penchant.toml"
    settings.write_text(f"{settings.read_text()}\n[learn]\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=complaint):
        penchant.open(folder)


def test_a_misspelt_section_is_refused_when_the_shelf_opens(tmp_path: Path, monkeypatch) -> None:
    folder = mute(tmp_path / "shelf")
    monkeypatch.setenv("PENCHANT__LERN__KEEP", "2")
    with pytest.raises(SettingsError, match=r"no section 'lern'; known are .*learn"):
        penchant.open(folder)
    monkeypatch.delenv("PENCHANT__LERN__KEEP")
    penchant.open(folder).close()
    assert set(checked(Settings(None, {}))) >= {"learn", "encoder", "recommend"}
