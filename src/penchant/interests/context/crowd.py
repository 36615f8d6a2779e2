"""How much more items are wanted in some circumstances than at large: counts of all people.

For an item i, a value c of a field and the category g of the item, with n events of each,

    p(c|g) = (n_gc + OF_ALL p(c)) / (n_g + OF_ALL)
    p(c|i) = (n_ic + OF_KIND p(c|g)) / (n_i + OF_KIND)
    lift   = log p(c|i) / p(c)

so that an item of which little is known moves as its kind does, and that as everything.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penchant.interests.context.schema import Codes, Schema
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.types import Floats, Ids

OF_ALL, OF_KIND = 20.0, 10.0  # events before an own share is half of what is believed
_PARTS = ("starts", "items", "counts")
_FILE = "crowd"


class Crowd:
    """Counts by item and code. `starts` int64[n_codes + 1], `items` int32[m] ascending within a
    code, `counts` float32[m]; of categories `kinds` float32[n_codes, n_categories + 1], the last of
    which is for items without one."""

    def __init__(
        self,
        schema: Schema,
        starts: npt.NDArray[np.int64],
        items: Ids,
        counts: Floats,
        kinds: Floats,
        columns: ItemColumns,
    ) -> None:
        self.schema = schema
        self._columns = columns
        self._starts, self._items, self._counts, self._kinds = starts, items, counts, kinds
        n_fields = len(schema.fields)
        field = np.array([-1, *(_fields(schema))], dtype=np.intp)
        n = int(items.max(initial=-1)) + 1
        code = np.repeat(np.arange(schema.n_codes), np.diff(starts))
        of_field = np.zeros((n_fields, n + 1), dtype=np.float32)  # the last is of unknown items
        np.add.at(of_field, (field[code], items), counts)
        self._of_item = of_field
        totals = np.bincount(code, counts, minlength=schema.n_codes)
        by_field = np.bincount(field[1:], totals[1:], minlength=n_fields)
        self._share = np.ones(schema.n_codes)
        self._share[1:] = (totals[1:] + 0.5) / (by_field[field[1:]] + 1.0)
        of_kind = np.zeros((n_fields, kinds.shape[1]), dtype=np.float32)
        np.add.at(of_kind, field[1:], kinds[1:])
        # p(c|g), float[n_codes, n_categories + 1].
        self._of_kind = np.ones_like(kinds)
        self._of_kind[1:] = (kinds[1:] + OF_ALL * self._share[1:, None]) / (
            of_kind[field[1:]] + OF_ALL
        )

    @classmethod
    def count(cls, schema: Schema, codes: Codes, items: Ids, columns: ItemColumns) -> Crowd:
        """Return the counts of events: their codes int32[n, slots] and items int32[n]."""
        code, item = codes.ravel(), np.repeat(items, codes.shape[1])
        said = code > 0
        code, item = code[said], item[said]
        width = max(columns.n, int(items.max(initial=-1)) + 1, 1)
        keys, counts = np.unique(code.astype(np.int64) * width + item, return_counts=True)
        starts = np.searchsorted(keys, np.arange(schema.n_codes + 1, dtype=np.int64) * width)
        names = len(columns.categories)
        kind = columns.category[item]
        kinds = np.zeros((schema.n_codes, names + 1), dtype=np.float32)
        np.add.at(kinds, (code, np.where(kind < 0, names, kind)), 1.0)
        return cls(
            schema,
            starts.astype(np.int64),
            (keys % width).astype(np.int32),
            counts.astype(np.float32),
            kinds,
            columns,
        )

    def lift(self, here: Codes, items: Ids) -> Floats:
        """Return float32[fields, n]: what each field adds for each item, NaN where it says nothing.

        `here` int32[slots] are the codes of a request. Several values of a list add up.
        """
        schema = self.schema
        out = np.full((len(schema.fields), len(items)), np.nan, dtype=np.float32)
        names = self._kinds.shape[1] - 1
        kind = self._columns.category[items]
        kind = np.where((kind < 0) | (kind >= names), names, kind)
        known = np.minimum(items, self._of_item.shape[1] - 1)
        for slot in np.flatnonzero(here).tolist():
            code, field = int(here[slot]), int(schema.of_slot[slot])
            own = slice(int(self._starts[code]), int(self._starts[code + 1]))
            there, counts = self._items[own], self._counts[own]
            found = np.zeros(len(items), dtype=np.float32)
            if len(there):
                at = np.minimum(np.searchsorted(there, items), len(there) - 1)
                found = np.where(there[at] == items, counts[at], np.float32(0.0))
            expected = self._of_kind[code][kind]
            share = (found + OF_KIND * expected) / (self._of_item[field][known] + OF_KIND)
            lift = np.log(share / self._share[code]).astype(np.float32)
            out[field] = np.where(np.isnan(out[field]), lift, out[field] + lift)
        return out

    def save(self, folder: Artefacts) -> None:
        """Write the counts, and the names of the categories that they are of."""
        folder.write_arrays(
            {
                f"{_FILE}.starts": self._starts,
                f"{_FILE}.items": self._items,
                f"{_FILE}.counts": self._counts,
                f"{_FILE}.kinds": self._kinds,
            }
        )
        names = self._columns.categories[: self._kinds.shape[1] - 1]
        folder.write_json(_FILE, {"categories": names})

    @classmethod
    def load(cls, folder: Artefacts, schema: Schema, columns: ItemColumns) -> Crowd:
        """Return what a folder holds, told for the numbers that categories have here."""
        starts, items, counts = (np.asarray(folder.array(f"{_FILE}.{part}")) for part in _PARTS)
        kept = np.asarray(folder.array(f"{_FILE}.kinds"))
        here = [columns.code(name) for name in folder.json(_FILE)["categories"]]
        kinds = np.zeros((len(kept), len(columns.categories) + 1), dtype=np.float32)
        kinds[:, [*here, -1]] = kept
        return cls(schema, starts, items, counts, kinds, columns)


def _fields(schema: Schema) -> list[int]:
    return [place for place, field in enumerate(schema.fields) for _ in range(field.size)]
