"""Prompts: versioned files, with places that are filled by name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from penchant.language.generator.fencing import CHARACTERS, Fence, clean
from penchant.types import Error

_PLACE = re.compile(r"\{([a-z_]+)\}")
_NAME = re.compile(r"[a-z]+-\d+")
_RULE = "---"

Value = str | int | Sequence[str]


class PromptError(Error):
    """A prompt that is not there, is not in the form of one, or has a place left open."""


@dataclass(frozen=True)
class Prompt:
    """What is said to a generator: `system`, how to answer; `user`, what is asked.

    `digest` is that of the file, `content` that of file and values together: it is the same for the
    same values, whatever the code of the fence. `places` are still to be filled.
    """

    name: str
    version: int
    system: str
    user: str
    digest: str
    content: str
    places: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """Name and version, as the file is called."""
        return f"{self.name}-{self.version}"

    def filled(
        self, values: Mapping[str, Value], *, characters: int = CHARACTERS, code: str | None = None
    ) -> Prompt:
        """Return the prompt with every place filled.

        Numbers are written as they are, a text is cleaned to one line, and a list of texts goes
        between the lines of a fence: no value gets in as it came. Raises PromptError for a place
        without a value, and for a value without a place.
        """
        if missing := self.places - values.keys():
            raise PromptError(f"prompt {self.id} needs {_listed(missing)}: give each a value")
        if spare := values.keys() - self.places:
            raise PromptError(f"prompt {self.id} has no place for {_listed(spare)}")
        fence = Fence(code)

        def written(value: Value) -> str:
            if isinstance(value, int):
                return str(value)
            if isinstance(value, str):
                return clean(value, characters)
            return fence.around(value, characters)

        text = {name: written(value) for name, value in values.items()}
        # In one go: what was filled in may have braces of its own.
        system, user = (_PLACE.sub(lambda m: text[m[1]], part) for part in (self.system, self.user))
        told = json.dumps([self.digest, {n: v.replace(fence.code, "") for n, v in text.items()}])
        return replace(
            self, system=system, user=user, content=_digest(told.encode()), places=frozenset()
        )


def read_prompt(text: str) -> Prompt:
    """Return the prompt of a file: a head of `key: value` lines, the system's text, the user's.

    The three are parted by lines of three dashes.
    """
    parts = re.split(rf"^{_RULE}[ \t]*$", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    head = dict(re.findall(r"^(\w+):[ \t]*(\S+)[ \t]*$", parts[0], re.MULTILINE))
    if len(parts) != 3 or "name" not in head or not head.get("version", "").isdecimal():
        raise PromptError(
            f"expected a head with name and version, a line of {_RULE}, what the system says, "
            f"another such line, and what the user asks; got {len(parts)} parts and {head}"
        )
    system, user = parts[1].strip(), parts[2].strip()
    digest = _digest(text.encode())
    places = frozenset(_PLACE.findall(system + user))
    return Prompt(head["name"], int(head["version"]), system, user, digest, digest, places)


@cache
def load_prompt(which: str) -> Prompt:
    """Return the prompt that is packaged under a name and a version, such as "expand-1".

    A prompt that is in use is not changed: a change is a new file, with the next number.
    """
    file = files("penchant.language.generator") / "prompts" / f"{which}.md"
    if not _NAME.fullmatch(which) or not file.is_file():
        raise PromptError(f"there is no prompt {which!r}: expected a name and version, as expand-1")
    found = read_prompt(file.read_text(encoding="utf-8"))
    if found.id != which:
        raise PromptError(f"the head of prompt {which} says {found.id}: make them the same")
    return found


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _listed(names: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(names))
