"""Pictures of every kind are read, and what is none says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from language.media.made import CLIP, colours, outside
from penchant.language.media.model import MediaModelDamaged
from penchant.language.media.picture import Pictures, Unreadable

RED = (250, 0, 0)


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> Pictures:
    return Pictures(colours(tmp_path_factory.mktemp("clip")))


def test_a_picture_is_what_its_pixels_are(read: Pictures, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), RED).save(tmp_path / "a.png")
    np.testing.assert_allclose(read(tmp_path / "a.png"), [1, 0, 0], atol=1e-6)
    assert read.dimension == 3


def test_the_middle_of_a_wide_picture_counts(read: Pictures, tmp_path: Path) -> None:
    wide = Image.new("RGB", (300, 30), (0, 0, 250))
    wide.paste(RED, (130, 0, 170, 30))
    wide.save(tmp_path / "wide.png")
    found = read(tmp_path / "wide.png")
    assert found[0] > 0.99


@pytest.mark.parametrize(
    ("mode", "colour", "name", "expected"),
    [
        ("L", 200, "grey.png", [1, 1, 1]),
        ("1", 1, "bits.png", [1, 1, 1]),
        ("P", 0, "palette.gif", None),
        ("CMYK", (0, 255, 255, 0), "print.jpg", [1, 0, 0]),
        ("RGBA", (0, 250, 0, 0), "clear.png", [1, 1, 1]),  # transparent: white shows
        ("I;16", 60_000, "deep.png", None),
        ("RGB", (0, 250, 0), "photo.webp", [0, 1, 0]),
    ],
)
def test_every_kind_is_read(
    read: Pictures, tmp_path: Path, mode: str, colour: object, name: str, expected: list | None
) -> None:
    Image.new(mode, (20, 24), colour).save(tmp_path / name)
    found = read(tmp_path / name)
    assert found.shape == (3,)
    if expected is not None:
        unit = np.array(expected) / np.linalg.norm(expected)
        np.testing.assert_allclose(found, unit, atol=0.05)


def test_one_pixel_and_the_first_of_many_frames(read: Pictures, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), RED).save(tmp_path / "dot.png")
    np.testing.assert_allclose(read(tmp_path / "dot.png"), [1, 0, 0], atol=1e-6)
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, (0, 0, 250))]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "moves.gif")[0] > 0.9


def test_a_strip_is_its_middle_and_costs_no_more_than_a_square(
    read: Pictures, tmp_path: Path
) -> None:
    strip = Image.new("RGB", (1, 60_000), (0, 0, 250))
    strip.paste(RED, (0, 29_900, 1, 30_100))
    strip.save(tmp_path / "strip.png")
    assert read(tmp_path / "strip.png")[0] > 0.99


def test_a_photograph_is_seen_as_it_was_held(tmp_path: Path) -> None:
    settings = CLIP | {"size": {"height": 16, "width": 16}, "do_center_crop": False}
    half = Image.new("RGB", (16, 16), (0, 0, 250))
    half.paste(RED, (0, 0, 16, 8))
    plain, turned = tmp_path / "plain.png", tmp_path / "turned.png"
    half.rotate(180).save(plain)
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was upside down
    half.save(turned, exif=exif)
    read = Pictures(colours(tmp_path / "clip", settings))
    np.testing.assert_array_equal(read._pixels(turned), read._pixels(plain))


def test_weights_beside_the_graph_are_read_and_count_for_the_id(tmp_path: Path) -> None:
    folder = outside(tmp_path / "clip", 2.0)
    Image.new("RGB", (16, 16), RED).save(tmp_path / "a.png")
    read = Pictures(folder)
    np.testing.assert_allclose(read(tmp_path / "a.png"), [1, 0, 0], atol=1e-6)
    assert read.id != Pictures(outside(tmp_path / "other", 3.0)).id


def test_what_is_no_picture_is_refused(read: Pictures, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), RED).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.png").write_text("this is no picture")
    (tmp_path / "empty.png").touch()
    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    for name in ("cut.png", "text.png", "empty.png", "huge.png"):
        with pytest.raises(Unreadable):
            read(tmp_path / name)


def test_the_same_files_have_the_same_id_and_others_another(tmp_path: Path) -> None:
    one, two = (Pictures(colours(tmp_path / name)) for name in ("one", "two"))
    other = Pictures(colours(tmp_path / "other", CLIP | {"image_std": [0.5, 0.5, 0.5]}))
    assert one.id == two.id != other.id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "vision_model.onnx").unlink(), "found none"),
        (lambda folder: (folder / "vision_model.onnx").write_bytes(b"no"), "can be run"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "copy it"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("[]"), "an object"),
        (lambda folder: colours(folder, CLIP | {"crop_size": 8}), "of different exports"),
        (lambda folder: colours(folder, CLIP | {"image_mean": [1.0]}), "three numbers"),
        (lambda folder: colours(folder, CLIP | {"image_std": [0.0, 1.0, 1.0]}), "above 0"),
        (lambda folder: colours(folder, CLIP | {"size": "large"}), "cannot be followed"),
        (lambda folder: colours(folder, name="input_ids"), "one input 'pixel_values'"),
    ],
)
def test_a_folder_that_is_not_what_it_says_is_refused(tmp_path: Path, change, said: str) -> None:
    folder = colours(tmp_path / "clip")
    change(folder)
    with pytest.raises(MediaModelDamaged, match=said):
        Pictures(folder)


def test_settings_without_a_crop_scale_to_what_they_say(tmp_path: Path) -> None:
    settings = {"size": {"height": 16, "width": 16}, "do_center_crop": False}
    read = Pictures(colours(tmp_path / "clip", settings))
    stripes = np.zeros((16, 64, 3), np.uint8)
    stripes[:, 32:] = 255  # a crop of the middle would see as much; its left half would not
    Image.fromarray(stripes).save(tmp_path / "a.png")
    # As CLIP's: (.5 - .5) / .5, the mean of black and white.
    assert np.abs(read(tmp_path / "a.png")).max() <= 1.0
    assert json.loads((tmp_path / "clip" / "preprocessor_config.json").read_text()) == settings
