"""FTRL-Proximal: weights that follow one gradient at a time, each coordinate at its own pace.

McMahan et al. (2013), "Ad Click Prediction: a View from the Trenches", algorithm 1; here for the
distance from where the weights began, so that without evidence they stay there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float64]


class Proximal:
    """Weights float64[d] that begin at `start` and follow the gradients of a loss.

    `rate` is alpha and `calm` beta of the paper: a coordinate moves by rate / (calm + sqrt(sum of
    its squared gradients)). `pull` is lambda 2: it draws back to the start.
    """

    def __init__(
        self, start: npt.ArrayLike, rate: float, calm: float = 1.0, pull: float = 0.0
    ) -> None:
        self._start: Weights = np.array(start, dtype=np.float64)
        self._rate, self._calm, self._pull = rate, calm, pull
        self._z: Weights = np.zeros_like(self._start)
        self._n: Weights = np.zeros_like(self._start)
        self.weights: Weights = self._start.copy()

    def kept(self) -> npt.NDArray[np.float64]:
        """Return what `resume` takes up again, float64[3, d]."""
        return np.stack((self._z, self._n, self.weights))

    def resume(self, kept: npt.NDArray[np.float64]) -> None:
        """Go on from where other weights were."""
        self._z, self._n, self.weights = (row.copy() for row in kept)

    def follow(self, gradient: npt.NDArray[np.floating]) -> None:
        """Take one step against a gradient float[d]; one that is not finite is passed over."""
        if not np.isfinite(gradient).all():
            return
        squared = self._n + gradient**2
        sigma = (np.sqrt(squared) - np.sqrt(self._n)) / self._rate
        self._z += gradient - sigma * (self.weights - self._start)
        self._n = squared
        pace = (self._calm + np.sqrt(squared)) / self._rate + self._pull
        self.weights = self._start - self._z / pace
