"""Services that tests of the API share: a small world that answers in milliseconds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

import penchant
from shelves import filled

from .live import Live, served


@pytest.fixture(scope="session")
def world_shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny world, without the language model; only read it."""
    return filled(tmp_path_factory.mktemp("world") / "shelf")


@pytest.fixture
def engine(world_shelf: Path, tmp_path: Path) -> Iterator[penchant.Engine]:
    """An engine of the tiny world to write to."""
    with penchant.open(shutil.copytree(world_shelf, tmp_path / "shelf")) as opened:
        yield opened


@pytest.fixture
def live(engine: penchant.Engine) -> Iterator[Live]:
    """A service of the tiny world without limits on rates, and without keys."""
    with served(engine) as found:
        yield found


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as found:
        yield found
