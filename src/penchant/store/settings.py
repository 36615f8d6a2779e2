"""Settings of a store: penchant.toml, one typed section for each component, and the environment."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from penchant.types import Error

T = TypeVar("T")

PREFIX = "PENCHANT__"
FILE = "penchant.toml"


class SettingsError(Error):
    """A file of settings, or a variable of the environment, that cannot be followed."""


class Settings:
    """What penchant.toml says, overridden by PENCHANT__SECTION__KEY in the environment."""

    def __init__(
        self, path: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.path = path
        values: dict[str, Any] = {}
        if path is not None and path.exists():
            try:
                values = tomllib.loads(path.read_text(encoding="utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                raise SettingsError(f"{path} is not valid TOML: {error}; correct it") from error
        environment = os.environ if environment is None else environment
        for name in sorted(environment):
            if name.startswith(PREFIX):
                _place(values, name, environment[name])
        self._values = values

    def section(self, name: str, kind: type[T]) -> T:
        """Return the section as a `kind`: a frozen dataclass or pydantic model, with its defaults.

        `name` may have dots for a section within a section. Raises `SettingsError` for a key
        that `kind` does not have, or a value that it does not take.
        """
        values: Any = self._values
        for part in name.split("."):
            values = values.get(part, {}) if isinstance(values, Mapping) else {}
        if not isinstance(values, Mapping):
            raise SettingsError(f"{self._where(name)} is {values!r}; expected a section with keys")
        known = _fields(kind)
        # A section may hold others, which somebody else reads.
        unknown = [k for k, v in values.items() if k not in known and not isinstance(v, Mapping)]
        if unknown:
            raise SettingsError(
                f"{self._where(name)} has no key {', '.join(map(repr, unknown))}; "
                f"known are {', '.join(sorted(known))}"
            )
        try:
            return TypeAdapter(kind).validate_python(
                {k: v for k, v in values.items() if k in known}
            )
        except ValidationError as error:
            details = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r}"
                for e in error.errors()
            )
            raise SettingsError(f"{self._where(name)}: {details}") from error

    def table(self, name: str) -> dict[str, Any]:
        """Return a section whose keys are free, such as a weight for each kind of event."""
        values: Any = self._values
        for part in name.split("."):
            values = values.get(part, {}) if isinstance(values, Mapping) else {}
        if not isinstance(values, Mapping):
            raise SettingsError(f"{self._where(name)} is {values!r}; expected a section with keys")
        return dict(values)

    def check(self, sections: Iterable[str]) -> None:
        """Raise when there is a section that nobody reads: a misspelt one must not pass."""
        known = {name.split(".")[0] for name in sections}
        unknown = sorted(set(self._values) - known)
        if unknown:
            raise SettingsError(
                f"{self._where('')} has no section {', '.join(map(repr, unknown))}; "
                f"known are {', '.join(sorted(known))}"
            )

    def _where(self, name: str) -> str:
        place = str(self.path) if self.path is not None else "the settings"
        return f"[{name}] of {place}" if name else place


def _fields(kind: type[Any]) -> set[str]:
    if dataclasses.is_dataclass(kind):
        return {field.name for field in dataclasses.fields(kind) if field.init}
    if issubclass(kind, BaseModel):
        return set(kind.model_fields)
    raise TypeError(f"expected a dataclass or a pydantic model, got {kind!r}")


def _place(values: dict[str, Any], name: str, text: str) -> None:
    parts = name.removeprefix(PREFIX).lower().split("__")
    if len(parts) < 2 or not all(parts):
        raise SettingsError(
            f"{name} names no setting; expected {PREFIX}SECTION__KEY, for example "
            f"{PREFIX}ENCODER__BATCH"
        )
    for part in parts[:-1]:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"{name} goes into {part!r}, which is a value, not a section")
        values = inner
    values[parts[-1]] = _value(text)


def _value(text: str) -> Any:
    # A number, true, a list: as in the file. Anything else is the string itself, without quotes.
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
