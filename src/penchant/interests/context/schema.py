"""The schema of contexts: a request's circumstances, and those of past events, as rows of codes.

Every value of every field has one code in all, so that a row of codes is what a factorised model,
a count and a comparison read alike. 0 stands for what is missing, or was never seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from penchant.interests.context import clock
from penchant.interests.context.config import zone
from penchant.interests.context.field import Field
from penchant.interests.context.values import PLACE, where
from penchant.store.artefacts import Artefacts

FILE = "context"
TIMEZONE = "timezone"  # the key of a context that says where its clock hangs
Codes = npt.NDArray[np.int32]
_REMEMBERED = 50_000  # contexts, as they were written down, whose codes are kept


class Schema:
    """The fields of contexts; `slots` codes make a row, and `n_codes` there are with the 0.

    `of_slot` int[slots] is the field of each. Safe for threads.
    """

    def __init__(
        self, fields: Sequence[Field], timezone: str = "UTC", hemisphere: str = "north"
    ) -> None:
        # The clock's fields last: the others of an event are looked up as one piece.
        self.fields = (
            *(field for field in fields if field.kind != "clock"),
            *(field for field in fields if field.kind == "clock"),
        )
        self.timezone, self.hemisphere = timezone, hemisphere
        self._zone, self._south = _hung(timezone), hemisphere == "south"
        sizes = [field.size for field in self.fields]
        self._firsts = np.concatenate(([0], np.cumsum(sizes))).astype(int).tolist()
        self.n_codes = int(sum(sizes)) + 1
        self.of_slot = np.repeat(
            np.arange(len(self.fields)), [field.slots for field in self.fields]
        )
        self.slots = len(self.of_slot)
        self._given = [field for field in self.fields if field.kind != "clock"]
        self._width = sum(field.slots for field in self._given)
        self._known: dict[str | None, tuple[bytes, ZoneInfo | None]] = {}

    def here(self, context: Mapping[str, Any] | None, now: float) -> Codes:
        """Return the codes int32[slots] of a request with this context at `now` (seconds)."""
        given, hung = self._row(context or {})
        row: Codes = self._clocked(given[None], np.array([now]), [hung])[0]
        return row

    def then(self, contexts: Sequence[str | None], times: npt.NDArray[np.float64]) -> Codes:
        """Return the codes int32[n, slots] of events: contexts as JSON, times in seconds.

        `contexts` may be empty where no event has one.
        """
        n = len(times)
        found = [self._read(text) for text in contexts] if len(contexts) else []
        given = np.zeros((n, self._width), dtype=np.int32)
        if found and self._width:
            given = np.frombuffer(b"".join(row for row, _ in found), dtype=np.int32)
            given = given.reshape(n, self._width)
        return self._clocked(given, times, [hung for _, hung in found])

    def field_of(self, code: int) -> Field:
        """Return the field that a code is of."""
        return self.fields[self._field(code)]

    def says(self, code: int) -> tuple[str, str]:
        """Return the field of a code, and what it says of it in words."""
        at = self._field(code)
        return self.fields[at].name, self.fields[at].says(code - self._firsts[at])

    def save(self, folder: Artefacts) -> None:
        """Write the schema."""
        folder.write_json(
            FILE,
            {
                "fields": [asdict(field) for field in self.fields],
                "timezone": self.timezone,
                "hemisphere": self.hemisphere,
            },
        )

    @classmethod
    def load(cls, folder: Artefacts) -> Schema | None:
        """Return the schema that a folder holds, None where it has none."""
        if not folder.has(f"{FILE}.json"):
            return None
        kept = folder.json(FILE)
        fields = [
            Field(
                **{
                    **field,
                    "values": tuple(field["values"]),
                    "edges": tuple(field["edges"]),
                    "centres": tuple((a, o) for a, o in field["centres"]),
                }
            )
            for field in kept["fields"]
        ]
        return cls(fields, kept["timezone"], kept["hemisphere"])

    def _field(self, code: int) -> int:
        return int(np.searchsorted(self._firsts, code, side="left")) - 1

    def _read(self, text: str | None) -> tuple[bytes, ZoneInfo | None]:
        """Return the codes of a written context, which are kept: few differ."""
        found = self._known.get(text)
        if found is None:
            context = {} if text is None else json.loads(text)
            row, hung = self._row(context if isinstance(context, dict) else {})
            if len(self._known) >= _REMEMBERED:
                self._known = {}
            found = self._known[text] = (row.tobytes(), hung)
        return found

    def _row(self, context: Mapping[str, Any]) -> tuple[Codes, ZoneInfo | None]:
        """Return the codes int32[width] of what a context says, and where its clock hangs."""
        row, at = np.zeros(self._width, dtype=np.int32), 0
        for field, first in zip(self._given, self._firsts, strict=False):
            value = where(context) if field.name == PLACE else context.get(field.name)
            codes = () if value is None else field.codes(value)
            for place, code in enumerate(codes):
                row[at + place] = first + code
            at += field.slots
        hung = context.get(TIMEZONE)
        return row, None if hung is None else zone(hung)

    def _clocked(
        self, given: Codes, times: npt.NDArray[np.float64], hung: Sequence[ZoneInfo | None]
    ) -> Codes:
        """Return rows with the codes of the clock behind what was given."""
        if self._width == self.slots:
            return given
        out = np.zeros((len(times), self.slots), dtype=np.int32)
        out[:, : self._width] = given
        zones = set(hung) or {None}
        for one in zones:
            own = slice(None)
            if len(zones) > 1:
                own = np.array([other is one for other in hung])  # type: ignore[assignment]
            said = clock.read(times[own], self._zone if one is None else one, self._south)
            for place, field in enumerate(self.fields[len(self._given) :]):
                first = self._firsts[len(self._given) + place] + 1
                out[own, self._width + place] = said[field.name] + first
        return out


def _hung(timezone: str) -> ZoneInfo | None:
    return None if timezone == "UTC" else zone(timezone)
