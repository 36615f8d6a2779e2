"""What a process let go of goes back to the system, not only to the C library."""

from __future__ import annotations

import gc
import platform

import psutil
import pytest

from penchant.store.heap import give_back

MB = 1_000_000


class Ring:
    """Something that only the collector of garbage can free."""

    def __init__(self) -> None:
        # Of a size that the C library takes from its heap, not from the system.
        self.blocks = [b"x" * 10_000 for _ in range(8_000)]
        self.itself = self


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is free")
def test_what_nobody_holds_goes_back() -> None:
    process = psutil.Process()
    ring: Ring | None = Ring()
    assert ring is not None
    kept = ring.blocks[::500]  # and what lies between them goes back all the same
    full = process.memory_info().rss
    gc.disable()
    try:
        del ring
        give_back()
    finally:
        gc.enable()
    assert full - process.memory_info().rss > 60 * MB
    assert all(block == b"x" * 10_000 for block in kept)
