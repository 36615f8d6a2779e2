"""People with their attributes, and links between people, items, groups and plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from penchant.ingest.attributes import fold, rows_as_json
from penchant.ingest.casting import first_fault, id_column, number_column
from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.columns import Columns, match, require
from penchant.ingest.draft import row_as_json
from penchant.ingest.ends import ENDS, Ends, whose, without_names
from penchant.ingest.intake import Intake, settled
from penchant.ingest.privacy import Privacy
from penchant.ingest.rows import frame_of
from penchant.ingest.tables import Table, read_table
from penchant.store.frames import ID_BYTES, LINKS, USERS

Original = Callable[[pl.Series], pl.Series]


def read_users(
    source: Any,
    *,
    cleaning: CleaningConfig | None = None,
    privacy: Privacy | None = None,
    columns: Mapping[str, str] | None = None,
) -> Intake:
    """Return the people of `source` as a USERS frame; of several rows with one id the last wins.

    `source` is a path, a frame of any library, a User, a dict or an iterable of them. Every column
    but the id becomes an attribute.
    """
    cleaning = cleaning or CleaningConfig()
    privacy = privacy or Privacy()
    table = read_table(source, "users")
    counts: dict[str, int] = {}
    frame, mapping, rows = _canonical(table, "users", columns, ("user_id",), counts)
    ids, attributes = frame["user_id"], frame["attributes"].fill_null("{}")
    fault = frame["fault"].fill_null(
        first_fault(
            [
                (ids.is_null(), "user_id_missing"),
                ((ids == "").fill_null(False), "user_id_empty"),
                ((ids.str.len_bytes() > ID_BYTES).fill_null(False), "user_id_too_long"),
                (attributes.str.len_bytes() > cleaning.description_limit, "attributes_too_large"),
            ],
            frame.height,
        )
    )
    made = pl.DataFrame([privacy.pseudonyms(ids).alias("user_id"), attributes])

    def unnamed(places: pl.Series) -> pl.Series:
        return privacy.without_names(rows(places), mapping.source.get("user_id"))

    return settled(made.select(list(USERS)), fault, "user_id", unnamed, mapping, counts, [])


def read_links(
    source: Any, *, columns: Mapping[str, str] | None = None, ends: Ends | None = None
) -> Intake:
    """Return the links of `source` as a LINKS frame: head, relation, tail, weight.

    Without a column for the relation every link is "related", without one for the weight it is 1.
    The same triple twice is one link, the last weight wins. `ends` knows which of them are people.
    """
    table = read_table(source, "links")
    counts: dict[str, int] = {}
    frame, mapping, rows = _canonical(table, "links", columns, ("head", "tail"), counts)
    if "relation" not in frame:
        frame = frame.with_columns(relation=pl.lit("related"))
    if "weight" in frame:
        numbers = number_column(frame["weight"])
        weight, odd = numbers.numbers.fill_null(1.0), numbers.unreadable
    else:
        weight = pl.repeat(1.0, frame.height, dtype=pl.Float64, eager=True)
        odd = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    made = frame.select("head", pl.col("relation").fill_null("related"), "tail").with_columns(
        weight=weight
    )
    too_long = made.select(
        pl.any_horizontal(pl.col("head", "relation", "tail").str.len_bytes() > ID_BYTES)
    ).to_series()
    fault = frame["fault"].fill_null(
        first_fault(
            [
                ((made["head"].fill_null("") == ""), "head_missing"),
                ((made["tail"].fill_null("") == ""), "tail_missing"),
                (too_long.fill_null(False), "link_too_long"),
                (odd | ~weight.is_finite(), "weight_unreadable"),
            ],
            frame.height,
        )
    )
    plain = made.select(list(LINKS))
    hidden = plain if ends is None else ends.hidden(plain)

    def unnamed(places: pl.Series) -> pl.Series:
        sources = [mapping.source.get(end) for end in ENDS]
        return without_names(rows(places), plain[places], hidden[places], sources)

    same = ("head", "relation", "tail")
    intake = settled(hidden, fault, same, unnamed, mapping, counts, [])
    # Whose a row is that is kept aside is kept with it: it goes with them.
    bad = fault.is_not_null()
    who = whose(plain.filter(bad), hidden.filter(bad))
    return replace(intake, quarantined=intake.quarantined.with_columns(user_id=who))


def _canonical(
    table: Table,
    name: str,
    given: Mapping[str, str] | None,
    needed: tuple[str, ...],
    counts: dict[str, int],
) -> tuple[pl.DataFrame, Columns, Original]:
    """Return rows with canonical columns and `fault`, the mapping, and the way back to the rows."""
    if table.frame is None:
        objects = table.objects or ()
        made = frame_of(objects, name, given)
        counts["attributes_as_text"] = made.as_text

        def said(places: pl.Series) -> pl.Series:
            return pl.Series([row_as_json(objects[i]) for i in places], dtype=pl.String)

        return made.frame, made.columns, said
    frame = table.frame
    mapping = match(frame.columns, name, given)
    for column in needed:
        require(mapping, column, present=frame.columns)
    out: list[pl.Series] = []
    faults: list[tuple[pl.Series, str]] = []
    for canonical, source in mapping.source.items():
        if canonical in ("weight", "attributes"):
            out.append(frame[source].alias(canonical))
            continue
        ids = id_column(frame[source])
        counts["id_from_float"] = counts.get("id_from_float", 0) + ids.from_float
        faults.append((ids.unreadable, f"{canonical}_unreadable"))
        out.append(ids.text.alias(canonical))
    made_frame = pl.DataFrame(out)
    if name == "users":
        folded = fold(frame, mapping.renamed, into=mapping.source.get("attributes"))
        made_frame = made_frame.with_columns(attributes=folded)
    made_frame = made_frame.with_columns(fault=first_fault(faults, frame.height))
    return made_frame, mapping, lambda places: rows_as_json(frame[places])
