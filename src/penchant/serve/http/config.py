"""Section `http` of penchant.toml: where the API listens, who may ask, and how much."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from penchant.types import InvalidInput

SCOPES = ("read", "write", "admin")
"""What a key may do; each holds those before it."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class KeyConfig:
    """One key: the sha256 of it in hex, what it may do, and its own requests a second, if any."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    sha256: str
    scopes: tuple[str, ...]
    rate: float | None = None

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.sha256):
            raise InvalidInput(
                "sha256 is the hash of a key, 64 digits of 0-9 and a-f; `penchant key` prints one"
            )
        if not self.scopes or not set(self.scopes) <= set(SCOPES):
            raise InvalidInput(
                f"scopes are one or several of {', '.join(SCOPES)}; got {list(self.scopes)}"
            )
        if self.rate is not None and not self.rate > 0:
            raise InvalidInput(f"rate is a number of requests a second above 0, got {self.rate}")


@dataclass(frozen=True)
class HttpConfig:
    """Section `http`: where the API listens, who may ask, and how much; the limits hold for each
    worker.

    `keys` holds the hashes of keys by name (`penchant key` prints a line). `rate` is how many
    requests a second one key or address may make, `rate_loopback` the same from this machine,
    `user_rate` how many events a second one person may have; each may save up `burst` seconds of
    it. 0 is no limit. `body_bytes` is the largest body, `buffer_bytes` the most of all bodies at
    once. Seconds: `timeout` for an answer, `load_timeout` for many rows at once, `body_timeout`
    for a client to send a body. `record_threads` events and `load_threads` loads are worked on at
    once; answers one after the other, but beside one that takes more than a tenth of a second
    another is begun, up to `threads`. Of each kind `waiting` wait; more are refused at once.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    keys: Mapping[str, KeyConfig] = field(default_factory=dict)
    rate: float = 500.0
    rate_loopback: float = 1000.0
    user_rate: float = 50.0
    burst: float = 2.0
    body_bytes: int = 16_777_216
    buffer_bytes: int = 134_217_728
    timeout: float = 10.0
    load_timeout: float = 300.0
    body_timeout: float = 15.0
    threads: int = 4
    record_threads: int = 16
    load_threads: int = 2
    waiting: int = 128

    def __post_init__(self) -> None:
        for name in ("rate", "rate_loopback", "user_rate"):
            if not getattr(self, name) >= 0:
                raise InvalidInput(f"{name} is a number a second, 0 for no limit")
        for name in ("burst", "timeout", "load_timeout", "body_timeout"):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name} is a number of seconds above 0")
        for name in ("body_bytes", "buffer_bytes", "threads", "record_threads", "load_threads"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is 1 or more")
        if self.waiting < 0:
            raise InvalidInput("waiting is 0 or more")
        if not 0 <= self.port < 65536:
            raise InvalidInput(f"port is a number from 0 to 65535, got {self.port}")
