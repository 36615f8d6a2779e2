"""One training at a time in a directory.

Two would learn the same twice, each would be judged against what the other replaces, and the one
that ends last would serve, whichever knows more. The second is refused at once instead of waiting:
what it would learn is mostly what the first is learning now.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from penchant.store.lock import FileLock, Held
from penchant.types import Error

LOCK = "training.lock"


class AlreadyTraining(Error):
    """Another training is at work in the directory."""


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Keep other trainings out of the directory; the kernel ends that when this process dies."""
    with ExitStack() as stack:
        lock = stack.enter_context(closing(FileLock(directory / LOCK)))
        try:
            stack.enter_context(lock.held(wait=False))
        except Held as error:
            raise AlreadyTraining(
                f"another training is at work in {directory}; when it is done its snapshot serves, "
                "and a new training learns what came since. Wait for it, or end its process"
            ) from error
        yield
