"""The magnitudes of a batch of events: ratings and their scale, outliers, shares of time and count.

What a value was before is kept in the context under `raw_value`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.door import PAID
from penchant.ingest.kinds import Kinds, plain
from penchant.ingest.ratings import detect_scale


def with_values(
    good: pl.DataFrame,
    kinds: Kinds,
    cleaning: CleaningConfig,
    counts: dict[str, int],
    notes: list[str],
) -> tuple[pl.DataFrame, dict[str, tuple[float, float]]]:
    """Return the rows with values one can learn from, the raw ones kept, and the rating scales."""
    good = good.with_columns(raw=pl.col("value"))
    names = good["event"].unique().to_list()
    paid = [k for k in names if plain(k) in PAID]
    if paid and cleaning.on("negative_purchase"):
        back = pl.col("event").is_in(paid) & (pl.col("value") < 0)
        counts["negative_purchase"] = int(good.select(back.fill_null(False).sum()).item())
        good = good.with_columns(event=pl.when(back).then(pl.lit("return")).otherwise("event"))
    scales = {}
    for kind in names:
        if kinds.unit(kind) == "stars":
            values = good.filter(pl.col("event") == kind)["value"].drop_nulls().to_numpy()
            if (scale := detect_scale(values)) is not None:
                scales[plain(kind)] = scale
    if cleaning.on("value_clipped"):
        for kind, (low, high) in value_limits(good, kinds.with_scales(scales), cleaning).items():
            here = pl.col("event") == kind
            beyond = here & ((pl.col("value") < low) | (pl.col("value") > high))
            if good.select(beyond.any()).item():
                notes.append(f"values of {kind!r} were clipped to {low:g} .. {high:g}")
            good = good.with_columns(
                value=pl.when(here).then(pl.col("value").clip(low, high)).otherwise("value")
            )
        counts["value_clipped"] = int((good["value"] != good["raw"]).sum())
    if cleaning.on("value_normalised"):
        good = _as_shares(good, kinds, cleaning, counts)
    kept = pl.format('"raw_value":{}', pl.col("raw"))
    changed = pl.col("value").is_not_null() & (pl.col("raw") != pl.col("value"))
    return good.with_columns(
        context=pl.when(changed & pl.col("context").is_null())
        .then("{" + kept + "}")
        .when(changed)
        .then(pl.col("context").str.head(-1) + "," + kept + "}")
        .otherwise("context")
    ), scales


def _as_shares(
    good: pl.DataFrame, kinds: Kinds, cleaning: CleaningConfig, counts: dict[str, int]
) -> pl.DataFrame:
    """Return the rows with durations, counts and depths as shares in [0, 1].

    By logarithm up to their full mark, a depth above 1 as a percentage. An event of another kind
    without a value takes the share of the `dwell_seconds` in its context.
    """
    value, kind = pl.col("value"), pl.col("event")
    units = {k: kinds.unit(k) for k in good["event"].unique().to_list()}

    def of(unit: str | None) -> list[str]:
        return [k for k, u in units.items() if u == unit]

    def logged(amount: pl.Expr, full: float) -> pl.Expr:
        return (amount.log1p() / float(np.log1p(full))).clip(0.0, 1.0)

    dwell = pl.lit(None, pl.Float64)
    if good["context"].str.contains('"dwell_seconds"', literal=True).any():
        told = pl.col("context").str.json_path_match("$.dwell_seconds")
        dwell = told.cast(pl.Float64, strict=False)
    dwelled = value.is_null() & kind.is_in(of(None)) & (dwell >= 0) & dwell.is_finite()
    share = (
        pl.when(kind.is_in(of("seconds")))
        .then(logged(value, cleaning.seconds_full))
        .when(kind.is_in(of("count")))
        .then(logged(value, cleaning.count_full))
        .when(kind.is_in(of("depth")))
        .then(pl.when(value > 1).then(value / 100).otherwise(value).clip(0.0, 1.0))
        .when(dwelled.fill_null(False))
        .then(logged(dwell, cleaning.seconds_full))
        .otherwise(value)
    )
    was = good["value"]
    good = good.with_columns(value=share)
    counts["value_normalised"] = int((good["value"].ne_missing(was)).sum())
    return good


def value_limits(
    frame: pl.DataFrame, kinds: Kinds, cleaning: CleaningConfig
) -> dict[str, tuple[float, float]]:
    """Return for each kind the lowest and highest value that is not clipped.

    Ratings end with their scale, where it is known. Other values end where Tukey's outer fence on
    log(1 + |value|) does, q75 + `outlier_spread` x IQR, or at ten times the 99th percentile if
    that is larger (where nearly all values are equal, any fence would cut the rest). Kinds with
    fewer than `outlier_rows` values have no limit, nor have those that become a share anyway.
    """
    size = pl.col("value").abs().log1p()
    spread = (
        frame.filter(pl.col("value").is_not_null())
        .group_by("event")
        .agg(
            rows=pl.len(),
            low=size.quantile(0.25),
            high=size.quantile(0.75),
            last=size.quantile(0.99),
        )
    )
    limits = {}
    for kind, rows, low, high, last in spread.iter_rows():
        unit = kinds.unit(kind)
        if unit == "stars":
            if kinds.knows_scale(kind):
                limits[kind] = kinds.scale(kind)
        elif unit is None and rows >= cleaning.outlier_rows:
            fence = float(
                np.expm1(max(high + cleaning.outlier_spread * (high - low), last + np.log(10)))
            )
            limits[kind] = (-fence, fence)
    return limits
