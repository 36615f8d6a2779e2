"""The one layer that every head here is made of. Calibration is inside its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.types import Error, Floats


class HeadDamaged(Error):
    """The folder of a head is not what was written, or not one."""


@dataclass(frozen=True, slots=True)
class Linear:
    """x -> x @ weights + bias: `weights` float32[d, m], `bias` float32[m]."""

    weights: Floats
    bias: Floats

    def __call__(self, rows: Floats) -> npt.NDArray[np.float64]:
        """Return the logits of float32[n, d], float64[n, m]."""
        return np.asarray(rows @ self.weights + self.bias, dtype=np.float64)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is to be written."""
        return {"weights": self.weights, "bias": self.bias}

    @classmethod
    def read(cls, arrays: Mapping[str, npt.NDArray[Any]], inputs: int, outputs: int) -> Linear:
        """Return the layer of `arrays`; HeadDamaged where its numbers do not fit."""
        weights, bias = arrays["weights"], arrays["bias"]
        if weights.shape != (inputs, outputs) or bias.shape != (outputs,):
            raise HeadDamaged(
                f"expected weights of shape {(inputs, outputs)} and a bias of {outputs}, got "
                f"{weights.shape} and {bias.shape}: learn the head again"
            )
        return cls(weights.astype(np.float32), bias.astype(np.float32))


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probabilities of float64[n, m], rows that sum to 1."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def sigmoid(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probability of each logit."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
