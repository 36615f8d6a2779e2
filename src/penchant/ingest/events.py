"""Events from anywhere to the store's frame: each row is believed, kept aside with a reason, or
a duplicate; what was changed or assumed is counted and said.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from penchant.ingest.cells import KIND_BYTES
from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.columns import require
from penchant.ingest.door import one_event
from penchant.ingest.draft import Draft, draft_events
from penchant.ingest.intake import Intake, no_quarantine
from penchant.ingest.keys import content_keys, id_keys
from penchant.ingest.kinds import Kinds
from penchant.ingest.magnitudes import with_values
from penchant.ingest.privacy import Privacy
from penchant.ingest.robustness import bursts, near_duplicates
from penchant.ingest.tables import read_table
from penchant.ingest.times import MICROS
from penchant.ingest.wording import cut
from penchant.store.frames import EVENTS, ID_BYTES
from penchant.types import InvalidInput

__all__ = ["one_event", "read_events"]

_MOST_KINDS = 1000
# Undated rows are laid out within this time, however many a person has.
_UNDATED_SPAN = 10 * 365.25 * 86_400


def read_events(
    source: Any,
    *,
    now: float,
    kinds: Kinds,
    cleaning: CleaningConfig | None = None,
    privacy: Privacy | None = None,
    columns: Mapping[str, str] | None = None,
) -> Intake:
    """Return what can be believed of `source`, in the order of time, and what became of the rest.

    `source` is a path, a frame of any library, an Event, a dict or an iterable of them; `now` is in
    seconds; `columns` (canonical name -> column) settles what the names of a table do not.

    The key of an event is made of its `event_id`; without one, of the content of its row for files
    and frames (so that reading them again adds nothing), fresh for calls. Rows that are the same
    event twice are kept once.

    Times: in calls an absent time means `now`. In a file or frame where no row has a time, the rows
    are in order: each person's last row is dated `now` and every earlier one `undated_gap` seconds
    before the next; this is counted as `undated`. Where only some rows lack a time, those are
    quarantined.

    A file that cannot be read, a table without a column for people, for items or text, or with two
    columns for one thing raises InvalidInput.
    """
    cleaning = cleaning or CleaningConfig()
    privacy = privacy or Privacy()
    table = read_table(source, "events")
    draft = draft_events(table, columns)
    if len(table) or table.frame is not None:
        present = (*draft.columns.source.values(), *draft.columns.extras)
        require(draft.columns, "user_id", present=present)
        require(draft.columns, "item_id", "text", present=present)
    counts = dict(draft.counts)
    notes = list(draft.notes)
    work = draft.frame.with_row_index("place")
    work = _dated(work, draft, now, cleaning, counts, notes)
    work = work.with_columns(fault=_faults(work, draft, now, kinds, cleaning))
    work = _consenting(work, privacy).with_columns(user_id=privacy.pseudonyms(work["user_id"]))
    good = work.filter(pl.col("fault").is_null())
    bad = [work.filter(pl.col("fault").is_not_null()).select("place", "user_id", "fault")]
    _check_kinds(good)
    believed = good.height
    good = _keyed(good, draft.called, merged=cleaning.on("exact_duplicate"))
    good = good.unique("key", keep="first", maintain_order=True)
    duplicates = counts["exact_duplicate"] = believed - good.height
    if cleaning.on("text_truncated"):
        text, counts["text_truncated"] = cut(good["text"], cleaning.text_limit)
        good = good.with_columns(text=text)
    good, scales = with_values(good, kinds, cleaning, counts, notes)
    dated = good["undated"].not_()
    if cleaning.on("near_duplicate"):
        again = pl.Series(near_duplicates(good, cleaning)) & dated
        bad.append(
            good.filter(again).select("place", "user_id", pl.lit("near_duplicate").alias("fault"))
        )
        good = good.filter(~again)
    shared = np.ones(good.height, dtype=np.float32)
    if cleaning.on("burst"):
        crowd = bursts(good, cleaning) & ~good["undated"].to_numpy()
        shared[crowd] = 0.0
        counts["burst"] = int(crowd.sum())
    good = good.with_columns(shared=pl.Series(shared, dtype=pl.Float32))
    counts["kind_unknown"] = _unknown_kinds(good, kinds, notes)
    quarantined = _quarantine(pl.concat(bad), draft, privacy, counts)
    totals = {
        "rows": len(table),
        "accepted": good.height,
        "quarantined": quarantined.height,
        "duplicates": duplicates,
    }
    return Intake(
        frame=good.sort("timestamp", maintain_order=True).select(list(EVENTS)),
        quarantined=quarantined,
        counts={**totals, **{name: n for name, n in counts.items() if n}},
        columns=draft.columns,
        notes=tuple(notes),
        scales=scales,
    )


def _dated(
    work: pl.DataFrame,
    draft: Draft,
    now: float,
    cleaning: CleaningConfig,
    counts: dict[str, int],
    notes: list[str],
) -> pl.DataFrame:
    """Return the rows with times where their absence has a meaning, and a column `undated`."""
    if draft.called:
        return work.with_columns(
            pl.when(pl.col("fault").is_null())
            .then(pl.col("timestamp").fill_null(round(now * MICROS)))
            .otherwise(pl.col("timestamp")),
            undated=pl.lit(False),
        )
    unreadable = (work["fault"] == "timestamp_unreadable").fill_null(False).any()
    if work.height == 0 or unreadable or work["timestamp"].null_count() < work.height:
        return work.with_columns(undated=pl.lit(False))
    if cleaning.undated == "refuse":
        raise InvalidInput(
            "expected a time in every row, found none in the whole table; add a column such as "
            "'timestamp', or allow undated files in section [cleaning]"
        )
    by_user = cleaning.undated == "by_user"
    back = pl.int_range(pl.len(), dtype=pl.Int64).reverse()
    work = work.with_columns(back=back.over("user_id") if by_user else back)
    most = int(work["back"].max() or 0)  # type: ignore[arg-type]
    gap = min(cleaning.undated_gap, min(_UNDATED_SPAN, max(now, 1.0)) / max(most, 1))
    counts["undated"] = work.height
    each = "each person's last row" if by_user else "the last row"
    notes.append(f"no row has a time: {each} was dated now, earlier ones {gap:g} s apart")
    return work.with_columns(
        timestamp=round(now * MICROS) - (pl.col("back") * (gap * MICROS)).cast(pl.Int64),
        undated=pl.lit(True),
    ).drop("back")


def _faults(
    work: pl.DataFrame, draft: Draft, now: float, kinds: Kinds, cleaning: CleaningConfig
) -> pl.Expr:
    """Return the first rule that each row breaks, as an expression that is null where none."""
    user, item, kind = pl.col("user_id"), pl.col("item_id"), pl.col("event")
    time, value = pl.col("timestamp"), pl.col("value")
    counted = [
        k for k in work["event"].unique().drop_nulls() if kinds.unit(k) not in (None, "stars")
    ]
    rules: list[tuple[pl.Expr, str]] = [
        (user.is_null(), "user_id_missing"),
        (user == "", "user_id_empty"),
        (user.str.len_bytes() > ID_BYTES, "user_id_too_long"),
        (item == "", "item_id_empty"),
        (item.str.len_bytes() > ID_BYTES, "item_id_too_long"),
        (item.is_null() & pl.col("text").is_null(), "item_id_missing"),
        (pl.col("slate_id").str.len_bytes() > ID_BYTES, "slate_id_too_long"),
        (kind.is_null(), "event_missing"),
        (kind.str.len_bytes() > KIND_BYTES, "event_unreadable"),
        (time.is_null(), "timestamp_missing"),
        (time < 0, "timestamp_impossible"),
        (~value.is_finite(), "value_not_finite"),
        (value.abs() > cleaning.value_limit, "value_too_large"),
        ((value < 0) & kind.is_in(counted), "value_negative"),
        (pl.col("context").str.len_bytes() > cleaning.context_limit, "context_too_large"),
    ]
    if not draft.called and float(work["timestamp"].median() or 0) > 1e8 * MICROS:  # type: ignore[arg-type]
        rules.append((time == 0, "timestamp_impossible"))
    if cleaning.on("timestamp_in_future"):
        ahead = cleaning.future_call if draft.called else cleaning.future_file
        rules.append((time > round((now + ahead) * MICROS), "timestamp_in_future"))
    return pl.coalesce(
        pl.col("fault"), *(pl.when(broken).then(pl.lit(rule)) for broken, rule in rules)
    )


def _consenting(work: pl.DataFrame, privacy: Privacy) -> pl.DataFrame:
    """Return the rows with those that lack consent at fault before anything else."""
    refused = privacy.refused(work["context"])
    return work.with_columns(
        fault=pl.when(refused).then(pl.lit("consent_missing")).otherwise(pl.col("fault"))
    )


def _check_kinds(good: pl.DataFrame) -> None:
    """Raise InvalidInput where the column of kinds is clearly something else."""
    found = good["event"].n_unique()
    if found > _MOST_KINDS:
        raise InvalidInput(
            f"expected a few kinds of events, found {found} distinct ones such as "
            f"{good['event'][0]!r}; say which column it is with columns={{'event': ...}}"
        )


def _keyed(good: pl.DataFrame, called: bool, merged: bool) -> pl.DataFrame:
    """Return the rows with a column `key` of 16 bytes.

    Identical rows of one batch of calls share a key, and are one event; another call is another.
    Unless `merged`, rows without an id of their own are events of their own, identical or not.
    """
    good = good.with_columns(numbered=pl.col("undated") | (not merged))
    silent = good["event_id"].is_null()
    salt = secrets.token_bytes(16) if called else b""
    if silent.all():
        return good.with_columns(key=content_keys(good, salt))
    named = good.with_columns(key=id_keys(good["event_id"]))
    if not silent.any():
        return named
    made = good.filter(silent).select("place", made=content_keys(good.filter(silent), salt))
    return named.join(made, on="place", how="left", maintain_order="left").with_columns(
        key=pl.coalesce("key", "made")
    )


def _unknown_kinds(good: pl.DataFrame, kinds: Kinds, notes: list[str]) -> int:
    """Return how many events are of kinds without a weight, and say which."""
    unknown = kinds.unknown(good["event"].unique().sort().to_list())
    if not unknown:
        return 0
    named = ", ".join(map(repr, unknown[:8])) + (", ..." if len(unknown) > 8 else "")
    notes.append(
        f"no weight is known for {named}: each counts {kinds.config.unknown_weight:g}; "
        f"set it in section [events.weights]"
    )
    return int(good["event"].is_in(unknown).sum())


def _quarantine(
    bad: pl.DataFrame, draft: Draft, privacy: Privacy, counts: dict[str, int]
) -> pl.DataFrame:
    """Return the rows kept aside, in the order in which they came, and count their reasons."""
    if bad.height == 0:
        return no_quarantine()
    bad = bad.sort("place")
    counts.update(bad["fault"].value_counts(sort=True).iter_rows())
    rows = privacy.without_names(draft.rows(bad["place"]), draft.columns.source.get("user_id"))
    # Without consent neither the row nor the name may be kept.
    withheld = pl.col("fault") == "consent_missing"
    return bad.select(
        reason="fault",
        user_id=pl.when(~withheld & (pl.col("user_id").str.len_bytes() <= ID_BYTES)).then(
            "user_id"
        ),
        row=pl.when(withheld).then(pl.lit("{}")).otherwise(rows),
    )
