"""Settings: typed sections of penchant.toml, the environment above them, no typo unnoticed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from penchant.store.settings import Settings, SettingsError


@dataclass(frozen=True)
class Encoder:
    batch: int = 64
    model: str = "default"
    ratio: float = 0.5
    layers: tuple[int, ...] = ()
    on: bool = False
    note: str | None = None


class Server(BaseModel):
    model_config = ConfigDict(frozen=True)
    port: int = 8080


@dataclass(frozen=True)
class Outer:
    name: str = "x"
    inner: Encoder = field(default_factory=Encoder)


def settings(tmp_path: Path, text: str, **environment: str) -> Settings:
    (tmp_path / "penchant.toml").write_text(text, encoding="utf-8")
    return Settings(tmp_path / "penchant.toml", environment)


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    empty = Settings(tmp_path / "penchant.toml", {})
    assert empty.section("encoder", Encoder) == Encoder()
    assert empty.section("a.b.c", Server) == Server()
    assert empty.table("kinds") == {}
    empty.check(["encoder"])


def test_the_file_fills_a_typed_section(tmp_path: Path) -> None:
    read = settings(
        tmp_path, '[encoder]\nbatch = 8\nmodel = "m é"\nlayers = [1, 2]\nratio = 1\non = true\n'
    )
    got = read.section("encoder", Encoder)
    assert got == Encoder(batch=8, model="m é", layers=(1, 2), ratio=1.0, on=True)
    assert isinstance(got.ratio, float)
    assert read.section("server", Server).port == 8080


def test_the_environment_is_above_the_file(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        "[encoder]\nbatch = 8\n",
        PENCHANT__ENCODER__BATCH="9",
        PENCHANT__ENCODER__MODEL="all-MiniLM",
        PENCHANT__ENCODER__LAYERS="[3]",
        PENCHANT__ENCODER__ON="true",
        PENCHANT__SERVER__PORT="81",
        PENCHANT_OTHER="ignored",
        PATH="/bin",
    )
    assert read.section("encoder", Encoder) == Encoder(
        batch=9, model="all-MiniLM", layers=(3,), on=True
    )
    assert read.section("server", Server).port == 81


def test_sections_within_sections(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        '[sources]\nname = "s"\n[sources.encoder]\nbatch = 2\n[sources.inner]\nbatch = 3\n',
        PENCHANT__SOURCES__ENCODER__RATIO="0.25",
    )
    assert read.section("sources.encoder", Encoder) == Encoder(batch=2, ratio=0.25)
    assert read.section("sources", Outer) == Outer("s", Encoder(batch=3))


def test_a_table_has_free_keys(tmp_path: Path) -> None:
    read = settings(tmp_path, "[kinds]\nclick = 1\n[kinds.rating]\nneutral = 3\n")
    assert read.table("kinds") == {"click": 1, "rating": {"neutral": 3}}
    assert read.table("kinds.rating") == {"neutral": 3}


def test_a_misspelt_key_names_those_that_are_known(tmp_path: Path) -> None:
    read = settings(tmp_path, "[encoder]\nbatchsize = 8\n")
    with pytest.raises(
        SettingsError, match=r"\[encoder\] of .*penchant.toml has no key 'batchsize'; known are "
        r"batch, layers, model, note, on, ratio"
    ):  # fmt: skip
        read.section("encoder", Encoder)
    with pytest.raises(SettingsError, match="no key 'prot'; known are port"):
        Settings(None, {"PENCHANT__SERVER__PROT": "1"}).section("server", Server)


def test_a_misspelt_section_names_those_that_are_known(tmp_path: Path) -> None:
    read = settings(tmp_path, "[encodr]\nbatch = 8\n")
    with pytest.raises(SettingsError, match="no section 'encodr'; known are encoder, server"):
        read.check(["server", "encoder"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[encoder]\nbatch = 'many'\n", r"\[encoder\].*batch: .*integer.*got 'many'"),
        ("[encoder]\nbatch = 1.5\n", "batch: .*got 1.5"),
        ("[encoder]\non = 'perhaps'\n", "on: .*got 'perhaps'"),
        ("encoder = 3\n", r"\[encoder\].* is 3; expected a section"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        settings(tmp_path, text).section("encoder", Encoder)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"penchant.toml is not valid TOML.*correct it"):
        settings(tmp_path, "[encoder\n")
    (tmp_path / "penchant.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not valid TOML"):
        Settings(tmp_path / "penchant.toml", {})


def test_a_variable_that_names_nothing_is_refused() -> None:
    for name in ("PENCHANT__ENCODER", "PENCHANT__", "PENCHANT____X"):
        with pytest.raises(SettingsError, match="names no setting"):
            Settings(None, {name: "1"})
    with pytest.raises(SettingsError, match="a value, not a section"):
        Settings(None, {"PENCHANT__A__B": "1", "PENCHANT__A__B__C": "1"})
