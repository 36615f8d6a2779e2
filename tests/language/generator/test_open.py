"""Section `generator` of penchant.toml: off without an address, and no key in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import penchant
from generators import chatting, saying
from penchant.language.generator.naming import name_group
from penchant.language.generator.open import GeneratorConfig, open_generator
from penchant.store.settings import Settings, SettingsError
from penchant.types import InvalidInput


def test_it_is_off_without_an_address() -> None:
    assert open_generator(GeneratorConfig()) is None


def test_the_key_comes_from_the_environment() -> None:
    with chatting(saying('{"name": "Sea stories"}')) as server:
        config = GeneratorConfig(url=server.url, model="m", key_env="OUR_KEY", calls_per_hour=1)
        generator = open_generator(config, {"OUR_KEY": "sk-hidden", "OPENAI_API_KEY": "not this"})
        assert generator is not None
        assert name_group(generator, ["Moby-Dick"], ["whale"]).value.name == "Sea stories"
        assert server.keys == ["Bearer sk-hidden"]
        assert generator.state()["wait"] > 3000
        open_generator(GeneratorConfig(url=server.url, model="m"), {"OPENAI_API_KEY": "not this"})
    assert len(server.requests) == 1  # opening asks nothing


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "localhost:11434/v1", "model": "m"}, "begin with http"),
        ({"url": "file:///etc/passwd", "model": "m"}, "begin with http"),
        ({"url": "http://127.0.0.1:9/v1"}, "no model"),
        ({"url": "http://127.0.0.1:9/v1", "model": "m", "key_env": "NOT_SET"}, "NOT_SET"),
        ({"url": "http://127.0.0.1:9/v1", "model": "m", "key_env": "sk-Secret"}, "is the name"),
    ],
)
def test_what_does_not_fit_together_is_said(settings: dict[str, str], says: str) -> None:
    config = GeneratorConfig(**settings)
    with pytest.raises(InvalidInput, match=says) as told:
        open_generator(config, {})
    assert "sk-Secret" not in str(told.value) + repr(config)


def test_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "penchant.toml").write_text('[generator]\nurl = ""\nkey = "sk-1"\n')
    with pytest.raises(SettingsError, match="has no key 'key'"):
        penchant.open(tmp_path)
    with pytest.raises(SettingsError, match="max_tokens"):
        Settings(environment={"PENCHANT__GENERATOR__MAX_TOKENS": "1"}).section(
            "generator", GeneratorConfig
        )


def test_what_is_off_costs_no_import() -> None:
    code = (
        "import sys\n"
        "from penchant.language.generator.open import GeneratorConfig, open_generator\n"
        "from penchant.language.generator import expanding, naming\n"
        "open_generator(GeneratorConfig())\n"
        "print({'openai', 'httpx2', 'torch', 'transformers', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
