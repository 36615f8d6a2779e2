"""Learning linear recall: EASE under a time kernel where the catalogue allows it, else iALS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.learn.view import View
from penchant.recall.linear import Recency
from penchant.recall.sparse import SparseRows
from penchant.store.artefacts import Artefacts
from penchant.types import Floats, Tell


@dataclass(frozen=True, slots=True)
class Kernel:
    """How much a pair of one person's events counts, by the distance between them.

    k = 2^(-moments apart / moments_half) * 2^(-days apart / days_half), both positive definite. A
    `moments_half` of 0 keeps pairs of one moment only.
    """

    moments_half: float = float("inf")
    days_half: float = float("inf")


@dataclass(frozen=True, slots=True)
class Ease:
    """One linear source to learn: its kernel, its ridge, and the recency it is asked with."""

    name: str
    kernel: Kernel
    ridge: float
    recency: Recency
    keep: int = 400  # entries kept per row of the matrix that is served


DAY = 86_400.0
SINGLE_ABOVE = 6_000  # items above which the inverse is taken in single precision
LONGEST = 500  # events of one person that count, the newest


def gram(view: View, kernel: Kernel) -> Floats:
    """Return G float32[n, n] with G_ij = sum over persons of k between their events of i and j."""
    n = view.n_items
    total = np.zeros((n, n), dtype=np.float32)
    ordered, starts = view.by_user()
    for a, e in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        a = max(a, e - LONGEST)
        items, times = ordered.items[a:e], ordered.times[a:e]
        moments = np.cumsum(np.diff(times, prepend=times[0]) != 0)
        apart = np.abs(moments[:, None] - moments[None])
        if kernel.moments_half == 0:
            k = (apart == 0).astype(np.float32)
        else:
            k = np.exp2(-apart / kernel.moments_half).astype(np.float32)
        if np.isfinite(kernel.days_half):
            days = np.abs(times[:, None] - times[None]) / DAY
            k *= np.exp2(-days / kernel.days_half).astype(np.float32)
        total[np.ix_(items, items)] += k
    return total


def solve(total: Floats, ridge: float) -> Floats:
    """Return B float32[n, n], zero diagonal: the closed form of EASE for a Gram matrix.

    Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, equation 8. Items that
    were never wanted keep zero rows and columns. B is written over `total` wherever that is in
    single precision, so that a catalogue of 12,000 items takes two matrices of 0.6 GB at the peak,
    or one where each item was wanted.
    """
    from scipy.linalg import lapack

    alive = np.flatnonzero(np.diag(total) > 0)
    if not len(alive) or np.count_nonzero(total) <= len(alive):
        total[:] = 0.0  # no pair was ever wanted together: nothing goes with anything
        return total
    kind = np.float64 if len(alive) < SINGLE_ABOVE else np.float32
    whole = len(alive) == len(total)
    part = total if whole else total[np.ix_(alive, alive)]
    # Symmetric, so its transpose is itself in the order of columns that LAPACK works on in place.
    left: npt.NDArray[Any] = part.astype(kind, copy=False).T
    left[np.diag_indices(len(alive))] += ridge
    # Not by Cholesky: measured on busy machines, OpenBLAS's potri with four threads took 40 s where
    # the general inverse took 6 (one thread: 3.7 against 5.8).
    factor, invert, size = lapack.get_lapack_funcs(("getrf", "getri", "getri_lwork"), (left,))
    left, pivots, failed = factor(left, overwrite_a=True)
    if not failed:
        left, failed = invert(left, pivots, lwork=int(size(len(alive))[0].real), overwrite_lu=True)
    if failed:
        raise np.linalg.LinAlgError(f"the Gram matrix of {len(alive)} items is singular")
    left = left.T
    left /= -np.diag(left).copy()[None]
    left[np.diag_indices(len(alive))] = 0.0
    if whole:
        total[:] = left
    else:
        total[:] = 0.0
        total[np.ix_(alive, alive)] = left
    return total


def learn_ease(view: View, config: Ease) -> SparseRows:
    """Return the largest weights of each item, learned from the wanted events of `view`."""
    return SparseRows.from_dense(solve(gram(view, config.kernel), config.ridge), config.keep)


def fit_ease(
    view: View, heads: Sequence[Ease], folder: Artefacts, progress: Tell | None = None
) -> None:
    """Write the sources `heads`; those that learn alike, and are only asked otherwise, share."""
    learned: dict[tuple[Kernel, float, int], str] = {}
    for number, head in enumerate(heads):
        alike = (head.kernel, head.ridge, head.keep)
        if alike not in learned:
            learned[alike] = head.name
            weights = solve(gram(view, head.kernel), head.ridge)
            rows = SparseRows.from_dense(weights, head.keep)
            folder.write_arrays(rows.arrays(head.name))
        meta = {"model": "ease", "rows": learned[alike], **_finite(asdict(head.recency))}
        folder.write_json(head.name, meta)
        if progress is not None:
            progress(head.name, (number + 1) / len(heads))


def fit_factors(
    view: View,
    name: str,
    folder: Artefacts,
    *,
    factors: int,
    regularization: float,
    alpha: float,
    iterations: int,
    recency: Recency,
    seed: int,
    threads: int = 0,
) -> None:
    """Write implicit-feedback factors (iALS), for catalogues too large for a matrix of pairs.

    `threads` is how many solve for factors at once, 0 for all cores.
    """
    import implicit.cpu.als as als
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    matrix = csr_matrix(
        (np.ones(len(view), dtype=np.float32), (view.users, view.items)),
        shape=(view.n_users, view.n_items),
    )
    # Its threads each call BLAS: more than one thread there costs ten times as long.
    with threadpool_limits(1, "blas"):
        model = als.AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=iterations,
            random_state=seed,
            num_threads=threads,
        )
        model.fit(matrix, show_progress=False)
    learned = np.asarray(model.item_factors, dtype=np.float32)
    never = np.asarray(matrix.sum(axis=0)).ravel() == 0
    learned[never] = np.nan
    folder.write_array(f"{name}.factors", learned)
    meta = {"model": "ials", "alpha": alpha, "regularization": regularization}
    folder.write_json(name, {**meta, **_finite(asdict(recency))})


def _finite(recency: dict[str, float]) -> dict[str, float]:
    # JSON has no infinity; a half-life of a million days or moments is one.
    return {key: min(value, 1e6) for key, value in recency.items()}
