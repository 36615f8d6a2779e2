"""The rules of cleaning: their names, what each does, what can be tuned or switched off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

REFUSALS: Mapping[str, str] = {
    "user_id_missing": "the event names nobody",
    "user_id_empty": "the user id is the empty text",
    "user_id_too_long": "the user id has more than 512 bytes",
    "user_id_unreadable": "the user id is no text and no whole number",
    "item_id_missing": "the row names no item, and an event has no text either",
    "item_id_empty": "the item id is the empty text",
    "item_id_too_long": "the item id has more than 512 bytes",
    "item_id_unreadable": "the item id is no text and no whole number",
    "event_missing": "the row does not say what happened",
    "event_unreadable": "the kind of the event is no text of 1 to 64 bytes",
    "timestamp_missing": "other rows of the file have a time, this one has none",
    "timestamp_unreadable": "the time is no number, datetime or ISO text",
    "timestamp_impossible": "the time lies before 1970, or is 0 where other rows have real times",
    "timestamp_in_future": "the time lies further after now than clocks differ",
    "value_unreadable": "the value is no number",
    "value_not_finite": "the value is NaN or infinite",
    "value_too_large": "the value lies beyond the limit within which anything is believed",
    "value_negative": "a duration, count or depth below zero",
    "event_id_unreadable": "the id of the event is no text and no whole number",
    "slate_id_unreadable": "the id of the slate is no text and no whole number",
    "slate_id_too_long": "the id of the slate has more than 512 bytes",
    "text_unreadable": "the text is no text",
    "context_unreadable": "the context is no mapping that JSON has a form for",
    "context_too_large": "the context has more bytes than the limit",
    "attributes_unreadable": "the attributes are no mapping",
    "attributes_too_large": "the attributes have more bytes than the limit",
    "consent_missing": "consent was denied, or is required and absent; the row is not kept",
    "near_duplicate": "the same person, item, kind and value again within seconds: a double click",
    "head_missing": "the link has no head",
    "tail_missing": "the link has no tail",
    "head_unreadable": "the link's head is no text and no whole number",
    "relation_unreadable": "the link's relation is no text and no whole number",
    "tail_unreadable": "the link's tail is no text and no whole number",
    "link_too_long": "the link's head, relation or tail has more than 512 bytes",
    "weight_unreadable": "the link's weight is no finite number",
}
"""Why a row goes to quarantine instead of the log; a single call raises it instead."""

CHANGES: Mapping[str, str] = {
    "exact_duplicate": "the same event, or row of the file, again: kept once",
    "duplicate_id": "the same id again in one batch: the last row wins",
    "id_from_float": "a whole number written as 1.0 became the id 1",
    "timestamp_in_other_unit": "the column counts milli-, micro- or nanoseconds (or years)",
    "undated": "only the order is known: times were laid out to end at now",
    "negative_purchase": "a purchase of a negative quantity became a return",
    "value_clipped": "a value far outside its kind's range was clipped; the context keeps it",
    "value_normalised": "seconds, counts and depths became a share in [0, 1]",
    "burst": "more moments in a minute than a person has: weight 0 in what others learn",
    "text_truncated": "a text was cut at the limit",
    "text_repaired": "a text held code points that are no characters: each became a ?",
    "kind_unknown": "the kind has no weight in the table; it counts as the configured default",
    "price_unreadable": "the price is no number: missing, and kept in the attributes",
    "price_not_believed": "the price is NaN, infinite or negative: missing, flagged",
    "title_missing": "the item has no title",
    "description_missing": "the item has no description",
    "time_not_read": "a time of the item is none: missing, and kept in the attributes",
    "stock_window_reversed": "the stock window ends before it starts: it was dropped, flagged",
    "attributes_as_text": "an attribute that JSON has no form for was written out as text",
}
"""What a rule may change or count in a row that is believed."""

SWITCHABLE = frozenset(
    {
        "timestamp_in_future",
        "timestamp_in_other_unit",
        "near_duplicate",
        "exact_duplicate",
        "negative_purchase",
        "value_clipped",
        "value_normalised",
        "burst",
        "text_truncated",
    }
)
"""Rules that `off` may name. The others guard what the log cannot hold, or only count."""


class CleaningConfig(BaseModel):
    """Section `cleaning`: limits of the rules, and the names of rules that are switched `off`.

    Times are seconds, sizes bytes of UTF-8. An undated file keeps its order "by_user" (each
    person's last row is now, every earlier one a gap before) or "by_row" (the last row of the file
    is now); or it is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    off: tuple[str, ...] = ()
    future_file: float = Field(default=86_400.0, ge=0)
    future_call: float = Field(default=300.0, ge=0)
    undated: Literal["by_user", "by_row", "refuse"] = "by_user"
    undated_gap: float = Field(default=3600.0, gt=0)
    near_duplicate_within: float = Field(default=2.0, ge=0)
    near_duplicate_exempt: tuple[str, ...] = (
        "purchase",
        "buy",
        "order",
        "transaction",
        "return",
        "refund",
        "rating",
        "review",
        "search",
        "comment",
    )
    burst_moments: int = Field(default=30, ge=2)
    burst_within: float = Field(default=60.0, gt=0)
    outlier_spread: float = Field(default=3.0, gt=0)
    outlier_rows: int = Field(default=100, ge=4)
    value_limit: float = Field(default=1e12, gt=0)
    seconds_full: float = Field(default=1800.0, gt=0)
    count_full: float = Field(default=10_000.0, gt=0)
    text_limit: int = Field(default=100_000, ge=1)
    context_limit: int = Field(default=65_536, ge=2)
    title_limit: int = Field(default=10_000, ge=1)
    description_limit: int = Field(default=1_000_000, ge=1)

    @field_validator("off")
    @classmethod
    def _known_rules(cls, off: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names if each is a rule that can be switched off."""
        for name in off:
            if name not in SWITCHABLE:
                raise ValueError(
                    f"{name!r} is no rule that can be switched off; "
                    f"those are {', '.join(sorted(SWITCHABLE))}"
                )
        return off

    def on(self, rule: str) -> bool:
        """Return whether a rule is on."""
        return rule not in self.off
