"""Answers questions from a list of written answers, and learns from which of them are accepted.

    python examples/support_desk.py [--ask "my card is gone"]
    python examples/support_desk.py --generator http://127.0.0.1:11434/v1 --model NAME

What was asked and accepted lies in `desk/`. With a generator (OpenAI's protocol, a key in
GENERATOR_KEY) an answer is composed of the nearest passages alone, cites them, and is checked.
"""

import argparse
import os
import sys
import time
from contextlib import suppress
from math import exp, isnan
from pathlib import Path

import penchant
from penchant.language.generator import Generator

ANSWERS = Path(__file__).with_name("support_answers.jsonl")
KNOWN, SESSION = 0.5, 1800.0  # a probability; seconds in which a turn belongs to the one before


def near(slate):  # the cosine of its first item, NaN where there is nothing to read
    return float(slate.trace.pool.features[0, slate.trace.pool.names.index("text")])


class Desk:
    def __init__(self, shelf="desk", answers=ANSWERS, generator=None):
        self.engine, self.generator = penchant.open(shelf), generator
        self.engine.add(answers)

    def ask(self, visitor, question, now=None):
        """Return how sure the first answer is, the nearest three, and what was understood."""
        now = now or time.time()
        sure, slate, meant = self.look(visitor, question, now)
        past = [e for e in self.engine.export(visitor)["events"] if now - e["timestamp"] < SESSION]
        if sure < KNOWN and (turns := [e["text"] for e in past if e["text"]]):
            # Too little by itself: taken with the turn before, where both are nearer to an answer
            # than that turn was alone. What is about something else leads away from it.
            whole = self.look(visitor, f"{turns[-1]} {question}", now, seen="hide")
            alone = self.engine.rank(visitor, [whole[1][0].item_id], text=turns[-1], log=False)
            if whole[0] > sure and near(whole[1]) > near(alone):
                sure, slate, meant = whole
        self.engine.record(penchant.Event(visitor, None, "search", now, text=meant[:1000]), now=now)
        return sure, self.engine.items(line.item_id for line in slate), meant

    def look(self, visitor, text, now, seen="keep"):
        slate = self.engine.recommend(visitor, 3, text=text, seen=seen, now=now, log=False)
        score = 5.7 * near(slate) + 0.2 * (slate[0].score - slate[1].score) - 3.9
        return 0.0 if isnan(score) else 1 / (1 + exp(-score)), slate, text

    def accept(self, visitor, item_id, now=None):
        self.engine.record(penchant.Event(visitor, item_id, "click", now), now=now)

    def reply(self, sure, items, meant):
        if sure < KNOWN:
            return "\n  ".join(["I do not know. The nearest:", *(item.title for item in items)])
        said, passages = None, [f"{item.title} {item.description}" for item in items]
        with suppress(penchant.Error):  # a generator that is down: the answer as it was written
            said = self.generator and self.generator.compose(meant, passages)
        return said or items[0].description


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("shelf", "desk"), ("ask", ""), ("generator", ""), ("model", "")):
        options.add_argument(f"--{name}", default=default)
    chosen, visitor, items = options.parse_args(), os.urandom(8).hex(), ()
    made = (chosen.generator, chosen.model, os.environ.get("GENERATOR_KEY"))
    desk = Desk(chosen.shelf, generator=Generator(*made) if chosen.generator else None)
    for said in [chosen.ask] if chosen.ask else map(str.strip, sys.stdin):
        if items and said in ("1", "2", "3"):
            desk.accept(visitor, items[int(said) - 1].item_id)
            print(items[int(said) - 1].description)
        elif said:
            _, items, _ = found = desk.ask(visitor, said)
            print(desk.reply(*found), "\n  (1, 2 or 3: that was it; or ask on)")
