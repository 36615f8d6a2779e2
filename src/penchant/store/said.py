"""What was said of items: the newest words about one by index, and words by their offset.

Kept beside the log, not in the memory of who follows it: what is removed from the log is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import LargeBinary, and_, bindparam, func, or_, select

from penchant.store import schema
from penchant.store.database import Database
from penchant.store.log import LAST

PAGE = 16
_PART = 500
_BYTES = 4  # of a character, at most


class Word(NamedTuple):
    """One event with a text: `time` in seconds, `kind` its name, `text` cut."""

    offset: int
    user: int
    time: float
    kind: str
    text: str


class Said:
    """Reads the texts of events that have an item. Texts are cut at `characters` where asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        events, kinds = schema.events.c, schema.kinds.c
        older = or_(
            events.time < bindparam("time"),
            and_(events.time == bindparam("time"), events.event_offset < bindparam("before")),
        )
        begin = func.substr(events.text, 1, bindparam("bytes"), type_=LargeBinary)
        self._newest = (
            select(events.event_offset, events.user_number, events.time, kinds.name, begin)
            .join(schema.kinds, kinds.number == events.kind)
            .where(events.item_number == bindparam("item"), events.text.is_not(None))
            .where(events.item_number.is_not(None), events.shared > 0)
            .where(events.event_offset <= bindparam("to"), older)
            .order_by(events.time.desc(), events.event_offset.desc())
            .limit(PAGE)
        )
        self._texts = select(events.event_offset, begin).where(
            events.event_offset.in_(bindparam("offsets", expanding=True))
        )

    def newest(self, item: int, characters: int, to: int = LAST) -> Iterator[Word]:
        """Yield what was said of an item up to offset `to`, newest first, ties by offset.

        Words that are of no weight to others are passed over.
        """
        time, before = LAST, LAST
        while True:
            found = self._database.rows(
                self._newest,
                {
                    "item": int(item),
                    "to": int(to),
                    "time": time,
                    "before": before,
                    "bytes": _BYTES * characters,
                },
            )
            for offset, user, time, kind, text in found:
                yield Word(offset, user, time / 1e6, kind, _read(text))
                before = offset
            if len(found) < PAGE:
                return

    def texts(self, offsets: Sequence[int], characters: int) -> dict[int, str]:
        """Return the texts of events by offset; what is gone from the log is absent."""
        out: dict[int, str] = {}
        wanted = sorted({int(offset) for offset in offsets})
        for start in range(0, len(wanted), _PART):
            rows = self._database.rows(
                self._texts,
                {"offsets": wanted[start : start + _PART], "bytes": _BYTES * characters},
            )
            out |= {offset: _read(text) for offset, text in rows if text is not None}
        return out


def _read(text: Any) -> str:
    # Cut between bytes: the last character may be half there.
    return bytes(text).decode(errors="ignore")
