"""A finding: one thing about the log that is not as it was, said in a sentence."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

Severity = Literal["notice", "warning", "critical"]
Kind = Literal[
    "rate", "mix", "silence", "drift", "repeats", "item", "person", "scores", "topics", "quality"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, how much was expected, and what to do about it.

    `subject` says of what: "events", "kind:click", "item:17" and "person:17" by number, "snapshot"
    and the like. `figure` and `expected` are in the unit that the sentence names. `since` and
    `over` are seconds; `over` is None while it lasts.
    """

    kind: Kind
    subject: str
    since: float
    severity: Severity
    figure: float
    expected: float
    sentence: str
    over: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes two findings the same one, seen again."""
        return self.kind, self.subject

    @property
    def id(self) -> str:
        """A name of this finding that stays the same while it lasts, and after."""
        text = f"{self.kind}|{self.subject}|{self.since:.3f}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def person(self) -> int | None:
        """The number of the person it is about, if it is about one."""
        head, _, tail = self.subject.partition(":")
        return int(tail) if head == "person" else None

    def ended(self, at: float) -> Finding:
        """Return this finding, over since `at`."""
        return replace(self, over=at)

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, with its id."""
        return {"id": self.id, **asdict(self)}


def finding(row: dict[str, Any]) -> Finding:
    """Return the finding that `plain` wrote."""
    return Finding(**{name: row[name] for name in Finding.__slots__})
