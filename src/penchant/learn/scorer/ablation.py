"""Ablation: what each group of columns adds to the ranker, and which of them it goes without."""

from __future__ import annotations

from collections.abc import Sequence

from penchant.learn.config import LearnConfig, RankerConfig
from penchant.learn.scorer.choice import Choice, gained, visible
from penchant.learn.scorer.rows import Rows
from penchant.rank.circumstances import is_of_circumstances
from penchant.rank.features import NEAR_WINDOWS, OF_WINDOWS
from penchant.recall.assemble import TUNED
from penchant.recall.contextual import CONTEXTUAL

INTEREST = "where interest points"
CIRCUMSTANCES = "circumstances"
FREE = (INTEREST, CIRCUMSTANCES)
"""Groups that are measured always, and left out where they lose: that costs nothing else."""

_GROUPS = {
    "sequence": ("sequence",),
    "sequence_text": ("sequence_text",),
    "text": ("text", "affinity"),
    "tuned": (TUNED,),
    CONTEXTUAL: (CONTEXTUAL,),
    "co-visitation": ("after", "together"),
    INTEREST: (*OF_WINDOWS, *NEAR_WINDOWS),
}


def ablated(
    rows: Rows, choice: Choice, ranker: RankerConfig, config: LearnConfig
) -> dict[str, float]:
    """Return what each group of columns adds to the ranker's NDCG@10, on the same later requests.

    Of those that cost little, too, where nobody asked what each source adds.
    """
    if choice.scorer != "ranker":
        return {}
    groups = {
        name: members
        for name, members in _groups(rows.names).items()
        if any(member in rows.names for member in members)
        and (config.ablate or name in (*FREE, CONTEXTUAL))
    }
    gains = gained(rows, list(groups.values()), ranker, config.seed)
    return dict(zip(groups, gains, strict=True))


def left(names: Sequence[str], dropped: Sequence[str]) -> list[str]:
    """Return the columns that are left without groups and sources that were dropped."""
    groups = _groups(names)
    hidden = [member for name in dropped for member in (groups[name] if name in FREE else (name,))]
    return visible(names, hidden)


def _groups(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {**_GROUPS, CIRCUMSTANCES: tuple(filter(is_of_circumstances, names))}
