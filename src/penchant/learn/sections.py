"""The sections of penchant.toml: the name of each, and the class that holds its keys.

Here, because learning is the highest layer that reads one, and the engine checks them all when it
opens. No learner is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from penchant.ingest.cleaning import CleaningConfig
from penchant.ingest.kinds import EventsConfig
from penchant.ingest.privacy import PrivacyConfig
from penchant.interests.context.config import ContextConfig
from penchant.interests.expansion.expanding import InterestsConfig
from penchant.language.encoder.open import EncoderConfig
from penchant.language.generator.open import GeneratorConfig
from penchant.language.media.config import MediaConfig
from penchant.language.template import TextConfig
from penchant.learn.effort import LearnSection
from penchant.learn.tracking import TrackingSection
from penchant.rank.answer.experiments import ExperimentConfig
from penchant.rank.answer.headlining import HeadlinesConfig
from penchant.rank.feedback.config import FeedbackConfig
from penchant.rank.rerankers.listwise import ListwiseConfig
from penchant.recall.sizes import RecallConfig
from penchant.store.settings import Settings
from penchant.types import Policy

SECTIONS: Mapping[str, type[Any]] = {
    "recommend": Policy,
    "events": EventsConfig,
    "encoder": EncoderConfig,
    "text": TextConfig,
    "media": MediaConfig,
    "generator": GeneratorConfig,
    "privacy": PrivacyConfig,
    "cleaning": CleaningConfig,
    "recall": RecallConfig,
    "interests": InterestsConfig,
    "context": ContextConfig,
    "listwise": ListwiseConfig,
    "headlines": HeadlinesConfig,
    "feedback": FeedbackConfig,
    "learn": LearnSection,
    "tracking": TrackingSection,
    "experiments": ExperimentConfig,
}

OTHERS = frozenset({"http", "service", "watch"})
"""Sections that a layer above reads; `penchant.serve.sections` holds and checks their classes."""


def defaults(kind: type[Any]) -> Iterator[tuple[str, Any]]:
    """Yield each key of a section with its default."""
    if is_dataclass(kind):
        for field in fields(kind):
            made = field.default_factory
            yield field.name, made() if made is not MISSING else field.default
        return
    for name, field in kind.model_fields.items():
        yield name, field.get_default(call_default_factory=True)


def checked(settings: Settings) -> dict[str, Any]:
    """Return every section as its class; raises SettingsError for any key nobody would read."""
    settings.check({*SECTIONS, *OTHERS})
    return {name: settings.section(name, kind) for name, kind in SECTIONS.items()}
