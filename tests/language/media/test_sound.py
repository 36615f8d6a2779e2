"""Sounds of every width and rate are one waveform, and what is none says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from language.media.made import loudness, recorded
from penchant.language.media.model import MediaModelDamaged
from penchant.language.media.picture import Unreadable
from penchant.language.media.sound import Sounds


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> Sounds:
    return Sounds(loudness(tmp_path_factory.mktemp("clap")))


def tone(rate: int, seconds: float = 1.0, channels: int = 1) -> np.ndarray:
    one = 0.5 + 0.3 * np.sin(2 * np.pi * 220 * np.arange(int(rate * seconds)) / rate)
    return np.repeat(one[:, None], channels, axis=1)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_width_and_rate_do_not_matter(read: Sounds, tmp_path: Path, width: int, rate: int) -> None:
    path = recorded(tmp_path / "a.wav", tone(rate, channels=2), rate, width)
    np.testing.assert_allclose(read(path), [np.sqrt(0.5)] * 2, atol=0.02)


def test_the_middle_of_a_long_sound_is_heard(read: Sounds, tmp_path: Path) -> None:
    long = np.concatenate((-tone(8_000, 20), tone(8_000, 12), -tone(8_000, 20)))
    found = read(recorded(tmp_path / "a.wav", long, 8_000))
    assert found[1] > 0.7  # the sign of the middle


def test_what_is_no_sound_is_refused(read: Sounds, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    recorded(tmp_path / "silent.wav", np.zeros((0, 1)))
    for name in ("text.wav", "empty.wav", "silent.wav", "missing.wav"):
        with pytest.raises(Unreadable):
            read(tmp_path / name)


def test_a_rate_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaModelDamaged, match="a rate above 0"):
        Sounds(loudness(tmp_path / "clap", rate=0))
