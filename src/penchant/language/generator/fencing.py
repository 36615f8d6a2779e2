"""Texts of strangers, made into data that a model can tell from what it is asked.

Titles, descriptions and reviews are written by anybody. No fence makes a model deaf to what stands
within; this one sees to it that nobody can write its end, or the marks by which chat templates tell
turns apart. What an instruction among the data can do at worst is decided on the way out, where
answers are checked against a schema and against the catalogue.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable

CHARACTERS = 300  # of one datum

# Brackets are what fences and the special tokens of chat templates are made of: <|im_start|>,
# </s>, <<SYS>>, <start_of_turn>, [INST]. Tokenisers read those in a text as if they were their own.
# None has a space after what opens it, so that "A > B" and "a < b" can stay.
_BRACKETS = str.maketrans("[]＜＞［］⟦⟧", "()‹›()()")
_OPENS = re.compile(r"<(?=\S)")
_WIDE = re.compile(r"\s+")
_ROLES = "system|assistant|user|human|developer|tool|function|ai|系统|系統|用户|用戶|助手"
# Where a line begins: a heading (### Instruction), or the name of who speaks.
_LINE = r"(^|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])"
_TURN = re.compile(rf"{_LINE}\W*({_ROLES})\W{{0,3}}[:：]", re.IGNORECASE)
_MARKS = re.compile(r"#{2,}|`{3,}|-{3,}|={3,}|\*{3,}")
# Invisible, and none of the categories that are dropped: selectors can carry a whole message.
_INVISIBLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_DROPPED = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})


def clean(text: str, characters: int = CHARACTERS) -> str:
    """Return one line of what can be seen of a text, without marks of turns, cut to `characters`.

    What was cleaned stays as it is when it is cleaned again.
    """
    text = unicodedata.normalize("NFC", text[: 4 * characters + 64])
    before = None
    while before != text:  # what is taken out may bring together what stood on both sides of it
        before = text
        text = _INVISIBLE.sub("", text)
        text = "".join(
            one for one in text if one.isspace() or unicodedata.category(one) not in _DROPPED
        )
        text = _TURN.sub(r"\1\2 -", _OPENS.sub("‹", text.translate(_BRACKETS)))
        text = unicodedata.normalize("NFC", _WIDE.sub(" ", _MARKS.sub(" ", text)).strip())
        text = text[:characters].rstrip()
    return text


class Fence:
    """One call's fence. Its lines hold square brackets and a random code, which no datum can."""

    def __init__(self, code: str | None = None) -> None:
        self.code = code or secrets.token_hex(8)

    @property
    def opens(self) -> str:
        """The line before the data."""
        return f"[[data {self.code}"

    @property
    def closes(self) -> str:
        """The line after the data."""
        return f"data {self.code}]]"

    def around(self, texts: Iterable[str], characters: int = CHARACTERS) -> str:
        """Return the texts between the fence's lines, each cleaned, on a line that begins with -.

        One that nothing is left of keeps its line, so that the n-th line is the n-th text.
        """
        lines = [f"- {clean(text, characters)}".rstrip() for text in texts]
        # Nobody knows the code before the call; and should it leak, it is no code within.
        lines = [line.replace(self.code, "-") for line in lines]
        return "\n".join([self.opens, *lines, self.closes])
