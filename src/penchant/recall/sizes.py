"""How large the learned tables are that answer: what of them is kept, and in how many bits."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from penchant.recall.assemble import TUNED, RecallPlan
from penchant.recall.contextual import CONTEXTUAL
from penchant.recall.sparse import SparseRows
from penchant.store.artefacts import Artefacts
from penchant.store.vectors import Kind, Vectors


class RecallConfig(BaseModel):
    """Section `recall`: the size of what answers, against how exact it is.

    `vectors` says how the item tables of texts, networks and factors are stored, `entries` how many
    weights each item keeps in a matrix of pairs, the largest first. Both hold from the next
    training on; what they cost and save is in docs/decisions.md.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vectors: Kind = "int8"
    entries: int = Field(400, ge=1)


def shrink(folder: Artefacts, config: RecallConfig) -> None:
    """Rewrite the tables of a folder as the configuration wants them; never the other way."""
    plan = RecallPlan.load(folder)
    networks = [*plan.sequence, *([CONTEXTUAL] if plan.contextual else [])]
    tables = [f"{one}.table" for one in networks] + [f"{one}.factors" for one in plan.linear]
    for name in [*tables, "text.vectors", f"{TUNED}.vectors"]:
        if config.vectors != "float32" and folder.has(f"{name}.npy"):
            vectors = Vectors(np.array(folder.array(name)))  # in memory: its file is written over
            vectors.save(folder.path(f"{name}.npy"), config.vectors)
    for name in plan.linear:
        if folder.has(f"{name}.starts.npy"):
            parts = ("starts", "columns", "values")
            arrays = {f"{name}.{part}": np.array(folder.array(f"{name}.{part}")) for part in parts}
            rows = SparseRows.load(arrays, name)
            if int(np.diff(rows.starts).max(initial=0)) > config.entries:
                folder.write_arrays(rows.largest(config.entries).arrays(name))
