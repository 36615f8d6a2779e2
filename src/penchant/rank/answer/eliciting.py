"""What to ask a new person about: the questions of `interests/elicitation.py` with their titles."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from penchant.interests.elicitation import Elicitation, by_category
from penchant.rank.answer.asking import Asking, ids, whole
from penchant.rank.answer.served import Served
from penchant.types import Inquiry, InvalidInput, Mask

AT_ONCE = 20  # questions: nobody answers more, and later ones depend on the answers
MOST = 200  # items that are thought of before a training
SHOWN = 3  # names of what an item is about


def inquiries(
    asking: Asking, user_id: str, k: int, now: float, exclude: Iterable[str]
) -> tuple[Inquiry, ...]:
    """Return at most `k` items to ask a person about, the most useful first.

    What they did already is answered, and `exclude` was asked without a yes.
    """
    declined = ids(exclude, "exclude")
    if whole(k) > AT_ONCE:
        raise InvalidInput(f"k is a whole number from 1 to {AT_ONCE}, got {k}: ask, then ask again")
    question = asking.ask(user_id, k, now, exclude=declined)
    served, state = question.served, question.state
    columns = served.columns
    allowed = question.query.allowed
    may: Mask = np.ones(columns.n, dtype=np.bool_) if allowed is None else allowed
    refused = columns.numbers(declined)
    refused = np.union1d(refused[refused >= 0], state.items[state.strengths < 0])
    model = served.elicitation or _untrained(served, now, may)
    found = model.questions(state.liked.items, refused.astype(np.int32), may, k)
    return tuple(
        Inquiry(
            columns.ids[one.item],
            columns.titles[one.item],
            _about(served, one.item),
            one.likely,
            one.gain,
            one.bits,
        )
        for one in found
    )


def _about(served: Served, item: int) -> tuple[str, ...]:
    """Return what an item is about, what tells most first: its categories, then what is rare."""
    concepts = served.concepts
    numbers = concepts.of(item)
    telling = concepts.telling(numbers)
    order = sorted(
        range(len(numbers)),
        key=lambda at: (concepts.kinds[numbers[at]] != "category", -float(telling[at])),
    )
    return tuple(concepts.names[numbers[at]] for at in order[:SHOWN])


def _untrained(served: Served, now: float, may: Mask) -> Elicitation:
    """Return what can be said before a training: by popularity and category."""
    items = np.arange(len(may), dtype=np.int32)
    counts = served.pipeline.recall.popularity.moment(now, len(may)).counts(items)[-1]
    return by_category(counts, served.columns.category[: len(may)], MOST)
