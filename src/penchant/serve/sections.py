"""The sections of penchant.toml that the service reads: the name of each, and its class.

The engine lets them pass (`penchant.learn.sections.OTHERS`); who serves checks them at the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penchant.evaluate.watch.config import WatchConfig
from penchant.serve.http.config import HttpConfig
from penchant.serve.service.config import ServiceConfig
from penchant.store.settings import Settings

SERVED: Mapping[str, type[Any]] = {
    "http": HttpConfig,
    "service": ServiceConfig,
    "watch": WatchConfig,
}


def served(settings: Settings) -> dict[str, Any]:
    """Return each of these sections as its class; raises SettingsError for an unknown key."""
    return {name: settings.section(name, kind) for name, kind in SERVED.items()}
