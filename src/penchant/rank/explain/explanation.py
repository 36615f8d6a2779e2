"""Why: read from the trace of a request, never from a second model of the truth.

Whoever scored the request is explained, and what it says adds up to the score that was shown. Trees
are explained by their SHAP values (Lundberg et al. 2020; exact for trees), all other scorers by the
terms they wrote beside the features (`rank/scorers/terms.py`); either is grouped by what a person
would call one cause. LightGBM is imported here only, and only when somebody asks for a full
explanation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from penchant.rank.explain.sentences import (
    AGAIN,
    AGE,
    ASKERS,
    AWAY,
    CATEGORIES,
    CHOSEN_IN_CONTEXT,
    CHOSEN_NOTHING,
    CHOSEN_WHEN_SHOWN,
    DESCRIBED,
    HISTORY,
    LATER_PAGE,
    LETTERS,
    NEW,
    NOBODY,
    OWN_IN_CONTEXT,
    PERSON,
    POPULAR,
    PROPOSED,
    STEPS,
    TASTE,
    TENTH,
    TREES,
    WISHED,
    WORDS_CAUSE,
    lately,
    sentence,
    told,
)
from penchant.rank.feedback.contexts import IN_CONTEXT
from penchant.rank.scorers.terms import (
    ANSWERED,
    CROWD,
    FOLLOWED,
    FOUND,
    LATER,
    LED,
    RAISED,
    SCALE,
    START,
    WORDS,
    terms,
)
from penchant.types import Explanation, Floats, Prospect, Reason

CAUSES = {
    "crowd_": CHOSEN_IN_CONTEXT,
    "here_km": AWAY,
    "contextual": CHOSEN_IN_CONTEXT,
    "own_": OWN_IN_CONTEXT,
    "kind_": OWN_IN_CONTEXT,
    "again": AGAIN,
    "had": AGAIN,
    "linear": HISTORY,
    "factors": HISTORY,
    "sequence_text": f"{STEPS}, by meaning",
    "sequence": STEPS,
    "after": "what others chose next",
    "together": "what others chose together with it",
    "lexical": LETTERS,
    "asked": ASKERS,
    "text": TASTE,
    "tuned": DESCRIBED,
    "affinity": TASTE,
    "session_near": TASTE,
    "week_near": TASTE,
    "trending": POPULAR,
    "popular": POPULAR,
    "slope": "rising",
    "days": AGE,
    "fresh": NEW,
    "expansion": PROPOSED,
    "category": CATEGORIES,
    "price": "its price",
}
_OF_THE_PAST = frozenset(
    CAUSES[name]
    for name in (
        "linear",
        "sequence",
        "sequence_text",
        "after",
        "together",
        "text",
        "tuned",
        "category",
        "own_",
        "again",
    )
) | {PERSON}
_MONTH = float(np.log1p(30.0))  # features hold the logarithm of days
_MEANING = (
    "text",
    "text_rank",
    "text_gap",
    "tuned",
    "tuned_rank",
    "tuned_gap",
)  # what is compared with words where there are any


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of a slate as it was recorded: its score, features and who scored the request.

    `row` float32[f] in the order of `names`; `events` are the past items that may be named;
    `raised` names the re-ranker that gave it a place which its score did not, `prospects` what was
    proposed for the person and the item bears. `derived` is the item's
    category where it was derived from its text and counts.
    """

    item_id: str
    title: str
    score: float
    row: Floats
    names: tuple[str, ...]
    sources: tuple[str, ...]
    scored_by: tuple[str, ...] = ()
    events: tuple[Reason, ...] = ()
    raised: str = ""
    prospects: tuple[Prospect, ...] = ()
    trace: tuple[str, ...] = ()
    derived: str | None = None


def cause(feature: str, *, chosen: bool = True, words: bool = False, new: bool = False) -> str:
    """Return the cause, in words, that a feature belongs to.

    `chosen` says that the person chose something before, `words` that they asked in words, `new`
    that the item is.
    """
    if words and feature in _MEANING:
        return WORDS_CAUSE
    found = next((words for prefix, words in CAUSES.items() if feature.startswith(prefix)), PERSON)
    if found == AGE and new:
        return NEW
    return CHOSEN_NOTHING if not chosen and found in _OF_THE_PAST else found


def explain(shown: Shown, model: Path | None) -> Explanation:
    """Return the explanation of one line; `model` are the trees, None where they cannot be read.

    Past items are named where the history carries at least a tenth of all that raised the item.
    """
    causes, hints = contributions(shown, model)
    reasons = hints or causes
    raised = sum(reason.weight for reason in reasons if reason.weight > 0)
    history = sum(reason.weight for reason in reasons if reason.name == HISTORY)
    events = shown.events if history >= TENTH * raised and history > 0 else ()
    return Explanation(
        shown.item_id,
        sentence(
            shown.title,
            told(reasons),
            events,
            raised=shown.raised,
            prospects=shown.prospects,
            derived=shown.derived,
        ),
        (*causes, *hints),
        events,
        shown.trace,
    )


def contributions(
    shown: Shown, model: Path | None
) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """Return what each cause added to the score, largest first, then where it started; and hints.

    They add up to the score. Where trees scored it and cannot be read, they are one cause, and
    hints of kind "source" say what each source thinks of the item (1 / rank), which adds up to
    nothing.
    """
    parts = terms(shown.names, shown.row)
    scale, start = parts.pop(SCALE, 1.0), parts.pop(START, 0.0)
    words, found_words = parts.pop(WORDS, 0.0), parts.pop(FOUND, 0.0)
    led = parts.pop(LED, 0.0)
    later, crowd = parts.pop(LATER, 0.0), parts.pop(CROWD, 0.0)
    answered, followed = parts.pop(ANSWERED, 0.0), parts.pop(FOLLOWED, 0.0)
    in_context, wished = parts.pop(IN_CONTEXT, 0.0), parts.pop(RAISED, 0.0)
    asked = WORDS in shown.scored_by
    causes: dict[str, float] = defaultdict(float)
    hints: tuple[Reason, ...] = ()
    if parts:
        # Of one source alone: it answered the request by itself.
        alone = next(iter(parts)) if set(parts) & set(shown.scored_by) else None
        for name, value in parts.items():
            causes[_alone(name, value) if name == alone else cause(name, words=asked)] += value
    elif model is not None:
        found, base = _of_trees(model, shown, asked)
        start += scale * base
        for name, value in found.items():
            causes[name] += scale * value
    elif shown.scored_by:
        rest = words + found_words + led + later + crowd + answered + in_context + followed + wished
        causes[TREES] += shown.score - rest
        start = 0.0
        hints = summed(shown.names, shown.sources, shown.row, asked)
    else:
        hints = summed(shown.names, shown.sources, shown.row, asked)
    if crowd:
        causes[lately(next(iter(shown.scored_by)))] += crowd
    causes[WORDS_CAUSE] += words
    causes[LETTERS] += found_words
    causes[ASKERS] += led
    causes[CHOSEN_WHEN_SHOWN] += answered
    causes[CHOSEN_IN_CONTEXT] += in_context
    causes[TASTE] += followed
    causes[WISHED] += wished
    ranked = sorted(causes.items(), key=lambda pair: -abs(pair[1]))
    out = [Reason("cause", name, value) for name, value in ranked if abs(value) > 1e-9]
    begun = (("where every item starts", start), (LATER_PAGE, later))
    out += [Reason("start", name, value) for name, value in begun if abs(value) > 1e-9]
    return tuple(out), hints


def _alone(source: str, value: float) -> str:
    return NOBODY if value < 0 else lately(source)


def _of_trees(model: Path, shown: Shown, words: bool) -> tuple[dict[str, float], float]:
    """Return what each cause added to what the trees say, and what they say of any item."""
    import lightgbm

    booster = lightgbm.Booster(model_file=str(model))
    at: Mapping[str, int] = {name: i for i, name in enumerate(shown.names)}
    kept = booster.feature_name()
    row = shown.row[[at[name] for name in kept]]
    values = np.asarray(booster.predict(row[None], pred_contrib=True))[0]
    chosen = "history" not in at or float(shown.row[at["history"]]) != 0.0
    first = at.get("days_since_first")
    new = first is not None and bool(shown.row[first] <= _MONTH)
    causes: dict[str, float] = defaultdict(float)
    for name, value in zip(kept, values[:-1], strict=True):
        causes[cause(name, chosen=chosen, words=words, new=new)] += float(value)
    return causes, float(values[-1])


def summed(
    names: tuple[str, ...], sources: tuple[str, ...], row: Floats, words: bool = False
) -> tuple[Reason, ...]:
    """Return what each source thinks of the item: 1 for its favourite, near 0 for its last."""
    at = {name: i for i, name in enumerate(names)}
    causes: dict[str, float] = defaultdict(float)
    for source in sources:
        causes[cause(source, words=words)] += float(row[at[f"{source}_rank"]])
    ranked = sorted(causes.items(), key=lambda pair: -pair[1])
    return tuple(Reason("source", name, value) for name, value in ranked if value > 0)
