"""Clusters: items that the same people want, named by what is typical of them.

Spherical k-means (Dhillon and Modha, 2001) of where items stand by who wanted them; what hardly
anybody wanted joins the cluster that its text is nearest to. A cluster keeps the name that it had
in the snapshot before where most of its items are the same: people may have spoken of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from penchant.interests.concepts import folded
from penchant.types import Floats, Ids

PER_ROOT = 1.2  # clusters for the root of the number of items
FEWEST, MOST = 6, 200
LEAST = 12  # items that are placed, below which there are no clusters
SAME = 0.5  # of the items of two clusters, from which on they are the same one
TYPICAL = 0.25  # of the items of a cluster that bear what it is called by
TITLES = 12  # that a generator is told of a cluster
COMMON = 0.03  # of all titles; a word that more of them hold is no name
Ask = Callable[[Sequence[str], Sequence[str]], str | None]
_WORD = re.compile(r"[^\W\d_][^\W_]{3,}|[\u3400-\u9fff]{2,}")


@dataclass(frozen=True, eq=False)
class Clusters:
    """`of` int32[n_items] is the cluster of each item, -1 for none; `centres` float32[c, d] unit.

    Centres are in the space of the text vectors, rows of NaN where no item of a cluster has one.
    """

    of: Ids
    centres: Floats

    def __len__(self) -> int:
        return len(self.centres)


def clusters(placed: Floats, texts: Floats | None, seed: int = 0) -> Clusters | None:
    """Return clusters of items; None where too few are placed by what people wanted, or by text.

    `placed` float32[n, d] is where items stand by who wanted them, `texts` float32[n, e] their text
    vectors; rows of NaN are not known.
    """
    known = np.isfinite(placed[:, 0])
    if known.sum() < LEAST:
        if texts is None or np.isfinite(texts[:, 0]).sum() < LEAST:
            return None
        placed, known = texts, np.isfinite(texts[:, 0])
    count = int(np.clip(round(PER_ROOT * np.sqrt(known.sum())), FEWEST, MOST))
    # What nobody can tell apart is one.
    count = min(count, int(known.sum()) // 2, len(np.unique(placed[known].round(4), axis=0)))
    fitted = KMeans(count, n_init=3, random_state=seed).fit(placed[known])
    of = np.full(len(placed), -1, dtype=np.int32)
    of[known] = fitted.labels_
    if texts is None:
        return Clusters(of, np.full((count, 1), np.nan, dtype=np.float32))
    said = np.isfinite(texts[:, 0])
    centres = np.full((count, texts.shape[1]), np.nan, dtype=np.float32)
    for cluster in range(count):
        mine = texts[(of == cluster) & said]
        if len(mine):
            centre = mine.mean(axis=0)
            centres[cluster] = centre / max(float(np.linalg.norm(centre)), 1e-9)
    late = np.flatnonzero((of < 0) & said)
    reached = np.flatnonzero(np.isfinite(centres[:, 0]))
    if len(late) and len(reached):
        of[late] = reached[(texts[late] @ centres[reached].T).argmax(axis=1)]
    return Clusters(of, centres)


def named(
    found: Clusters,
    about: Sequence[Sequence[str]],
    titles: Sequence[str],
    wanted: np.ndarray,
    taken: set[str],
    before: Mapping[str, set[int]] | None = None,
    ask: Ask | None = None,
) -> list[str]:
    """Return a name for each cluster, none of them in `taken` (folded) and no two the same.

    `about` are the names of what each item bears, `wanted` float[n] how often each was wanted, and
    `before` the clusters of the snapshot before: name -> items. Others are called what `ask` says
    to their most wanted titles and typical words, else by what sets them apart most, p log(p / q)
    with p the share of its items that bear a name or have a word in their title, q that of all
    (class-based tf-idf in other words), else by their most wanted item.
    """
    kept = _kept(found, before or {})
    taken = {*taken, *(folded(name) for name in kept.values())}
    shares = Counter(term for item in range(len(titles)) for term in _terms(item, about, titles))
    own = {name for names in about for name in names}
    for term, count in list(shares.items()):
        if term not in own and count > COMMON * len(titles):
            del shares[term]
    names = []
    for cluster in range(len(found)):
        name = kept.get(cluster)
        if name is None:
            items = np.flatnonzero(found.of == cluster).tolist()
            terms = _typical(items, about, titles, shares)
            first = [titles[item] for item in sorted(items, key=lambda item: -float(wanted[item]))]
            said = ask([title for title in first if title][:TITLES], terms) if ask else None
            ways = _ways(terms, first[:3])
            name = said if said and folded(said) not in taken else _unlike(taken, ways)
            taken.add(folded(name))
        names.append(name)
    return names


def _terms(item: int, about: Sequence[Sequence[str]], titles: Sequence[str]) -> set[str]:
    spoken = {word.casefold() for word in _WORD.findall(titles[item])}
    return spoken | set(about[item])


def _typical(
    items: Sequence[int],
    about: Sequence[Sequence[str]],
    titles: Sequence[str],
    shares: Counter[str],
) -> list[str]:
    """Return what sets a cluster apart, the most typical first."""
    n, size = max(1, len(titles)), max(1, len(items))
    counts = Counter(term for item in items for term in _terms(item, about, titles))
    typical = [
        (count / size * np.log((count / size) / (max(shares[term], 1) / n)), term)
        for term, count in counts.items()
        if shares[term]
        and count >= max(2, TYPICAL * size)
        and count / size > 1.5 * shares[term] / n
    ]
    return [term for _, term in sorted(typical, key=lambda one: (-one[0], one[1]))]


def _ways(terms: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Return ways to call a cluster by its typical terms and most wanted titles, best first."""
    # A word that a longer name holds says nothing more.
    said = [t for t in terms if not any(t != o and t in folded(o) for o in terms)][:4]
    ways = [" & ".join(said[:m]) for m in range(1, len(said) + 1)][1:2] if len(said) > 1 else said
    best = f"like {shown[0]}" if shown and shown[0] else ""
    if ways and best:
        ways += [f"{ways[0]}: {title}" for title in shown if title]
    ways += [f"like {title}" for title in shown if title]
    return [*ways, *(" & ".join(said[:m]) for m in (3, 4) if len(said) >= m), "a group of items"]


def _unlike(taken: set[str], ways: Sequence[str]) -> str:
    for way in ways:
        if folded(way) not in taken:
            return way
    number = 2
    while folded(f"{ways[0]} {number}") in taken:
        number += 1
    return f"{ways[0]} {number}"


def _kept(found: Clusters, before: Mapping[str, set[int]]) -> dict[int, str]:
    """Return the names of clusters that were there before, each once, the most alike first."""
    pairs = []
    for cluster in range(len(found)):
        items = set(np.flatnonzero(found.of == cluster).tolist())
        for name, old in before.items():
            both = len(items & old)
            if both and both >= SAME * len(items | old):
                pairs.append((both / len(items | old), cluster, name))
    kept: dict[int, str] = {}
    used: set[str] = set()
    for _, cluster, name in sorted(pairs, key=lambda one: (-one[0], one[1], one[2])):
        if cluster not in kept and name not in used:
            kept[cluster] = name
            used.add(name)
    return kept
