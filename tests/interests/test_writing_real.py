"""A real model behind a real server proposes interests: fence, schema, retry and grounding."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from language.generator import tiny
from numbered import NOW, columns, state
from penchant.interests.concepts import Concepts, Learned
from penchant.interests.expansion.expander import CannotExpand
from penchant.interests.expansion.ground import Ground
from penchant.interests.expansion.portrait import portrait
from penchant.interests.expansion.writing import Writing
from penchant.language.generator.budget import Budget
from penchant.language.generator.endpoint import Endpoint
from penchant.language.generator.generator import AnswerRefused
from penchant.language.generator.guarded import Guarded
from penchant.store.vectors import Vectors

pytestmark = pytest.mark.slow

PER_KIND = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("tiny")
    tiny.taught(found, tiny.expanding(random.Random(0)), seconds=90.0)
    return found


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with tiny.served(folder) as found:
        yield found


@pytest.fixture(scope="module")
def ground() -> Ground:
    """Return a shelf of the four kinds that the model has heard of."""
    rng = random.Random(7)
    rows = [
        {"item_id": f"{kind}-{n}", "title": tiny.group(kind, rng)[0][0], "category": kind}
        for kind in tiny.KINDS
        for n in range(PER_KIND)
    ]
    catalogue = columns(pl.DataFrame(rows).with_columns(description=pl.lit("")))
    kinds = list(tiny.KINDS)
    learned = Learned(
        tuple(kinds),
        ("category",) * len(kinds),
        np.arange(len(rows) + 1, dtype=np.int64),
        np.repeat(np.arange(len(kinds)), PER_KIND).astype(np.int32),
        np.full((len(kinds), 1), np.nan, dtype=np.float32),
    )
    return Ground("s", catalogue, Concepts(catalogue, learned), None, Vectors())


def test_what_it_proposes_is_in_the_catalogue_and_mostly_right(
    ground: Ground, folder: Path, url: str
) -> None:
    generator = Guarded(Endpoint(url, str(folder), max_tokens=60), Budget(calls=100))
    writing = Writing(ground, generator, 60.0)
    valid = right = 0
    for number, kind in enumerate(tiny.KINDS):
        for first in (0, 3, 5):
            items = np.arange(first, first + 2, dtype=np.int32) + PER_KIND * number
            mine = portrait(state(items, now=NOW), ground)
            try:
                made = writing.expand(mine, 10)
            except (AnswerRefused, CannotExpand):
                continue
            valid += 1
            assert made.tokens > 100
            names = [ground.concepts.names[one.concept] for one in made.proposals]
            assert kind not in names
            assert set(names) <= set(tiny.KINDS)
            right += names[0] == tiny.NEXT[kind]
    assert valid >= 6
    assert right > valid / 2  # of three kinds that lie ahead
    assert generator.state()["failed"] == 0
