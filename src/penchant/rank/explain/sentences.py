"""Causes as a person reads them: their names, which of them are worth telling, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from penchant.types import Prospect, Reason

HISTORY = "what goes with your history"
STEPS = "what your last steps point to"
TASTE = "close in meaning to what you chose"
DESCRIBED = "by its description, what goes with what you chose"
WORDS_CAUSE = "close in meaning to your words"
LETTERS = "the very words you used"
ASKERS = "what others took who asked in words like yours"
POPULAR = "wanted by many now"
CHOSEN_WHEN_SHOWN = "how often it is chosen when it is shown"
CHOSEN_IN_CONTEXT = "how much more it is chosen in circumstances like these"
OWN_IN_CONTEXT = "what you choose in circumstances like these"
AWAY = "how far away it is"
AGAIN = "how you come back to it"
CATEGORIES = "your categories"
WISHED = "what you asked for more of"
PROPOSED = "what you may come to like"
NEW, AGE = "new here", "its age"
NOBODY = "nobody chose it yet"
PERSON = "you and this moment"
CHOSEN_NOTHING = "that you chose nothing yet"
TREES = "what the ranker makes of all it knows"
_LATELY = "what many people chose lately"
LATER_PAGE = "its page of the slate"

TENTH = 0.1
"""The least share of what raised an item that is worth telling."""

# True of every candidate alike, or of no meaning to whom it is told.
_UNTOLD = (PERSON, CHOSEN_NOTHING, AGE, TREES, NOBODY)

_CLAUSES = {
    HISTORY: "it goes with what you chose",
    STEPS: "your last choices lead to it",
    f"{STEPS}, by meaning": "your last choices lead to something like it",
    "what others chose next": "others chose it next",
    "what others chose together with it": "others chose it together with what you chose",
    TASTE: "it is close in meaning to what you chose",
    DESCRIBED: "its description goes with what you chose",
    WORDS_CAUSE: "it is close in meaning to your words",
    LETTERS: "your words are in its text",
    ASKERS: "others took it who asked in words like yours",
    POPULAR: "many want it now",
    CHOSEN_WHEN_SHOWN: "it is often chosen when it is shown",
    CHOSEN_IN_CONTEXT: "it is chosen more in circumstances like these",
    OWN_IN_CONTEXT: "it is of what you choose in circumstances like these",
    AWAY: "it is not far from here",
    AGAIN: "you come back to it",
    "rising": "demand for it is rising",
    NEW: "it is new here",
    CATEGORIES: "it is of a kind you choose",
    WISHED: "you asked for more of its kind",
    PROPOSED: "you may come to like its kind",
    "its price": "its price speaks for it",
}


def lately(source: str) -> str:
    """Return the cause of an answer that one popularity source gave: its name ends in days."""
    days = source.rpartition("_")[2].removesuffix("d")
    return f"{_LATELY} (last {'day' if days == '1' else f'{days} days'})"


def told(reasons: Sequence[Reason], most: int = 2) -> list[str]:
    """Return the names of the causes worth telling, strongest first.

    Each carries at least a tenth of all that raised the item; what is true of every candidate alike
    is not told.
    """
    raised = [reason for reason in reasons if reason.weight > 0 and reason.kind != "start"]
    least = TENTH * sum(reason.weight for reason in raised)
    names = [r.name for r in raised if r.weight >= least and r.name not in _UNTOLD]
    return names[:most]


def sentence(
    title: str,
    causes: Sequence[str],
    events: Sequence[Reason] = (),
    *,
    raised: str = "",
    prospects: Sequence[Prospect] = (),
    derived: str | None = None,
) -> str:
    """Return one readable sentence: what raised the item most, and which past items did.

    A category that nobody gave the item, but its text, is named as such.

    Past items are named behind the history's cause alone: where that is not told, they are not.
    """
    clauses = []
    for name in causes:
        clause = _CLAUSES.get(name) or name.replace(
            "what many people chose", "many people chose it"
        )
        if name == HISTORY and events:
            because = " and ".join(f"“{reason.name}”" for reason in events[:2])
            clause = f"it goes with {because}, which you chose"
        if name == CATEGORIES and derived is not None:
            clause += f" ({derived}, as its text suggests)"
        clauses.append(clause)
    if not clauses:
        text = f"“{title}” is here, though nothing speaks for it more than for others"
    elif len(clauses) > 1 and clauses[0].endswith("which you chose"):
        text = f"“{title}” is here because {clauses[0]}, and {' and '.join(clauses[1:])}"
    else:
        text = f"“{title}” is here because {' and '.join(clauses)}"
    if raised == "widening":
        text += "; a place is kept for what you may come to like"
        if prospects:
            first = prospects[0]
            text += f", here {first.name}"
            text += f", which {first.why}" if first.why else ""
    elif raised == "listwise":
        text += "; a language model that was told your interests by name put it further up"
    elif raised:
        text += "; it is new here, and the last place is for such"
    return text + "."
