"""What tests of the generator share."""

from __future__ import annotations

import pytest

from language.generator.animals import PROMPT
from penchant.language.generator.prompt import Prompt


@pytest.fixture
def prompt() -> Prompt:
    return PROMPT.filled({"kind": "pet"})
