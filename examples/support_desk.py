"""Answers questions from a list of written answers, and learns from which of them are accepted.

    python examples/support_desk.py [--ask "I lost my card"] [--generator URL --model NAME]

What is asked lies in `desk/`. A generator speaks OpenAI's protocol; its key is in GENERATOR_KEY.
"""

import argparse
import os
import sys
import time
from math import exp, isnan
from pathlib import Path

import penchant
from penchant.ingest.items import read_items
from penchant.language.generator import composer, endpoint

ANSWERS = Path(__file__).with_name("support_answers.jsonl")
KNOWN, SESSION = 0.5, 1800.0  # a probability; seconds in which a turn belongs to the one before


class Desk:
    def __init__(self, shelf="desk", answers=ANSWERS, generator=None):
        self.engine, self.generator = penchant.open(shelf), generator
        self.engine.add(answers)
        kept = read_items(answers).frame["item_id"]
        for gone in self.engine.recommend(None, 10_000, history=(), exclude=kept, log=False):
            self.engine.remove(gone.item_id)  # it is in the file no longer

    def ask(self, visitor, question, now=None):
        """Return how sure the first answer is, the nearest three, and what was understood."""
        now = now or time.time()
        sure, slate, meant = self.look(visitor, question, now)
        words = self.look(None, question, now)[1].trace  # without what the visitor did before
        if isnan(words.first("text")) and isnan(words.first("lexical")):
            return 0.0, (), ""
        past = [e for e in self.engine.export(visitor)["events"] if now - e["timestamp"] < SESSION]
        if sure < KNOWN and (was := [e["text"] for e in past if e["text"]]):
            # With the turn before, where both are nearer to an answer than that turn was alone.
            surer, both, joined = self.look(visitor, f"{was[-1]} {question}", now, seen="hide")
            lone = self.engine.rank(visitor, [i.item_id for i in both[:1]], text=was[-1], log=False)
            if surer > sure and both.trace.first("text") > lone.trace.first("text"):
                sure, slate, meant = surer, both, joined
        self.engine.record(penchant.Event(visitor, None, "search", now, text=meant[:1000]), now=now)
        return sure, self.engine.items(line.item_id for line in slate), meant

    def look(self, visitor, text, now, seen="keep"):
        slate = self.engine.recommend(visitor, 3, text=text, seen=seen, now=now, log=False)
        score = 5.7 * slate.trace.first("text") + 0.2 * slate.lead - 3.9
        return 0.0 if isnan(score) else 1 / (1 + exp(-score)), slate, text

    def accept(self, visitor, item_id, now=None):
        self.engine.record(penchant.Event(visitor, item_id, "click", now), now=now)

    def reply(self, sure, items, meant):
        if not items:
            return "I understood nothing of that. Please put it in other words."
        if sure < KNOWN:
            return "\n  ".join(["I do not know. The nearest:", *(item.title for item in items)])
        return (self.generator and self.generator.attempt(meant, items)) or items[0].description


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("shelf", "desk"), ("ask", ""), ("generator", ""), ("model", "")):
        options.add_argument(f"--{name}", default=default)
    chosen, visitor, items = options.parse_args(), os.urandom(8).hex(), ()
    made = (chosen.generator, chosen.model, os.environ.get("GENERATOR_KEY"))
    asked = composer.Composer(endpoint.Endpoint(*made)) if chosen.generator else None
    desk, hint = Desk(chosen.shelf, generator=asked), "\n  (1, 2 or 3: that was it; or ask on)"
    sys.stdin.reconfigure(errors="replace")  # a byte that is no UTF-8 must not end the talk
    for said in [chosen.ask] if chosen.ask else map(str.strip, sys.stdin):
        if said in map(str, range(1, len(items) + 1)):
            desk.accept(visitor, items[int(said) - 1].item_id)
            print(items[int(said) - 1].description)
        elif said:
            _, items, _ = found = desk.ask(visitor, said)
            print(desk.reply(*found) + (hint if items and not chosen.ask else ""))
