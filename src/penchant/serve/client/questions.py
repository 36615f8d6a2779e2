"""What is asked, before it is sent: ids, moments and questions as a service takes them.

A mistake that can be seen here is refused here, in the words of the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penchant.ingest.cells import checked_id, to_id
from penchant.ingest.times import seconds
from penchant.store.frames import ID_BYTES
from penchant.types import InvalidInput

if TYPE_CHECKING:
    from penchant.ingest.times import Moment


def question(
    k: int | None,
    context: Mapping[str, Any] | None,
    text: str | None,
    now: Moment,
    history: Sequence[str] | None,
    log: bool | None,
) -> dict[str, Any]:
    """Return what the questions have in common, without what was left out."""
    if context is not None and not isinstance(context, Mapping):
        raise InvalidInput(f"context is a mapping, got {type(context).__name__} {context!r:.80}")
    body: dict[str, Any] = {"k": k, "context": context, "text": text, "log": log}
    body |= {"now": clock(now), "history": None if history is None else ids(history, "history")}
    return {name: value for name, value in body.items() if value is not None}


def clock(now: Moment) -> float | None:
    """Return a moment in seconds, None where the clock of the service is meant."""
    return None if now is None else seconds(now)


def one_id(given: object, name: str) -> str:
    """Return an id as text; InvalidInput where it is none."""
    found = checked_id(to_id(given, name), name)
    if found is None:
        raise InvalidInput(f"expected {name} of 1 to {ID_BYTES} bytes, got {given!r:.80}")
    return found


def ids(given: Iterable[object], name: str) -> list[str]:
    """Return a collection of ids as a list; InvalidInput where it is something else."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInput(
            f"{name} is a collection of ids, got {type(given).__name__} {given!r:.80}"
        )
    return [one_id(one, name) for one in given]


def check_columns(columns: Mapping[str, str] | None) -> None:
    """Raise InvalidInput where `columns` is no mapping of names to names."""
    if columns is None:
        return
    if isinstance(columns, Mapping) and all(
        isinstance(name, str) for pair in columns.items() for name in pair
    ):
        return
    raise InvalidInput(
        f"columns is a mapping of our names to those of the table, such as "
        f'{{"item_id": "sku"}}; got {type(columns).__name__} {columns!r:.80}'
    )
