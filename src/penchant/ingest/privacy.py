"""The door for consent and pseudonyms: what must not be stored does not get past it.

A pseudonym is a keyed hash: the same person has the same pseudonym as long as the directory keeps
its key, and without the key nobody can try out ids against the log. The key is a file beside the
data; deleting it makes the pseudonyms of that directory anonymous for good. A key is made only
where there are no pseudonyms yet: another one would make a stranger of everybody.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Protocol

import polars as pl
from pydantic import BaseModel, ConfigDict

from penchant.ingest.columns import ALIASES, squeeze
from penchant.store.place import KEY_FILE
from penchant.types import Error

__all__ = ["KEY_FILE", "Privacy", "PrivacyConfig", "PrivacyError", "hides", "key_missing"]

_KEY_BYTES = 32
_MARK = "p_"
_PSEUDONYM = re.compile(_MARK + "[0-9a-f]{32}")
_YES, _NO = ("true", "1"), ("false", "0")


class PrivacyError(Error):
    """The key of the pseudonyms is damaged or out of reach; the message says what to do."""


class Named(Protocol):
    """What this folder needs of a store's people: some of their ids."""

    def named(self, begin: str, most: int) -> list[str]:
        """Return at most `most` ids that begin with `begin`."""
        ...


class PrivacyConfig(BaseModel):
    """Section `privacy`. `consent` "required" refuses events whose context does not grant it.

    Events whose context says `"consent": false` are refused either way. `relations` says which
    ends of links are people, relation by relation: "head", "tail" or "both".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pseudonyms: bool = False
    consent: Literal["assumed", "required"] = "assumed"
    relations: dict[str, Literal["head", "tail", "both"]] = {}


@dataclass(frozen=True, slots=True)
class Privacy:
    """The rules of one directory. Without a key, ids pass as they are."""

    config: PrivacyConfig = field(default_factory=PrivacyConfig)
    key: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, directory: Path, config: PrivacyConfig, people: Named | None = None) -> Privacy:
        """Return the rules of `directory`, making its key on the first use of pseudonyms.

        PrivacyError where `people` have pseudonyms already and the key they are made with is gone.
        """
        if config.pseudonyms and people is not None and key_missing(directory, people):
            raise PrivacyError(
                f"people are stored here under pseudonyms, and the key these are made with is "
                f"missing: expected {directory / KEY_FILE}. Put the {KEY_FILE} of the original "
                f"directory there (a backup may have been made without it). With another key "
                f"everybody would become a stranger; where that is wanted, write {_KEY_BYTES} "
                f"random bytes into it"
            )
        try:
            return cls(config, _key(directory) if config.pseudonyms else None)
        except OSError as error:
            raise PrivacyError(
                f"pseudonyms need their key in {directory / KEY_FILE}, which cannot be read or "
                f"made: {error}; give this process the right to, or free space"
            ) from error

    def pseudonym(self, user_id: str) -> str:
        """Return the name under which a person is stored: 34 characters, or the id itself."""
        if self.key is None:
            return user_id
        digest = blake2b(user_id.encode(), digest_size=16, key=self.key, person=b"penchant.user")
        return _MARK + digest.hexdigest()

    def pseudonyms(self, user_ids: pl.Series) -> pl.Series:
        """Return the pseudonyms of a column of ids, null and empty ones as they are."""
        if self.key is None:
            return user_ids
        known = {u: self.pseudonym(u) for u in user_ids.drop_nulls().unique().to_list() if u}
        return user_ids.replace_strict(known, default=user_ids, return_dtype=pl.String)

    def without_names(self, rows: pl.Series, column: str | None = None) -> pl.Series:
        """Return rows of JSON objects with pseudonyms under `column` and all names of user ids."""
        if self.key is None:
            return rows
        names = set(ALIASES["events"]["user_id"].split())
        renamed = []
        for text in rows.to_list():
            row = json.loads(text)
            for key, said in row.items():
                if said is not None and (key == column or squeeze(key) in names):
                    row[key] = self.pseudonym(str(said))
            renamed.append(json.dumps(row))
        return pl.Series(renamed, dtype=pl.String)

    def refuses(self, context: Mapping[str, Any] | None) -> bool:
        """Return whether an event with this context lacks the consent that is needed."""
        said = (context or {}).get("consent")
        granted = None if said is None else str(said).lower()
        if self.config.consent == "required":
            return granted not in _YES
        return granted in _NO

    def refused(self, contexts: pl.Series) -> pl.Series:
        """Return which rows of JSON contexts lack the consent that is needed, Boolean."""
        required = self.config.consent == "required"
        if not contexts.str.contains('"consent"', literal=True).any():
            return pl.repeat(required, len(contexts), dtype=pl.Boolean, eager=True)
        granted = contexts.str.json_path_match("$.consent").str.to_lowercase()
        if required:
            return ~granted.is_in(_YES).fill_null(False)
        return granted.is_in(_NO).fill_null(False)


def key_missing(directory: Path, people: Named) -> bool:
    """Return whether people of the store have pseudonyms that nothing here can make again."""
    return not (directory / KEY_FILE).exists() and hides(people)


def hides(people: Named) -> bool:
    """Return whether people of the store are there under pseudonyms."""
    return any(_PSEUDONYM.fullmatch(user_id) for user_id in people.named(_MARK, 100))


def _key(directory: Path) -> bytes:
    """Return the key kept in `directory`; of two processes that make it at once, one wins."""
    path = directory / KEY_FILE
    if not path.exists():
        draft = directory / f".{KEY_FILE}.{secrets.token_hex(8)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise PrivacyError(
            f"expected {_KEY_BYTES} bytes in {path}, found {len(key)}; restore it from a backup: "
            f"with another key everybody would become a stranger"
        )
    return key
