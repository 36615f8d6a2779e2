"""Prints how often what is asked for in words is found: names, parts of names, descriptions.

    python benchmarks/words.py                    # the demo shelf, untrained and trained
    python benchmarks/words.py --vectors-only     # as if there were no search by exact words
    python benchmarks/words.py --folder /tmp/s    # keeps the shelf, and uses it again

701 real films with original descriptions, simulated viewers. Each question is asked by eight
viewers and by somebody new; hit@k is the share of answers with a wanted film among the first k. The
themes were written without looking at what is found, in other words than the films' own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

import penchant
from penchant.evaluate.simulate import Simulation, simulate
from penchant.evaluate.simulate.shelf import films
from penchant.language.words import words

VIEWERS = 8
SHORT = ("M", "Z", "Up", "No", "Her", "Moon", "Once", "8½", "Solaris", "WALL-E")
THEMES: dict[str, tuple[str, ...]] = {
    "stranded alone on the red planet": ("The Martian",),
    "dream within a dream robbery": ("Inception",),
    "chess against the grim reaper": ("The Seventh Seal",),
    "jury deliberation about a murder verdict": ("12 Angry Men",),
    "cooking rodent in a French kitchen": ("Ratatouille",),
    "fish father searching for his lost son": ("Finding Nemo",),
    "house lifted by balloons": ("Up",),
    "giant gorilla in New York": ("King Kong",),
    "swordsmen protect villagers from robbers": ("Seven Samurai", "The Magnificent Seven"),
    "falling in love with an artificial intelligence": ("Her", "Ex Machina"),
    "working alone in a base on the lunar surface": ("Moon",),
    "zombie outbreak on a railway": ("Train to Busan",),
    "the inventor of the atomic bomb": ("Oppenheimer",),
    "newspaper investigation of abuse in the catholic church": ("Spotlight",),
    "poor people infiltrate a rich home": ("Parasite",),
    "bloodsuckers sharing a flat, comedy": ("What We Do in the Shadows",),
    "drum student and abusive teacher": ("Whiplash",),
    "talking to extraterrestrials in their language": ("Arrival",),
    "slavery in the American South": ("12 Years a Slave", "Django Unchained"),
    "emotions inside the mind of a child": ("Inside Out",),
    "erasing memories after a breakup": ("Eternal Sunshine of the Spotless Mind",),
    "attorney defends an innocent Black man in the segregated South": ("To Kill a Mockingbird",),
    "nanny with a magical umbrella": ("Mary Poppins",),
    "prisoners of war dig a tunnel": ("The Great Escape", "Grand Illusion"),
    "mafia dynasty": ("The Godfather", "The Godfather Part II"),
    "possessed child and an exorcism": ("The Exorcist",),
    "robot cleaning up garbage on a deserted planet": ("WALL-E",),
    "motel murderer": ("Psycho",),
    "acrophobia and obsession": ("Vertigo",),
    "mutiny on a Russian warship": ("Battleship Potemkin",),
    "tightrope between the twin towers": ("Man on Wire",),
    "sick old man refused by hospitals": ("The Death of Mr. Lazarescu",),
    "time travel to stop a plague": ("Twelve Monkeys", "12 Monkeys", "La Jetée"),
    "vampire child friendship": ("Let the Right One In",),
    "women samurai revenge": ("Lady Snowblood",),
    "sheriff waits for a gunman's train": ("High Noon",),
}


def questions(rng: np.random.Generator) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return for each sort of question what is asked, and the titles that answer it."""
    titles = films()["title"].unique(maintain_order=True).to_list()
    exact = {t: (t,) for t in (*SHORT, *rng.choice(titles, 40, replace=False).tolist())}
    parts: dict[str, tuple[str, ...]] = {}
    for title in rng.permutation(titles).tolist():
        found = words(title)
        if len(found) < 3 or len(parts) == 40:
            continue
        start = int(rng.integers(len(found) - 1))
        part = " ".join(found[start : start + 2])
        # Those with the part in their name: a part of two names is answered by either.
        parts[part] = tuple(t for t in titles if f" {part} " in f" {' '.join(words(t))} ")
    parts = {part: wanted for part, wanted in parts.items() if len(wanted) <= 2}
    known = {q: tuple(t for t in wanted if t in set(titles)) for q, wanted in THEMES.items()}
    return {
        "name": exact,
        "part of a name": parts,
        "theme": {q: wanted for q, wanted in known.items() if wanted},
    }


def asked(
    engine: penchant.Engine, people: Sequence[str], sort: Mapping[str, tuple[str, ...]], now: float
) -> dict[str, object]:
    """Return the share of answers that hit, and what was missed most."""
    titles = dict(films().select("item_id", "title").iter_rows())
    first, ten, missed, took = [], [], [], []
    for text, wanted in sort.items():
        hits = []
        for person in people:
            began = time.perf_counter()
            slate = engine.recommend(person, 10, text=text, seen="keep", now=now, log=False)
            took.append(1000 * (time.perf_counter() - began))
            found = [titles[line.item_id] in wanted for line in slate]
            first.append(found[0])
            ten.append(any(found))
            hits.append(found[0])
        if not all(hits):
            missed.append(text)
    return {
        "questions": len(sort),
        "hit@1": round(float(np.mean(first)), 3),
        "hit@10": round(float(np.mean(ten)), 3),
        "median_ms": round(float(np.median(took)), 1),
        "not_first_for_all": missed,
    }


def stored(folder: Path, world: Simulation) -> None:
    with penchant.open(folder, effort="fast") as engine:
        engine.add(world.items, users=world.users)
        engine.record(world.events.filter(pl.col("slate_id").is_null()), now=world.end)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--vectors-only", action="store_true")
    parser.add_argument("--missed", action="store_true", help="name what was not found first")
    options = parser.parse_args()
    if options.vectors_only:
        from penchant.recall.lexical import Lexical

        Lexical.score = lambda self, query, state: None  # type: ignore[method-assign]
    world = simulate(0, n_users=400, n_events=60_000)
    with tempfile.TemporaryDirectory() as scratch:
        root = options.folder or Path(scratch)
        if not (root / "trained").exists():
            stored(root / "untrained", world)
            shutil.copytree(root / "untrained", root / "trained")
            with penchant.open(root / "trained", effort="fast") as engine:
                engine.train()
        people = [*world.users["user_id"].sort()[:VIEWERS], "somebody new"]
        for state in ("untrained", "trained"):
            with penchant.open(root / state) as engine:
                for sort, texts in questions(np.random.default_rng(0)).items():
                    found = asked(engine, people, texts, world.end)
                    if not options.missed:
                        found.pop("not_first_for_all")
                    print(json.dumps({"shelf": state, "asked": sort, **found}, ensure_ascii=False))
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
