"""Pictures as a CLIP-type model reads them: decoded, scaled, cropped, normalised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.language.media.model import MediaModel, MediaModelDamaged
from penchant.types import Error, Floats

FILES = ("vision_model.onnx", "onnx/vision_model.onnx", "model.onnx")
_MOST_PIXELS = 64_000_000
_BICUBIC = 3
_LONGEST = 4  # times as long as wide: what lies outside is cropped in any case


class Unreadable(Error):
    """A file that is no picture or no sound, or too large to be one."""


class Pictures:
    """Reads picture files with the model of a folder."""

    def __init__(self, folder: Path) -> None:
        try:
            import PIL.Image
            import PIL.ImageOps
        except ImportError as error:
            raise Error(
                'pictures are decoded by Pillow: `pip install "penchant[media]"`'
            ) from error
        self._image, self._turned = PIL.Image, PIL.ImageOps.exif_transpose
        self._model = MediaModel(folder, FILES, "pixel_values")
        self._form = _Form.of(self._model)
        self.id = self._model.id
        self.dimension = len(self._model(np.zeros((1, 3, *self._form.crop), np.float32))[0])

    def __call__(self, path: Path) -> Floats:
        """Return the vector float32[d] of one file; raises `Unreadable`."""
        return np.asarray(self._model(self._pixels(path)[None])[0])

    def _pixels(self, path: Path) -> npt.NDArray[np.float32]:
        """Return float32[3, height, width]."""
        form = self._form
        try:
            with self._image.open(path) as picture:
                width, height = picture.size
                if width * height > _MOST_PIXELS:
                    raise Unreadable(f"{width} x {height} pixels, more than {_MOST_PIXELS:,}")
                # The first frame, as it was held, on white where it is transparent.
                shown = _short(self._turned(picture)).convert("RGBA")
            white = self._image.new("RGBA", shown.size, "white")
            white.alpha_composite(shown)
            plain = white.convert("RGB")
        except Unreadable:
            raise
        except Exception as error:  # Pillow has errors of many kinds for a damaged file
            raise Unreadable(str(error) or type(error).__name__) from error
        if form.resize is not None:
            plain = plain.resize(form.resized(plain.size), form.resample)
        pixels = np.asarray(_cropped(plain, form.crop, self._image), dtype=np.float32)
        values = (pixels * np.float32(form.scale) - form.mean) / form.std
        return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)


class _Form:
    """What preprocessor_config.json says; defaults are those of CLIP's image processor."""

    def __init__(self, said: Mapping[str, Any], fixed: list[int | None]) -> None:
        square = [side or 224 for side in fixed]
        size = said.get("size", {"shortest_edge": min(square)})
        self.resize: Any = size if said.get("do_resize", True) else None
        self.resample = int(said.get("resample", _BICUBIC))
        cropped = said.get("do_center_crop", "crop_size" in said or "shortest_edge" in _of(size))
        crop = said.get("crop_size", size) if cropped else size
        self.crop = _sides(crop, square)
        factor = said.get("rescale_factor", 1.0 / 255.0)
        self.scale = float(factor) if said.get("do_rescale", True) else 1.0
        normal = said.get("do_normalize", True)
        mean, std = said.get("image_mean", [0.5] * 3), said.get("image_std", [0.5] * 3)
        self.mean = np.array(mean if normal else [0.0] * 3, np.float32)
        self.std = np.array(std if normal else [1.0] * 3, np.float32)
        if self.mean.shape != (3,) or self.std.shape != (3,) or not (self.std > 0).all():
            raise ValueError("image_mean and image_std are three numbers each, std above 0")
        if self.resize is not None:
            self.resized((1, 1))

    @classmethod
    def of(cls, model: MediaModel) -> _Form:
        """Return the form, checked against the input of the graph."""
        shape = model.shape
        if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
            raise MediaModelDamaged(
                f"the model in {model.folder} reads {shape}, expected [batch, 3, height, width]"
            )
        fixed = [side if isinstance(side, int) and side > 0 else None for side in shape[2:]]
        try:
            form = cls(model.settings, fixed)
        except (TypeError, ValueError, KeyError) as error:
            raise MediaModelDamaged(
                f"the settings of the model in {model.folder} cannot be followed: {error}"
            ) from error
        for side, wanted in zip(form.crop, fixed, strict=True):
            if wanted is not None and side != wanted:
                raise MediaModelDamaged(
                    f"the model in {model.folder} reads pictures of {fixed}, its settings make "
                    f"{list(form.crop)}: settings and model are of different exports"
                )
        return form

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (width, height) to scale a picture of (width, height) to."""
        said = _of(self.resize)
        if "shortest_edge" not in said:
            height, width = _sides(self.resize, [224, 224])
            return width, height
        scale = int(said["shortest_edge"]) / min(size)
        width, height = (max(1, round(side * scale)) for side in size)
        return width, height


def _short(picture: Any) -> Any:
    """Return the middle of a strip: scaled whole, one of 1 x 60,000 pixels would take gigabytes."""
    width, height = picture.size
    most = _LONGEST * min(width, height)
    if max(width, height) <= most:
        return picture
    left, top = max(0, width - most) // 2, max(0, height - most) // 2
    return picture.crop((left, top, left + min(width, most), top + min(height, most)))


def _of(size: Any) -> Mapping[str, Any]:
    return size if isinstance(size, Mapping) else {"shortest_edge": size}


def _sides(size: Any, square: list[int]) -> tuple[int, int]:
    if isinstance(size, Mapping):
        if "height" in size:
            return int(size["height"]), int(size["width"])
        return int(size["shortest_edge"]), int(size["shortest_edge"])
    side = int(size) if size else square[0]
    return side, side


def _cropped(picture: Any, crop: tuple[int, int], image: Any) -> Any:
    """Return the middle of a picture; what it lacks is black."""
    height, width = crop
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    if (left, top) == (0, 0) and picture.size == (width, height):
        return picture
    canvas = image.new("RGB", (width, height))
    canvas.paste(picture, (-left, -top))
    return canvas
