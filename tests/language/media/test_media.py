"""What an item is beside its text: files below the root, numbers, and what is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from pydantic import ValidationError

from language.media.made import colours, loudness, recorded
from penchant.language.media.config import MediaConfig
from penchant.language.media.media import Media
from penchant.language.media.model import MediaModelDamaged

CONFIG = MediaConfig(
    picture="image", picture_model="clip", vector="look", vector_length=2, sound="play",
    sound_model="clap",
)  # fmt: skip
RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    (folder / "pictures").mkdir(parents=True)
    colours(folder / "clip")
    loudness(folder / "clap")
    for name, colour in (("red", RED), ("green", GREEN)):
        Image.new("RGB", (20, 20), colour).save(folder / "pictures" / f"{name}.png")
    recorded(folder / "a.wav", np.full((800, 1), 0.5))
    Image.new("RGB", (20, 20), BLUE).save(tmp_path / "secret.png")
    return folder


def rows(*attributes: Any) -> pl.DataFrame:
    said = [one if isinstance(one, str) else json.dumps(one) for one in attributes]
    return pl.DataFrame({"attributes": said}, schema={"attributes": pl.String})


def test_each_kind_is_a_part_and_what_is_missing_is_nan(shelf: Path) -> None:
    media = Media(CONFIG, shelf, None)
    assert [width for _, width in media.layout] == [3, 2, 2]
    found = media(
        rows(
            {"image": "pictures/red.png", "play": "a.wav", "look": [3, 4]},
            {"image": ["pictures/red.png", "pictures/green.png"]},
            {"look": [0.0, 2.0]},
            {},
        )
    )
    half = np.sqrt(0.5)
    expected = [
        [1, 0, 0, half, half, 0.6, 0.8],
        [half, half, 0, *[np.nan] * 4],
        [*[np.nan] * 5, 0, 1],
        [np.nan] * 7,
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"image": "pictures/none.png"}, "none.png: No such file"),
        ({"image": "../secret.png"}, "outside the folder"),
        ({"image": "/etc/passwd"}, "outside the folder"),
        ({"image": "pictures"}, "no file"),
        ({"image": ["pictures/red.png\0", 7]}, "no name of a file"),
        ({"image": "x" * 5000}, "File name too long"),
        ({"image": "clip/preprocessor_config.json"}, "cannot identify"),
        ({"play": "pictures/red.png"}, "no WAV file"),
        ({"look": [1.0]}, "1 numbers, expected 2"),
        ({"look": [10**400, 1]}, "too large"),
        ({"look": [1e200, 1.0]}, "too large"),
        ({"look": ["1", "2"]}, "no list of numbers"),
        ({"look": [True, False]}, "no list of numbers"),
        ({"look": "[1, 2]"}, "no list of numbers"),
        ({"image": 7}, "no name of a file"),
        ({"image": {"file": "pictures/red.png"}}, "no name of a file"),
        ({"look": [float("nan"), 1.0]}, "not finite"),
        ({"look": [0.0, 0.0]}, "all zero"),
        ({"look": "red"}, "no list of numbers"),
        ({"look": [[1.0], [2.0, 3.0]]}, "no list of numbers"),
    ],
)
def test_what_cannot_be_read_is_missing_and_told_once(shelf: Path, said: Any, why: str) -> None:
    told: list[str] = []
    media = Media(CONFIG, shelf, None, warn=told.append)
    found = media(rows(said, {"look": [1.0, 0.0]}))
    assert np.isnan(found[0]).all()
    (warning,) = told
    assert re.search(why, warning), warning
    assert " without " in warning


def test_damaged_attributes_and_none_at_all(shelf: Path) -> None:
    media = Media(CONFIG, shelf, None)
    assert np.isnan(media(rows("{not json", "[1]", "null"))).all()
    assert np.isnan(media(pl.DataFrame({"title": ["a", "b"]}))).all()
    assert media(rows().head(0)).shape == (0, 7)


def test_a_file_is_read_once_whatever_its_name_and_again_when_it_changes(
    shelf: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "vectors.db"
    config = MediaConfig(picture="image", picture_model="clip")
    first = Media(config, shelf, cache)
    red = first(rows({"image": "pictures/red.png"}))
    first.close()
    copied = shelf / "pictures" / "copy.png"
    copied.write_bytes((shelf / "pictures" / "red.png").read_bytes())
    again = Media(config, shelf, cache)
    files = again._of("picture")
    files._reads = None  # type: ignore[assignment]  # whoever reads now fails
    np.testing.assert_array_equal(again(rows({"image": "pictures/copy.png"})), red)
    again.close()
    third = Media(config, shelf, cache)
    Image.new("RGB", (20, 21), BLUE).save(copied)
    assert third(rows({"image": "pictures/copy.png"}))[0, 2] > 0.99
    third.close()


def test_a_file_that_is_too_large_is_not_read(shelf: Path) -> None:
    told: list[str] = []
    config = MediaConfig(picture="image", picture_model="clip", megabytes=1e-5)
    found = Media(config, shelf, None, warn=told.append)(rows({"image": "pictures/red.png"}))
    assert np.isnan(found).all()
    assert "megabytes" in told[0]


def test_a_tiny_vector_is_one(shelf: Path) -> None:
    media = Media(CONFIG, shelf, None)
    np.testing.assert_allclose(media(rows({"look": [1e-60, 0]}))[0, 5:], [1, 0])


def test_a_model_that_is_wrong_is_said_when_it_is_opened(shelf: Path) -> None:
    (shelf / "clip" / "vision_model.onnx").unlink()
    with pytest.raises(MediaModelDamaged, match="found none"):
        Media(CONFIG, shelf, None)


@pytest.mark.parametrize(
    "said", [{"picture": "image"}, {"sound": "play"}, {"vector": "look"}, {"megabytes": 0}]
)
def test_settings_that_are_not_whole_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MediaConfig(**said)
