"""Reading both logs side by side, from where a fold stands to where they end."""

from __future__ import annotations

import numpy as np

from penchant.rank.feedback.feedback import Feedback
from penchant.store.impressions import Impressions, Shown
from penchant.store.log import LAST, Events, Log
from penchant.store.tail import Tail

PART = 5_000  # slates, or events, of one step


def catch_up(
    feedback: Feedback,
    impressions: Impressions,
    log: Log,
    tail: Tail | None = None,
) -> None:
    """Fold all that both logs have gained; from nothing, all that they hold.

    With `tail`, the events up to its end; where it begins at what was read last, they are in it.
    The slates are read after the events, and up to where these are in time: what an event may
    answer is there when it is folded, and not forgotten again for slates that came much later.
    """
    none_shown, none_told = _nothing()
    end = LAST if tail is None else tail.position.event_offset
    at_hand = tail is not None and tail.since == feedback.told_until and len(tail.events) < PART
    more = True
    while True:
        if tail is not None and at_hand:
            events = tail.events
        else:
            events = log.scan(feedback.told_until, PART, to=end)
        latest = float(events.times.max()) if len(events) else float("inf")
        shown = none_shown
        while more and feedback.shown_time <= latest:
            if len(shown):
                feedback.fold(shown, none_told)
            shown = impressions.after(feedback.shown_until, PART)
            more = len(shown) == PART
        feedback.fold(shown, events)
        if not len(events):
            return
        if len(events) < PART:
            while more:
                shown = impressions.after(feedback.shown_until, PART)
                feedback.fold(shown, none_told)
                more = len(shown) == PART
            return


def _nothing() -> tuple[Shown, Events]:
    """Return no slates and no events."""
    whole, small = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
    times, floats = np.zeros(0), np.zeros(0, dtype=np.float32)
    kinds = np.zeros(0, dtype=np.int16)
    shown = Shown(whole, (), small, times, (), np.zeros(1, dtype=np.int64), small, floats)
    return shown, Events(whole, small, small, times, kinds, floats, floats, (), (), ())
