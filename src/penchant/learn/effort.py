"""The one dial: what effort = fast, balanced or best means for every learner, and its overrides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from penchant.learn.config import (
    ENCODER,
    ContextualConfig,
    LearnConfig,
    ProjectionConfig,
    SequenceConfig,
)
from penchant.types import Effort, InvalidInput

# What effort fast has time for, where torch is there at all.
QUICK = ProjectionConfig(
    dimension=128, hidden=256, epochs=3, patience=1, examples=100_000, most_seconds=15.0
)
QUICK_IN_CONTEXT = ContextualConfig(epochs=5, examples=100_000, most_seconds=20.0)
EFFORTS: tuple[Effort, ...] = get_args(Effort)


class LearnSection(BaseModel):
    """Section `learn`: what a training does otherwise than its effort says; left out, it follows.

    `window` is the share of the newest events that the ranker learns from, `requests` how many
    requests of them, `refit` the share of the epochs in which the networks learn the rest, `tuned`
    whether a layer above the encoder learns which texts the same people want, `encoder` whether the
    encoder itself is tuned on that (best does; balanced and fast go on with one that was tuned;
    false takes the plain one), `encoder_seconds` for how long at most, `encoder_trials` how many
    seconds are spent on trying each further objective, hard negatives and pre-training before, of
    which it keeps what pays (0: it tries none). `ablate` says whether the report says what each
    source adds, `keep` how many snapshots and training logs stay. `threads`
    is for every library, 0 for all cores. `epochs` and `most_seconds` are those of each network,
    `search_seconds` the time for searching the ranker's parameters, 0 for none. `gate` says whether
    a model that does worse than the one that serves is held back, on the requests since the latter
    was made, if there are `least_compared` of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: float | None = Field(None, gt=0.0, le=0.5)
    requests: int | None = Field(None, ge=1)
    refit: float | None = Field(None, ge=0.0, le=1.0)
    tuned: bool | None = None
    encoder: bool | None = None
    encoder_seconds: float | None = Field(None, gt=0.0)
    encoder_trials: float | None = Field(None, ge=0.0)
    ablate: bool | None = None
    keep: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=0)
    epochs: int | None = Field(None, ge=1)
    most_seconds: float | None = Field(None, gt=0.0)
    search_seconds: float | None = Field(None, ge=0.0)
    gate: bool | None = None
    least_compared: int | None = Field(None, ge=1)


def derive(
    effort: str, seed: int = 0, threads: int = 0, section: LearnSection | None = None
) -> LearnConfig:
    """Return the configuration of an effort, with what `section` says above it.

    fast: closed forms, a quick layer above the encoder (`requirements.afforded`) and a small
    ranker, no other networks: about a minute for 100,000 events.
    balanced: both networks and the full ranker. best: wider networks, longer training, more rows,
    and a search of the ranker's parameters. `threads` other than 0 is above the section's.
    """
    if effort not in EFFORTS:
        raise InvalidInput(f"effort is one of {', '.join(EFFORTS)}; got {effort!r}")
    if threads < 0:
        raise InvalidInput(f"threads is a number of threads, or 0 for all cores; got {threads}")
    config = _of(effort, seed)
    given = {} if section is None else section.model_dump(exclude_none=True)
    given["threads"] = threads or given.get("threads", 0)
    # Both networks learn for as long as the other.
    time: dict[str, Any] = {n: given.pop(n) for n in ("epochs", "most_seconds") if n in given}
    tuned = config.sources.tuned
    if "tuned" in given:
        tuned = (tuned or ProjectionConfig()) if given.pop("tuned") else None
    config = _encoder(config, given)
    sources = replace(
        config.sources,
        threads=given["threads"],
        sequence=_changed(config.sources.sequence, time),
        sequence_text=_changed(config.sources.sequence_text, time),
        tuned=tuned,
    )
    ranker = replace(config.ranker, threads=given["threads"])
    return replace(config, sources=sources, ranker=ranker, **given)


def _encoder(config: LearnConfig, given: dict[str, Any]) -> LearnConfig:
    """Return the configuration with what is `given` of the encoder, which is taken out of it."""
    wish, seconds = given.pop("encoder", None), given.pop("encoder_seconds", None)
    tuning = config.encoder
    if wish is not None:
        tuning = tuning or ENCODER if wish else None
    if tuning is not None and seconds is not None:
        tuning = replace(tuning, most_seconds=seconds)
    return replace(config, encoder=tuning, keep_encoder=wish is not False)


def _of(effort: str, seed: int) -> LearnConfig:
    balanced = LearnConfig(seed=seed)
    sources = replace(balanced.sources, seed=seed)
    if effort == "fast":
        return replace(
            balanced,
            effort="fast",
            requests=2500,
            ablate=False,
            sources=replace(
                sources,
                sequence=None,
                sequence_text=None,
                tuned=QUICK,
                contextual=QUICK_IN_CONTEXT,
            ),
            ranker=replace(balanced.ranker, trees=200),
        )
    if effort == "balanced":
        return replace(balanced, sources=sources)
    # Of amazon_beauty's last training events: see docs/decisions.md.
    layer = replace(ProjectionConfig(), dimension=384, hidden=1024, dropout=0.5, most_seconds=420.0)
    wide = SequenceConfig(dimension=128, dropout=0.5, epochs=30, most_seconds=420.0)
    return replace(
        balanced,
        effort="best",
        requests=10_000,
        search_seconds=180.0,
        whitened=384,
        encoder=ENCODER,
        sources=replace(
            sources, sequence=wide, sequence_text=replace(wide, dropout=0.2), tuned=layer
        ),
    )


def _changed(config: SequenceConfig | None, time: dict[str, Any]) -> SequenceConfig | None:
    return None if config is None else replace(config, **time)
