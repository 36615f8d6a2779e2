"""How many threads learning may take: one number for BLAS, OpenMP and torch alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limited(threads: int, networks: bool) -> Iterator[None]:
    """Keep every library of a training to `threads` while the block runs.

    With 0 each takes all cores, or what its own variable in the environment (OMP_NUM_THREADS) says.
    `networks` is whether torch is among them.
    """
    if threads <= 0:
        yield
        return
    # Loaded before the limit is set: threadpoolctl reaches only what is there.
    import lightgbm  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if not networks:
        with threadpool_limits(threads):
            yield
        return
    import torch

    before = torch.get_num_threads()
    with threadpool_limits(threads):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
