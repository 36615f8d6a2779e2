"""A shelf of real films with simulated viewers whose tastes are known, and worlds of any size.

The viewers are simulated; `NOTICE` says so and belongs wherever they are shown.
"""

from __future__ import annotations

from penchant.evaluate.simulate.simulation import NOTICE, Simulation, genres, simulate
from penchant.evaluate.simulate.truth import Truth, attraction, examination
from penchant.evaluate.simulate.world import World, world

__all__ = [
    "NOTICE",
    "Simulation",
    "Truth",
    "World",
    "attraction",
    "examination",
    "genres",
    "simulate",
    "world",
]
