"""Sounds as a model of waveforms reads them: one channel, its sampling rate, a few seconds."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from penchant.language.media.model import MediaModel, MediaModelDamaged
from penchant.language.media.picture import Unreadable
from penchant.types import Floats

FILES = ("audio_model.onnx", "onnx/audio_model.onnx", "model.onnx")
_SECONDS = 10.0  # from the middle; what a shop plays of a record
_LEAST = 400  # samples: one window of the models that there are


class Sounds:
    """Reads WAV files with the model of a folder; its input is `input_values` float32[batch, n]."""

    def __init__(self, folder: Path) -> None:
        self._model = MediaModel(folder, FILES, "input_values")
        said = self._model.settings
        try:
            self._rate = int(said.get("sampling_rate", 16_000))
            self._normal = bool(said.get("do_normalize", True))
            fixed = self._model.shape[-1]
            self._length = fixed if isinstance(fixed, int) else int(self._rate * _SECONDS)
        except (TypeError, ValueError) as error:
            raise MediaModelDamaged(
                f"the settings of the model in {folder} cannot be followed: {error}"
            ) from error
        if self._rate < 1 or len(self._model.shape) != 2:
            raise MediaModelDamaged(
                f"the model in {folder} reads {self._model.shape} at {self._rate} Hz, expected "
                "[batch, samples] at a rate above 0"
            )
        self._fixed = isinstance(fixed, int)
        self.id = self._model.id
        self.dimension = len(self._model(np.zeros((1, max(self._length, _LEAST)), np.float32))[0])

    def __call__(self, path: Path) -> Floats:
        """Return the vector float32[d] of one file; raises `Unreadable`."""
        try:
            with wave.open(str(path), "rb") as file:
                rate, channels, width = (
                    file.getframerate(),
                    file.getnchannels(),
                    file.getsampwidth(),
                )
                most = int(rate * 600)
                content = file.readframes(min(file.getnframes(), most))
        except (OSError, EOFError, wave.Error, ZeroDivisionError) as error:
            raise Unreadable(f"no WAV file: {error}") from error
        samples = _samples(content, width, channels)
        if not len(samples) or rate < 1:
            raise Unreadable("a WAV file without samples")
        return np.asarray(self._model(self._values(samples, rate)[None])[0])

    def _values(self, samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
        if rate != self._rate:
            samples = _resampled(samples, rate, self._rate)
        spare = max(0, len(samples) - self._length)
        samples = samples[spare // 2 : spare // 2 + self._length]
        least = self._length if self._fixed else _LEAST
        samples = np.pad(samples, (0, max(0, least - len(samples))))
        if self._normal:
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        return samples.astype(np.float32)


def _samples(content: bytes, width: int, channels: int) -> npt.NDArray[np.float32]:
    """Return the mean of the channels, float32[n] from -1 to 1."""
    frame = width * channels
    raw = np.frombuffer(content[: len(content) // frame * frame], np.uint8).reshape(-1, width)
    if width == 1:
        values = (raw[:, 0].astype(np.float32) - 128.0) / 128.0
    else:
        # Little-endian, the highest byte signed: as four bytes, whatever the width.
        wide = np.zeros((len(raw), 4), np.uint8)
        wide[:, 4 - min(width, 4) :] = raw[:, -4:]
        values = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    return np.asarray(values.reshape(-1, channels).mean(axis=1), dtype=np.float32)


def _resampled(samples: npt.NDArray[np.float32], rate: int, wanted: int) -> npt.NDArray[np.float32]:
    """Return the samples at another rate, by the spectrum: what it cannot hold is left out."""
    n = max(1, round(len(samples) * wanted / rate))
    spectrum = np.fft.rfft(samples.astype(np.float64))
    kept = np.zeros(n // 2 + 1, dtype=np.complex128)
    both = min(len(kept), len(spectrum))
    kept[:both] = spectrum[:both]
    return np.asarray(np.fft.irfft(kept, n) * (n / len(samples)), dtype=np.float32)
