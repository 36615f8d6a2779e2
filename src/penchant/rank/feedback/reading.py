"""Reading both logs side by side, from where a fold stands to where they end."""

from __future__ import annotations

from penchant.rank.feedback.feedback import Feedback
from penchant.store.impressions import Impressions
from penchant.store.log import Log

PART = 5_000  # slates, or events, of one step


def catch_up(feedback: Feedback, impressions: Impressions, log: Log) -> None:
    """Fold all that both logs have gained; from nothing, all that they hold.

    The slates are read after the events, and never left behind them in time: what an event may
    answer is there when it is folded.
    """
    nothing = log.scan(2**62, 1)
    while True:
        events = log.scan(feedback.told_until, PART)
        latest = float(events.times.max()) if len(events) else float("-inf")
        shown = impressions.after(feedback.shown_until, PART)
        while len(shown) == PART and float(shown.times[-1]) < latest:
            feedback.fold(shown, nothing)
            shown = impressions.after(feedback.shown_until, PART)
        feedback.fold(shown, events)
        if len(events) < PART and len(shown) < PART:
            return
