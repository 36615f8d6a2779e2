"""Section [http] of penchant.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penchant.serve.http.config import HttpConfig, KeyConfig
from penchant.serve.sections import served
from penchant.store.settings import Settings, SettingsError
from penchant.types import InvalidInput

HASH = "ab" * 32


def read(folder: Path, text: str, **environment: str) -> HttpConfig:
    path = folder / "penchant.toml"
    path.write_text(text, encoding="utf-8")
    found: HttpConfig = served(Settings(path, environment))["http"]
    return found


def test_a_file_says_what_is_otherwise(tmp_path: Path) -> None:
    text = f"""
[http]
port = 9000
rate = 20
keys.shop = {{ sha256 = "{HASH}", scopes = ["read", "write"], rate = 200 }}

[http.keys.boss]
sha256 = "{HASH}"
scopes = ["admin"]
"""
    found = read(tmp_path, text, PENCHANT__HTTP__TIMEOUT="3.5")
    assert (found.port, found.rate, found.timeout) == (9000, 20.0, 3.5)
    assert found.keys == {
        "shop": KeyConfig(HASH, ("read", "write"), 200.0),
        "boss": KeyConfig(HASH, ("admin",)),
    }
    assert read(tmp_path, "") == HttpConfig()


@pytest.mark.parametrize(
    "text",
    [
        "[http]\nprot = 1",
        "[http]\nport = 70000",
        "[http]\nrate = -1",
        "[http]\nthreads = 0",
        "[http]\ntimeout = 0",
        "[http]\nbody_bytes = 0",
        "[http]\nwaiting = -1",
        '[http]\nkeys.a = "in clear"',
        '[http]\nkeys.a = { sha256 = "in clear", scopes = ["read"] }',
        f'[http]\nkeys.a = {{ sha256 = "{HASH}" }}',
        f'[http]\nkeys.a = {{ sha256 = "{HASH}", scopes = [] }}',
        f'[http]\nkeys.a = {{ sha256 = "{HASH}", scopes = ["root"] }}',
        f'[http]\nkeys.a = {{ sha256 = "{HASH}", scopes = ["read"], rate = 0 }}',
        f'[http]\nkeys.a = {{ sha256 = "{HASH}", scopes = ["read"], scope = "read" }}',
    ],
)
def test_what_nobody_can_follow_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="http"):
        read(tmp_path, text)


@pytest.mark.parametrize("wrong", [{"burst": 0.0}, {"user_rate": float("nan")}, {"port": -1}])
def test_numbers_have_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        HttpConfig(**wrong)
