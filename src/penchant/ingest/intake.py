"""What came of an import: the rows believed, the rows kept aside with a reason, and the counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from penchant.ingest.columns import Columns

QUARANTINE: Mapping[str, type[pl.DataType]] = {
    "reason": pl.String,
    "user_id": pl.String,
    "row": pl.String,
}


@dataclass(frozen=True, slots=True)
class Intake:
    """The outcome of reading one source; no row of it is in two places, and none is in no place.

    `frame` holds what is believed, in the store's own schema. `quarantined` holds `reason` (the
    name of a rule), `user_id` (null where the row names nobody) and `row` (the row as it came, a
    JSON object). `counts` has `rows`, `accepted`,
    `quarantined` and `duplicates`, where rows = accepted + quarantined + duplicates, and one entry
    for each rule that applied; once stored, `already_kept_aside` of the quarantined lay there from
    an earlier reading. `notes` are the assumptions made, as sentences. `scales` are the
    rating scales seen, for `Kinds.with_scales`.
    """

    frame: pl.DataFrame
    quarantined: pl.DataFrame
    counts: Mapping[str, int]
    columns: Columns
    notes: tuple[str, ...] = ()
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __str__(self) -> str:
        total = ("rows", "accepted", "quarantined", "duplicates")
        lines = [str(self.columns), *(f"  {note}" for note in self.notes)]
        lines.append("  " + ", ".join(f"{self.counts.get(n, 0):,} {n}" for n in total))
        rules = {n: c for n, c in self.counts.items() if n not in total and c}
        lines += [f"  {count:>10,} {name.replace('_', ' ')}" for name, count in rules.items()]
        return "\n".join(lines)


class Counts(dict[str, int]):
    """What became of an import, rule by rule; prints like the dict it is.

    `mapping` says, to be printed, which column was taken for what and what was assumed.
    """

    mapping: str = ""

    @classmethod
    def of(cls, intake: Intake, stored: Mapping[str, int]) -> Counts:
        """Return the counts of reading and of storing."""
        counts = cls({**intake.counts, **stored})
        counts.mapping = "\n".join([str(intake.columns), *(f"  {n}" for n in intake.notes)])
        return counts

    def named(self, what: str) -> Counts:
        """Return the same counts under names of their own."""
        counts = Counts({f"{what}_{name}": count for name, count in self.items()})
        counts.mapping = self.mapping
        return counts

    def beside(self, other: Counts) -> Counts:
        """Return both counts together."""
        counts = Counts({**self, **other})
        counts.mapping = "\n".join(part for part in (self.mapping, other.mapping) if part)
        return counts


def no_quarantine() -> pl.DataFrame:
    """Return a quarantine frame without rows."""
    return pl.DataFrame(schema=dict(QUARANTINE))


def settled(
    frame: pl.DataFrame,
    fault: pl.Series,
    same: str | tuple[str, ...],
    rows: Callable[[pl.Series], pl.Series],
    columns: Columns,
    counts: dict[str, int],
    notes: Sequence[str],
) -> Intake:
    """Return the outcome for rows of which the last with the same id counts.

    `fault` names the rule that a row breaks, or is null; `rows` gives rows at some places as JSON.
    """
    sound = fault.is_null()
    believed = frame.filter(sound)
    kept = believed.unique(same, keep="last", maintain_order=True)
    bad = (~sound).arg_true()
    quarantined = no_quarantine()
    if len(bad):
        reasons = fault.filter(~sound)
        nobody = pl.Series([None] * len(bad), dtype=pl.String)
        who = frame["user_id"].filter(~sound) if "user_id" in frame.columns else nobody
        quarantined = pl.DataFrame(
            {"reason": reasons, "user_id": who, "row": rows(bad.cast(pl.Int64))}
        )
        counts.update(reasons.value_counts(sort=True).iter_rows())
    duplicates = believed.height - kept.height
    counts["duplicate_id"] = duplicates
    totals = {
        "rows": frame.height,
        "accepted": kept.height,
        "quarantined": quarantined.height,
        "duplicates": duplicates,
    }
    return Intake(
        frame=kept,
        quarantined=quarantined,
        counts={**totals, **{name: n for name, n in counts.items() if n}},
        columns=columns,
        notes=tuple(notes),
    )
