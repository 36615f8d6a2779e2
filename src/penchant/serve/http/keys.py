"""Keys: who asks, and what they may do. Only hashes of keys are kept."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from penchant.serve.http.config import SCOPES, HttpConfig
from penchant.serve.http.problems import Problem
from penchant.types import InvalidInput

HEADER = "X-API-Key"
VARIABLE = "PENCHANT_API_KEY"
LONGEST = 512  # characters of a key that is looked at


class OpenToAll(InvalidInput):
    """A service without keys was to listen to more than this machine."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks: by the name of a key, or by address where there are none.

    `scopes` is all they may do; `rate` what the key allows a second, None for the default.
    """

    name: str
    scopes: frozenset[str]
    rate: float | None = None
    local: bool = False


class Keys:
    """The keys that are known; without any, everything is allowed from this machine alone."""

    def __init__(self, settings: HttpConfig, environment: Mapping[str, str]) -> None:
        known: list[tuple[bytes, Caller]] = []
        for name, key in settings.keys.items():
            known.append((bytes.fromhex(key.sha256), Caller(name, scopes(key.scopes), key.rate)))
        if alone := environment.get(VARIABLE, "").strip():
            known.append((_digest(alone), Caller(VARIABLE, scopes(("admin",)))))
        self._known = tuple(known)
        if not known and not is_loopback(settings.host):
            raise OpenToAll(
                f"host {settings.host!r} listens to more than this machine, and there is no key: "
                f"set {VARIABLE}, or put a key into section [http] (`penchant key` prints one), or "
                "listen on 127.0.0.1"
            )

    def __bool__(self) -> bool:
        return bool(self._known)

    def caller(self, given: str | None, address: str) -> Caller | None:
        """Return who asks, None where a key is needed and none is right."""
        local = is_loopback(address)
        if not self._known:
            return Caller(address, scopes(("admin",)), local=local)
        if given is None or len(given) > LONGEST:
            return None
        digest, found = _digest(given), None
        # Every one is compared, and in constant time: how long it takes tells nothing.
        for known, caller in self._known:
            if hmac.compare_digest(known, digest):
                found = caller
        if found is None:
            return None
        return Caller(found.name, found.scopes, found.rate, local)


def allow(caller: Caller, scope: str) -> None:
    """Raise a problem 403 where the caller's key lacks a scope."""
    if scope not in caller.scopes:
        raise Problem(
            403,
            f"expected a key with scope {scope!r}; this one has "
            f"{', '.join(s for s in SCOPES if s in caller.scopes)}. Use another key",
        )


def scopes(given: tuple[str, ...]) -> frozenset[str]:
    """Return the scopes with those that each of them holds: who may write may read."""
    highest = max(SCOPES.index(scope) for scope in given)
    return frozenset(SCOPES[: highest + 1])


def fresh_key() -> tuple[str, str]:
    """Return a new key and its sha256 in hex."""
    key = secrets.token_urlsafe(32)
    return key, _digest(key).hex()


def is_loopback(host: str) -> bool:
    """Return whether an address, or the name localhost, is this machine alone."""
    if host in ("127.0.0.1", "localhost"):
        return True  # of nearly every call, and reading addresses takes its time
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        found = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
