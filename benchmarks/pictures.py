"""Prints what pictures are worth where they tell what no text does: JSON, a line an arm.

    python benchmarks/pictures.py                       # three worlds, the source "tuned" alone
    python benchmarks/pictures.py --engine              # and the whole engine, effort fast

A made-up shop: things of several kinds, each in one of eight styles (two colours and a pattern).
The title names the kind and never the style; a PNG file of 48 x 48 noisy pixels shows it. People
want one or two kinds in one or two styles. The encoder of pictures is a small convolutional network
that was trained on drawings of styles that the shop does not have, and exported as CLIP's are.
Measured is the next wish, NDCG@10: over all, and over items that nobody had wanted (a fifth, all
their events taken away). Differences to text alone are paired, over people.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import penchant
from penchant.measure.intervals import paired
from penchant.measure.ranking import Lists, hits, ndcg

SIDE, K, DAY, BEGIN = 48, 10, 86_400.0, 1.6e9
STYLES, THINGS, ITEMS, PEOPLE, EACH = 8, 10, 600, 1500, 12
NAMES = [
    "chair",
    "lamp",
    "kettle",
    "rug",
    "clock",
    "vase",
    "mirror",
    "basket",
    "cushion",
    "shelf",
    "candle",
    "stool",
]
MAKES = [
    "Alder",
    "Birch",
    "Cedar",
    "Dune",
    "Ember",
    "Flint",
    "Grove",
    "Iris",
    "Maple",
    "Opal",
    "Pine",
    "Slate",
]
PATTERNS = ("plain", "stripes", "columns", "checks", "dots", "diagonal")
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Shop:
    """Items with pictures, and what people wanted: `style` and `thing` of each item by number."""

    items: list[dict[str, Any]]
    pictures: dict[str, bytes]
    events: pl.DataFrame
    style: Array
    thing: Array


def styles(n: int, rng: np.random.Generator) -> list[tuple[Array, Array, str]]:
    """Return colours and pattern of `n` styles, no two of them alike."""
    patterns = [PATTERNS[i % len(PATTERNS)] for i in rng.permutation(max(n, len(PATTERNS)))[:n]]
    return [(rng.random(3), rng.random(3), pattern) for pattern in patterns]


def drawn(style: tuple[Array, Array, str], rng: np.random.Generator, noise: float = 0.15) -> Array:
    """Return a picture of something in a style, uint8[48, 48, 3]."""
    first, second, pattern = style
    y, x = np.mgrid[0:SIDE, 0:SIDE] + rng.integers(0, SIDE)
    step = int(rng.integers(6, 10))
    mask = {
        "plain": np.zeros_like(x, dtype=bool),
        "stripes": (y // step) % 2 == 0,
        "columns": (x // step) % 2 == 0,
        "checks": (x // step + y // step) % 2 == 0,
        "dots": (x % step - step / 2) ** 2 + (y % step - step / 2) ** 2 < step,
        "diagonal": ((x + y) // step) % 2 == 0,
    }[pattern]
    picture = np.where(mask[..., None], second, first)
    # The thing itself: a shape somewhere, in a shade that says nothing.
    top, left = rng.integers(0, SIDE // 2, 2)
    high, wide = rng.integers(6, SIDE // 2, 2)
    picture[top : top + high, left : left + wide] = rng.random()
    picture = picture + rng.normal(scale=noise, size=picture.shape)
    return np.asarray(np.clip(picture, 0, 1) * 255, dtype=np.uint8)


def png(picture: Array) -> bytes:
    """Return the content of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def network(folder: Path, seed: int = 0, seconds_of: int = 220) -> Path:
    """Train a small network to tell drawn styles apart, and export it as CLIP's vision part is."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.manual_seed(seed)
    rng = np.random.default_rng(10_000 + seed)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.ReLU(),
        nn.Conv2d(16, 32, 5, stride=2, padding=2), nn.ReLU(),
        nn.Conv2d(32, 48, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 32),
    )  # fmt: skip
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(seconds_of):
        # Two pictures of each of 24 styles: each finds its other among all (SimCLR's loss).
        some = styles(24, rng)
        pairs = np.stack([np.stack([drawn(s, rng) for s in some]) for _ in range(2)])
        pixels = torch.from_numpy(pairs.astype(np.float32) / 127.5 - 1.0).permute(0, 1, 4, 2, 3)
        one, two = (F.normalize(net(part), dim=1) for part in pixels)
        loss = F.cross_entropy(one @ two.T / 0.1, torch.arange(len(some)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    folder.mkdir(parents=True)
    net.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.zeros(2, 3, SIDE, SIDE),),
            folder / "vision_model.onnx",
            input_names=["pixel_values"],
            output_names=["image_embeds"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    settings = {
        "do_resize": True,
        "size": {"shortest_edge": SIDE},
        "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE},
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def shop(seed: int, people: int = PEOPLE) -> Shop:
    """Return a shop and what its people wanted, the same for the same seed."""
    rng = np.random.default_rng(seed)
    kinds = styles(STYLES, rng)
    style, thing = rng.integers(0, STYLES, ITEMS), rng.integers(0, THINGS, ITEMS)
    items, pictures = [], {}
    for n in range(ITEMS):
        name = f"i{n}.png"
        pictures[name] = png(drawn(kinds[style[n]], rng))
        title = f"{MAKES[rng.integers(len(MAKES))]} {NAMES[thing[n]]} no. {rng.integers(1000)}"
        items.append({"item_id": f"i{n}", "title": title, "attributes": {"image": name}})
    rows = []
    for person in range(people):
        looks = rng.choice(STYLES, 2, replace=False)
        needs = rng.choice(THINGS, 2, replace=False)
        fits = np.isin(style, looks) * 1.0 + np.isin(thing, needs) * 1.0
        chance = np.array([0.02, 0.3, 6.0])[fits.astype(int)]
        wanted = rng.choice(ITEMS, EACH, replace=False, p=chance / chance.sum())
        times = np.sort(rng.random(EACH)) * 60 * DAY + BEGIN
        rows += [(f"u{person}", f"i{n}", t) for n, t in zip(wanted, times, strict=True)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return Shop(items, pictures, frame.sort("timestamp"), style, thing)


def laid(shop: Shop, folder: Path, model: Path, pictures: str, missing: set[str]) -> Path:
    """Write a shelf's settings and pictures; `pictures` is "none", "files" or "vectors"."""
    folder.mkdir(parents=True)
    lines = ["[text]\nreviews = 0\n"]
    if pictures == "files":
        for name, content in shop.pictures.items():
            if name not in missing:
                (folder / name).write_bytes(content)
        lines.append(f'[media]\npicture = "image"\npicture_model = "{model}"\n')
    elif pictures == "vectors":
        lines.append('[media]\nvector = "look"\nvector_length = 32\n')
    (folder / "penchant.toml").write_text("\n".join(lines))
    return folder


def offered(shop: Shop, model: Path, pictures: str, missing: set[str]) -> list[dict[str, Any]]:
    """Return the items as the shelf is given them."""
    if pictures != "vectors":
        return [
            item if item["attributes"]["image"] not in missing else item | {"attributes": {}}
            for item in shop.items
        ]
    from penchant.language.media.picture import Pictures

    read, out = Pictures(model), []
    with tempfile.TemporaryDirectory() as place:
        for item in shop.items:
            path = Path(place) / item["attributes"]["image"]
            path.write_bytes(shop.pictures[path.name])
            out.append(item | {"attributes": {"look": read(path).tolist()}})
    return out


def asked(shop: Shop, cold: set[str]) -> tuple[pl.DataFrame, list[tuple[str, list[str], str]]]:
    """Return what is learned from, and questions: who, what they had before, what came next."""
    last = shop.events.group_by("user_id", maintain_order=True).tail(3)
    held = set(zip(last["user_id"], last["item_id"], strict=True))
    kept = [
        (u, i) not in held and i not in cold
        for u, i in zip(shop.events["user_id"], shop.events["item_id"], strict=True)
    ]
    learned = shop.events.filter(pl.Series(kept))
    past = dict(learned.group_by("user_id", maintain_order=True).agg("item_id").iter_rows())
    return learned, [
        (u, past[u], i) for u, i in zip(last["user_id"], last["item_id"], strict=True) if u in past
    ]


def gains(lists: list[list[int]], targets: list[int]) -> Array:
    ranked = np.array([one + [-1] * (K - len(one)) for one in lists], dtype=np.int64)
    right = Lists.of([np.array([t], dtype=np.int32) for t in targets])
    return np.asarray(ndcg(hits(ranked, right), right.lengths, K))


def source_alone(
    folder: Path, learned: pl.DataFrame, questions: list[tuple[str, list[str], str]], seed: int
) -> Array:
    """Return NDCG@10 of each question, answered by the source "tuned" alone."""
    from penchant.learn.config import ProjectionConfig
    from penchant.learn.release.publish import open_view
    from penchant.learn.tuning.projection import ProjectionLearner
    from penchant.recall.text import Lift
    from penchant.store.open import open_store

    with open_store(folder) as store:
        view, raw, _ = open_view(store)
    assert raw is not None
    learner = ProjectionLearner("tuned", ProjectionConfig(), raw, layout=view.layout, seed=seed)
    learner.fit(view.wanted())
    learner.fit(view.wanted(), 0.2)
    rows, lift = np.nan_to_num(learner.vectors()), Lift(learner.lift, learner.tried)
    number = {item: n for n, item in enumerate(view.columns.ids)}
    lists = []
    for _, past, _ in questions:
        had = [number[item] for item in past]
        values = (rows[had[-10:]].mean(axis=0) @ rows.T).astype(np.float32)
        lift(values)
        values[had] = -np.inf
        lists.append(np.argsort(-values, kind="stable")[:K].tolist())
    return gains(lists, [number[item] for _, _, item in questions])


def whole_engine(
    folder: Path, questions: list[tuple[str, list[str], str]], seed: int, now: float
) -> Array:
    """Return NDCG@10 of each question, answered by the engine after a training."""
    with penchant.open(folder, effort="fast") as engine:
        engine.train(seed=seed)
        ids = {item: n for n, item in enumerate(sorted({i for _, _, i in questions}))}
        lists, told = [], {}
        for user, _, _ in questions:
            if user not in told:
                slate = engine.recommend(user, K, now=now, log=False)
                told[user] = [ids.get(line.item_id, len(ids)) for line in slate]
            lists.append(told[user])
        return gains(lists, [ids[item] for _, _, item in questions])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--engine", action="store_true")
    options = parser.parse_args()
    found: dict[tuple[str, str], list[Array]] = {}
    cold_ones: list[Array] = []
    with tempfile.TemporaryDirectory() as place:
        for seed in range(options.seeds):
            root = Path(place) / str(seed)
            model = network(root / "model", seed)
            made, rng = shop(seed), np.random.default_rng(seed)
            cold = {f"i{n}" for n in rng.choice(ITEMS, ITEMS // 5, replace=False)}
            learned, questions = asked(made, cold)
            half = {f"i{n}.png" for n in rng.choice(ITEMS, ITEMS // 2, replace=False)}
            cold_ones.append(np.array([item in cold for _, _, item in questions]))
            for arm, pictures, missing in (
                ("text alone", "none", set()),
                ("text and pictures", "files", set()),
                ("half of the pictures missing", "files", half),
                ("ready vectors", "vectors", set()),
            ):
                folder = laid(made, root / arm, model, pictures, missing)
                with penchant.open(folder, effort="fast") as engine:
                    engine.add(offered(made, model, pictures, missing))
                    events = learned.with_columns(event=pl.lit("click"))
                    engine.record(events, now=BEGIN + 61 * DAY)
                alone = source_alone(folder, learned, questions, seed)
                found.setdefault(("tuned", arm), []).append(alone)
                if options.engine:
                    now = BEGIN + 61 * DAY
                    whole = whole_engine(folder, questions, seed, now)
                    found.setdefault(("engine", arm), []).append(whole)
                print(f"world {seed}, {arm}: {alone.mean():.4f}", file=sys.stderr, flush=True)
    cold_mask = np.concatenate(cold_ones)
    everyone = np.arange(len(cold_mask)) // 3
    for (what, arm), parts in found.items():
        new, old = np.concatenate(parts), np.concatenate(found[what, "text alone"])
        for which, mask in (("all", np.ones(len(new), bool)), ("cold", cold_mask)):
            difference = paired(new[mask], old[mask], everyone[mask])
            line = {
                "asked": what,
                "arm": arm,
                "items": which,
                "NDCG@10": round(float(new[mask].mean()), 4),
                "against text alone": [round(difference.low, 4), round(difference.high, 4)],
                "questions": int(mask.sum()),
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
