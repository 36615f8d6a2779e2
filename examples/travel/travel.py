"""Where you stand, the season and the weather each move the list, as the truth says they should.

    python examples/travel/travel.py

Real sights, simulated travellers (`travellers.py`); nobody in it exists. Events bring their context
as columns, a training learns what each context changes, and a request says in which one it asks.
"""

import tempfile

import numpy as np
import polars as pl
from travellers import kilometres, simulate

import penchant

PARIS, SYDNEY = {"latitude": 48.86, "longitude": 2.34}, {"latitude": -33.87, "longitude": 151.21}
HERE = PARIS | {"season": "summer", "weather": "sun"}
ASKED = {  # what is changed, and what must then rise in the list
    "in Sydney": (HERE | SYDNEY, "km from Paris"),
    "in rain": (HERE | {"weather": "rain"}, "indoors"),
    "in winter": (HERE | {"season": "winter"}, "good in winter"),
}


def shares(world, lists):
    """Return what stands in lists of item ids: medians of kilometres, shares of the others."""
    known = {s["item_id"]: s for s in world.sights}
    found = [known[item] for one in lists for item in one]
    places = np.array([(s["latitude"], s["longitude"]) for s in found]).T
    return {
        "km from Paris": float(np.median(kilometres(*PARIS.values(), *places))),
        "indoors": float(np.mean([s["indoor"] for s in found])),
        "good in winter": float(np.mean(["winter" in s["best_seasons"] for s in found])),
    }


def truly_best(world, user, context, k):
    """Return the k sights that are worth most to a traveller who has not seen them."""
    seen = {e["item_id"] for e in world.events if e["user_id"] == user}
    order = np.argsort(-world.utilities(user, context))
    names = [world.sights[i]["item_id"] for i in order]
    return [name for name in names if name not in seen][:k]


def prove(world, folder, people=40, k=10):
    """Return, of each question, what stands in the engine's lists and in the truth's."""
    asking, end = world.users[:people], world.events[-1]["timestamp"] + 60
    with penchant.open(folder, effort="fast") as engine:
        engine.add(world.sights)
        engine.record(pl.DataFrame(world.events), now=end)
        engine.train()

        def lists(context):
            slates = [engine.recommend(u, k, context=context, now=end) for u in asking]
            return [[line.item_id for line in slate] for slate in slates]

        found, told = {}, lists(HERE)
        for name, (context, _) in {"here": (HERE, ""), **ASKED}.items():
            best = [truly_best(world, u, context, k) for u in asking]
            found[name] = shares(world, lists(context)), shares(world, best)
        gains = []
        for u, blind, aware in zip(asking, lists(None), told, strict=True):
            worth = {i: world.utility(u, i, HERE) for i in {*blind, *aware}}
            gains.append(np.mean([worth[i] for i in aware]) - np.mean([worth[i] for i in blind]))
        return found, float(np.mean(gains))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found, gain = prove(simulate(), folder)
    print("Ten sights for each of 40 simulated travellers in Paris, in summer, in the sun:")
    for name, (_, what) in ASKED.items():
        (before, wanted), (after, then) = (tuple(f[what] for f in found[n]) for n in ("here", name))
        print(
            f"{name:10} {what}: {before:.2f} -> {after:.2f}; the truth {wanted:.2f} -> {then:.2f}"
        )
    print(f"told the context, a sight of the list is worth {gain:+.2f} more than told nothing")
