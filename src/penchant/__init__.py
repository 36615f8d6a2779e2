"""Penchant: an embedded recommender engine with a language model inside.

A directory is a recommender: give it a catalogue with text and a log of events, and every event
changes the very next answer. Names are loaded when first used (PEP 562), so that importing the
package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penchant.engine import Engine
    from penchant.engine import Engine as open
    from penchant.language.heads.open import open_head
    from penchant.learn.heads.learning import learn_head
    from penchant.serve.client import connect
    from penchant.types import Error, Event, Item, Link, Recommendation, Slate, User

__version__ = "0.1.0"
__all__ = [
    "Engine",
    "Error",
    "Event",
    "Item",
    "Link",
    "Recommendation",
    "Slate",
    "User",
    "connect",
    "learn_head",
    "open",
    "open_head",
]


def __getattr__(name: str) -> Any:
    """Return a public name, importing the module that owns it on first use."""
    if name not in __all__:
        raise AttributeError(f"module 'penchant' has no attribute {name!r}; it has {__all__}")
    if name in ("Engine", "open"):
        from penchant import engine

        value: Any = engine.Engine  # to open a directory is to make its engine
    elif name == "connect":
        from penchant.serve import client

        value = client.connect
    elif name == "learn_head":
        from penchant.learn.heads import learning

        value = learning.learn_head
    elif name == "open_head":
        from penchant.language.heads import open as opening

        value = opening.open_head
    else:
        from penchant import types

        value = getattr(types, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
