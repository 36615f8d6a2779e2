"""The one form of a text that every encoder and every cache key sees."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from penchant.types import InvalidInput


def normal(text: str, limit: int) -> str:
    """Return `text` in Unicode NFC, blanks collapsed, at most `limit` characters, valid UTF-8.

    Two spellings of one text (composed or decomposed accents, a trailing newline) become equal.
    Lone surrogates, which no encoder can take, become U+FFFD. Costs are bounded by `limit`, not by
    the length of the text.
    """
    # A decomposed or widely spaced text is longer than its normal form; eightfold is ample.
    text = text[: 8 * limit]
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return " ".join(text.split())[:limit].rstrip()


def normal_all(texts: Sequence[str], limit: int) -> list[str]:
    """Return the normal form of each text; InvalidInput names the first that is not a string."""
    if isinstance(texts, (str, bytes)):
        raise InvalidInput(
            f"expected a sequence of texts, got one {type(texts).__name__}: pass [text]"
        )
    out = []
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidInput(
                f"expected text at position {i}, got {type(text).__name__}: "
                "replace missing texts by an empty string"
            )
        out.append(normal(text, limit))
    return out
