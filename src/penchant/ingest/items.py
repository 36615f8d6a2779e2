"""Items from anywhere to the store's frame: texts, tags, category, price, times and attributes.

An item is kept for its id alone: a price or a time that cannot be believed becomes missing, is
counted, and stays readable in the attributes under `raw_...`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from penchant.ingest.attributes import fold, rows_as_json
from penchant.ingest.casting import first_fault, id_column
from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.columns import Columns, match, require
from penchant.ingest.draft import row_as_json
from penchant.ingest.intake import Intake, settled
from penchant.ingest.rows import frame_of
from penchant.ingest.tables import Table, read_table
from penchant.ingest.times import read_times
from penchant.ingest.wording import cut, one_category, one_text, split_tags
from penchant.store.frames import ID_BYTES, ITEMS
from penchant.types import InvalidInput

_TIMES = ("released", "stock_from", "stock_until")


def read_items(
    source: Any,
    *,
    cleaning: CleaningConfig | None = None,
    columns: Mapping[str, str] | None = None,
) -> Intake:
    """Return the items of `source` as an ITEMS frame, in the order in which they came.

    `source` is a path, a frame of any library, an Item, a dict or an iterable of them. Of several
    rows with one id the last wins, the others count as duplicates. Rows without a sound id are
    quarantined. Texts beyond their limit are cut; columns that nobody named become attributes.

    `released` may be a year; `year` itself stays an attribute. A price may carry a currency sign,
    thousands commas or be "free".
    """
    cleaning = cleaning or CleaningConfig()
    table = read_table(source, "items")
    counts: dict[str, int] = {}
    notes: list[str] = []
    frame, mapping, rows = _canonical(table, columns, counts)
    raw: dict[str, pl.Series] = {}
    out = {"item_id": frame["item_id"]}
    for name, limit in (
        ("title", cleaning.title_limit),
        ("description", cleaning.description_limit),
    ):
        out[name] = _texts(frame, name, limit, cleaning, counts)
    out["category"] = (
        one_category(frame["category"]) if "category" in frame else _absent(frame, pl.String)
    )
    out["tags"] = _tags(frame, mapping, notes)
    out["price"] = _prices(frame, raw, counts)
    for name in _TIMES:
        out[name] = _times(frame, name, raw, counts, notes)
    _stock_windows(out, raw, counts)
    folded = pl.DataFrame(
        [frame["attributes"].alias("a"), *(column.alias(n) for n, column in raw.items())]
    )
    out["attributes"] = fold(folded, {n: n for n in raw}, into="a").fill_null("{}")
    made = pl.DataFrame([column.alias(n) for n, column in out.items()])
    size = made["attributes"].str.len_bytes()
    fault = frame["fault"].fill_null(
        first_fault(
            [
                (made["item_id"].is_null(), "item_id_missing"),
                ((made["item_id"] == "").fill_null(False), "item_id_empty"),
                ((made["item_id"].str.len_bytes() > ID_BYTES).fill_null(False), "item_id_too_long"),
                (size > cleaning.description_limit, "attributes_too_large"),
            ],
            made.height,
        )
    )
    return settled(made.select(list(ITEMS)), fault, "item_id", rows, mapping, counts, notes)


def _canonical(
    table: Table, given: Mapping[str, str] | None, counts: dict[str, int]
) -> tuple[pl.DataFrame, Columns, Callable[[pl.Series], pl.Series]]:
    """Return the rows with canonical columns, `attributes` as JSON and `fault`, and the mapping."""
    if table.frame is None:
        objects = table.objects or ()
        made = frame_of(objects, "items", given)
        counts["attributes_as_text"], counts["text_repaired"] = made.as_text, made.repaired

        def said(places: pl.Series) -> pl.Series:
            return pl.Series([row_as_json(objects[i]) for i in places], dtype=pl.String)

        return made.frame, made.columns, said
    frame = table.frame
    mapping = match(frame.columns, "items", given)
    require(mapping, "item_id", present=frame.columns)
    ids = id_column(frame[mapping.source["item_id"]])
    counts["id_from_float"] = ids.from_float
    named = {n: frame[c].alias(n) for n, c in mapping.source.items() if n != "attributes"}
    named["item_id"] = ids.text.alias("item_id")
    attributes = fold(frame, mapping.renamed, into=mapping.source.get("attributes"))
    fault = first_fault([(ids.unreadable, "item_id_unreadable")], frame.height)
    return (
        pl.DataFrame([*named.values(), attributes.alias("attributes"), fault.alias("fault")]),
        mapping,
        lambda places: rows_as_json(frame[places]),
    )


def _absent(frame: pl.DataFrame, kind: Any) -> pl.Series:
    return pl.Series([None] * frame.height, dtype=kind)


def _texts(
    frame: pl.DataFrame, name: str, limit: int, cleaning: CleaningConfig, counts: dict[str, int]
) -> pl.Series:
    """Return title or description, empty where missing."""
    text = one_text(frame[name]) if name in frame else _absent(frame, pl.String)
    counts[f"{name}_missing"] = text.null_count()
    if cleaning.on("text_truncated"):
        text, shortened = cut(text, limit)
        counts["text_truncated"] = counts.get("text_truncated", 0) + shortened
    return text.fill_null("")


def _tags(frame: pl.DataFrame, mapping: Columns, notes: list[str]) -> pl.Series:
    """Return the tags, an empty list where there are none."""
    if "tags" not in frame:
        return pl.Series([[]] * frame.height, dtype=pl.List(pl.String))
    tags, separator = split_tags(frame["tags"], mapping.source.get("tags") in mapping.sequences)
    if separator is not None:
        notes.append(f"tags were split at {separator!r}")
    return tags


def _prices(frame: pl.DataFrame, raw: dict[str, pl.Series], counts: dict[str, int]) -> pl.Series:
    """Return the prices that can be believed."""
    if "price" not in frame:
        return _absent(frame, pl.Float64)
    column = frame["price"]
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        plain = text.str.to_lowercase().str.replace(r"^free$", "0")
        plain = plain.str.replace_all(r"[\s\p{Sc}]", "")
        plain = plain.str.replace(r"^[a-z]{3}(\d)", "$1").str.replace(r"(\d)[a-z]{3}$", "$1")
        # A comma before exactly three digits separates thousands; any other is no English number.
        plain = plain.str.replace_all(r",(\d{3})(?:\b|$)", "$1")
        price = plain.cast(pl.Float64, strict=False)
        given = text.is_not_null() & (text != "")
        odd = given & price.is_null()
        counts["price_unreadable"] = int(odd.sum())
    elif column.dtype.is_numeric() or column.dtype in (pl.Null, pl.Boolean):
        price = column.cast(pl.Float64)
        odd = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    else:
        raise InvalidInput(
            f"expected prices as numbers, but the column holds {column.dtype}; convert it, or name "
            f"another column with columns="
        )
    doubtful = (~price.is_finite() | (price < 0)).fill_null(False)
    counts["price_not_believed"] = int(doubtful.sum())
    if (odd | doubtful).any():
        raw["raw_price"] = pl.select(
            pl.when(odd | doubtful).then(column.cast(pl.String))
        ).to_series()
    return pl.select(pl.when(~doubtful).then(price)).to_series()


def _times(
    frame: pl.DataFrame,
    name: str,
    raw: dict[str, pl.Series],
    counts: dict[str, int],
    notes: list[str],
) -> pl.Series:
    """Return a time of the items in microseconds UTC."""
    if name not in frame:
        return _absent(frame, pl.Int64)
    read = read_times(frame[name].alias(name), years=name == "released")
    if read.unit not in ("seconds", "text", "datetime"):
        counts["timestamp_in_other_unit"] = counts.get("timestamp_in_other_unit", 0) + frame.height
        notes.append(f"{name} was taken for {read.unit}, by its median")
    if read.unreadable.any():
        counts["time_not_read"] = counts.get("time_not_read", 0) + int(read.unreadable.sum())
        raw[f"raw_{name}"] = pl.select(
            pl.when(read.unreadable).then(frame[name].cast(pl.String))
        ).to_series()
    return read.micros


def _stock_windows(
    out: dict[str, pl.Series], raw: dict[str, pl.Series], counts: dict[str, int]
) -> None:
    """Drop stock windows that end before they start, and keep them in the attributes."""
    start, end = out["stock_from"], out["stock_until"]
    reversed_ = (end < start).fill_null(False)
    if not reversed_.any():
        return
    counts["stock_window_reversed"] = int(reversed_.sum())
    for name in ("stock_from", "stock_until"):
        kept = pl.select(pl.when(reversed_).then(out[name].cast(pl.String))).to_series()
        earlier = raw.get(f"raw_{name}")
        raw[f"raw_{name}"] = kept if earlier is None else kept.fill_null(earlier)
        out[name] = pl.select(pl.when(~reversed_).then(out[name])).to_series()
