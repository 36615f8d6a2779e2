"""Section `experiments` of penchant.toml: who is asked what differently, and what is counted.

Checked as a whole when a shelf is opened: an experiment that cannot be read later is found then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from datetime import date, datetime
from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from penchant.ingest.kinds import DEFAULT_UNITS, plain
from penchant.ingest.times import seconds
from penchant.store.settings import Settings, SettingsError
from penchant.types import InvalidInput, Policy

CONTROL = "control"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_EVER = float("inf")


class Metric(BaseModel):
    """What is counted, of what: a sum over a person's events, divided by what they had of `of`.

    `of` is "slates" shown, "items" shown, "people", or "taken" (events that were wanted). `counts`
    is whether there was "any" event, how many "events", the sum of their "value", whether the
    person came to "return", or what of it was from the "tail". `kinds` are kinds of events; without
    any, those that show a wish. Of slates and items, events count that answer them; of people,
    everything the person did since they were first shown something.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: Literal["slates", "items", "people", "taken"] = "people"
    counts: Literal["any", "events", "value", "return", "tail"] = "any"
    kinds: tuple[str, ...] = ()
    better: Literal["higher", "lower"] = "higher"

    def model_post_init(self, context: Any) -> None:
        """Refuse what could not be counted."""
        special = {"return": "people", "tail": "taken"}.get(self.counts)
        if special not in (None, self.of) or (self.of == "taken" and self.counts != "tail"):
            raise ValueError(
                f"counts = {self.counts!r} of = {self.of!r} is nothing that can be counted; "
                "'return' is of people, 'tail' of what was taken, the others of people, slates "
                "or items"
            )
        object.__setattr__(self, "kinds", tuple(plain(kind) for kind in self.kinds))


PAID = ("purchase", "buy", "order", "transaction", "booking")
SECONDS = tuple(kind for kind, unit in DEFAULT_UNITS.items() if unit == "seconds")
METRICS: Mapping[str, Metric] = {
    "click-through": Metric(of="slates"),
    "item-click-through": Metric(of="items"),
    "conversion": Metric(kinds=PAID),
    "revenue": Metric(counts="value", kinds=PAID),
    "dwell": Metric(counts="value", kinds=SECONDS),
    "return": Metric(counts="return"),
    "tail-share": Metric(of="taken", counts="tail"),
}
"""What every experiment reports; `[experiments.NAME.metrics.OTHER]` adds others."""


def _moment(given: Any) -> Any:
    if given == "":
        return given
    if isinstance(given, date) and not isinstance(given, datetime):
        given = given.isoformat()
    try:
        return seconds(given)
    except InvalidInput as error:
        raise ValueError(str(error)) from error


Moment = Annotated[float | Literal[""], BeforeValidator(_moment)]


class Variant(BaseModel):
    """One variant: the share of people who get it, and what of section [recommend] it changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(gt=0, le=1)
    recommend: dict[str, Any] = Field(default_factory=dict)


class ExperimentConfig(BaseModel):
    """Section `experiments`: one [experiments.NAME] for each experiment.

    Each of its `variants`, [experiments.NAME.variants.OTHER], has a `share` of people and, under
    `recommend`, keys of section [recommend] that are otherwise for them; everybody else is the
    control. It runs from `start` to `end` (a time, "" for always). People are told apart by a hash
    of `salt` (the name, if left out) and their id; visitors without one by what the context of the
    request holds under `visitors`, or they are left out. `metric` decides, `metrics` adds to those
    that are always counted, `guards` are metrics with the share of the control's figure that may be
    lost: a variant that certainly loses more is stopped. `before` are the days before `start` whose
    events make the intervals narrower, `least` the people of each variant without whom nothing is
    concluded, `level` that of the intervals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variants: dict[str, Variant] = Field(default_factory=dict)
    start: Moment = ""
    end: Moment = ""
    salt: str = ""
    visitors: str = "session_id"
    metric: str = "click-through"
    metrics: dict[str, Metric] = Field(default_factory=dict)
    guards: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(default_factory=dict)
    before: float = Field(default=14.0, ge=0)
    least: int = Field(default=100, ge=2)
    level: float = Field(default=0.95, ge=0.5, lt=1)

    @property
    def begins(self) -> float:
        """Return the second from which it runs, -inf for always."""
        return -_EVER if self.start == "" else self.start

    @property
    def ends(self) -> float:
        """Return the second at which it no longer runs, inf for never."""
        return _EVER if self.end == "" else self.end

    @property
    def counted(self) -> dict[str, Metric]:
        """Return every metric by name, the one that decides first."""
        known = {**METRICS, **self.metrics}
        return {self.metric: known[self.metric], **known}

    def shares(self) -> dict[str, float]:
        """Return the share of people in each variant, the control's first."""
        shares = {name: one.share for name, one in self.variants.items()}
        return {CONTROL: max(0.0, 1.0 - sum(shares.values())), **shares}


def experiments(settings: Settings, policy: Policy) -> dict[str, ExperimentConfig]:
    """Return the experiments of the settings by name; SettingsError says what to correct."""
    found = {}
    for name, keys in settings.table("experiments").items():
        where = f"[experiments.{name}]"
        if not isinstance(keys, Mapping):
            raise SettingsError(
                f"[experiments] has {name} = {keys!r}, which belongs to no experiment; write it "
                "below a line [experiments.NAME]"
            )
        if not _NAME.fullmatch(name) or name in ExperimentConfig.model_fields:
            raise SettingsError(
                f"{where} is no name for an experiment; take letters, digits, '_', '-' and '.', "
                f"and none of {', '.join(ExperimentConfig.model_fields)}"
            )
        found[name] = settings.section(f"experiments.{name}", ExperimentConfig)
        _check(where, found[name], policy)
    for (one, first), (other, second) in combinations(found.items(), 2):
        _check_pair(one, first, other, second)
    return found


def policies(settings: Settings) -> Iterator[Policy]:
    """Yield every policy that somebody may be asked by: the shelf's own, and those of variants."""
    own = settings.section("recommend", Policy)
    yield own
    for name, config in experiments(settings, own).items():
        for variant, one in config.variants.items():
            yield changed(own, one.recommend, f"variant {variant!r} of [experiments.{name}]")


def changed(policy: Policy, keys: Mapping[str, Any], where: str) -> Policy:
    """Return the policy with some keys changed; SettingsError where one cannot be."""
    known = {field.name for field in fields(policy) if field.init}
    if unknown := sorted(set(keys) - known):
        raise SettingsError(
            f"{where} changes {', '.join(map(repr, unknown))}, which section [recommend] does not "
            f"have; it has {', '.join(sorted(known))}"
        )
    try:
        made = TypeAdapter(type(policy)).validate_python({**asdict(policy), **keys})
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"{where}, recommend: {said}; correct it in penchant.toml") from error
    except InvalidInput as error:
        raise SettingsError(f"{where}, recommend: {error}") from error
    return replace(policy, **{key: getattr(made, key) for key in keys})


def _check(where: str, config: ExperimentConfig, policy: Policy) -> None:
    if not config.variants:
        raise SettingsError(
            f"{where} has no variant; add a section [{where[1:-1]}.variants.NAME] with a share of "
            "people, and what is otherwise for them under recommend"
        )
    for name, one in config.variants.items():
        if not _NAME.fullmatch(name) or name == CONTROL:
            raise SettingsError(
                f"{where} has a variant {name!r}; take letters, digits, '_', '-' and '.', and not "
                f"{CONTROL!r}: that is everybody who is in no variant"
            )
        changed(policy, one.recommend, f"variant {name!r} of {where}")
    total = sum(one.share for one in config.variants.values())
    if total >= 1.0 + 1e-9 or config.shares()[CONTROL] < 1e-9:
        raise SettingsError(
            f"the shares of the variants of {where} add up to {total:g}; leave some people to the "
            "control, which is everybody else"
        )
    if config.begins >= config.ends:
        raise SettingsError(f"{where} ends before it starts; correct start or end")
    known = {**METRICS, **config.metrics}
    for name in (config.metric, *config.guards):
        if name not in known:
            raise SettingsError(
                f"{where} names the metric {name!r}; there are {', '.join(known)}, and what "
                f"[{where[1:-1]}.metrics.NAME] declares"
            )
    if twice := sorted(set(config.metrics) & set(METRICS)):
        raise SettingsError(
            f"{where} declares {', '.join(map(repr, twice))}, which every experiment has already; "
            "give it another name"
        )


def _check_pair(one: str, first: ExperimentConfig, other: str, second: ExperimentConfig) -> None:
    """Refuse two experiments at the same time that would not be independent."""
    if first.ends <= second.begins or second.ends <= first.begins:
        return
    if (first.salt or one) == (second.salt or other):
        raise SettingsError(
            f"[experiments.{one}] and [experiments.{other}] run at the same time with the salt "
            f"{first.salt or one!r}, so that the same people would be in both; give one of them "
            "another salt, or let it start when the other has ended"
        )
    keys = [
        {key for variant in config.variants.values() for key in variant.recommend}
        for config in (first, second)
    ]
    if both := sorted(keys[0] & keys[1]):
        raise SettingsError(
            f"[experiments.{one}] and [experiments.{other}] both change {', '.join(both)} at the "
            "same time; make them variants of one experiment, or let one start when the other has "
            "ended"
        )
