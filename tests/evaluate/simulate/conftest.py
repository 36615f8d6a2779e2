from __future__ import annotations

import pytest

from penchant.evaluate.simulate import Simulation, simulate


@pytest.fixture(scope="session")
def simulation() -> Simulation:
    return simulate(seed=0)
