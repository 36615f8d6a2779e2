"""An object out of what a model wrote: alone, in a fence of backticks, or with prose around it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from penchant.language.generator.schema import fit

T = TypeVar("T", bound=BaseModel)

OBJECTS = 8  # that are looked at, where several stand in one answer
_THOUGHT = "</think>"


class NoAnswer(ValueError):
    """What a model wrote holds no object of the schema; the message is fit to be told to it."""


def read_answer(text: str, schema: type[T]) -> T:
    """Return the first object of a text that is one of `schema`, fitted to its lengths.

    Takes time in proportion to the text, whatever it holds. Raises NoAnswer.
    """
    text = text.rpartition(_THOUGHT)[2]  # what a model said to itself may hold drafts
    said = "there is no whole JSON object in it"
    for number, part in enumerate(objects(text)):
        try:
            value = _seen(json.loads(part, parse_constant=_no_number))
        except (ValueError, RecursionError) as error:
            problem = f"the JSON cannot be read: {error}"
        else:
            try:
                return schema.model_validate(fit(value, schema))
            except ValidationError as error:
                problem = _problems(error)
        said = problem if number == 0 else said
    raise NoAnswer(said)


def objects(text: str) -> Iterator[str]:
    """Yield what stands between balanced braces, outermost, in the order of the text.

    A brace within a string of JSON does not count.
    """
    depth, start, found = 0, 0, 0
    quoted = escaped = False
    for place, one in enumerate(text):
        if quoted:
            if escaped:
                escaped = False
            elif one == "\\":
                escaped = True
            elif one == '"':
                quoted = False
        elif one == '"':
            quoted = depth > 0  # outside of an object it is a mark of prose
        elif one == "{":
            start = place if not depth else start
            depth += 1
        elif one == "}" and depth:
            depth -= 1
            if not depth:
                yield text[start : place + 1]
                found += 1
                if found == OBJECTS:
                    return


def _seen(value: Any) -> Any:
    """Return a value whose texts hold no control characters and no halves of a character."""
    if isinstance(value, str):
        shown = (" " if one.isspace() else one for one in value)
        return "".join(one for one in shown if unicodedata.category(one) not in ("Cc", "Cf", "Cs"))
    if isinstance(value, list):
        return [_seen(one) for one in value]
    if isinstance(value, dict):
        return {_seen(key): _seen(one) for key, one in value.items()}
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _problems(error: ValidationError) -> str:
    # Without the values: they are in the answer, and it is the model's own words.
    found = error.errors(include_url=False, include_context=False, include_input=False)[:4]
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'the object'}: {one['msg']}" for one in found
    )[:400]
