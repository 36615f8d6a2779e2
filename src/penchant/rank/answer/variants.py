"""Variants: who of an experiment gets what, by a hash that stays the same.

A person's place in [0, 1) is a hash of the salt and the name they are stored under. The interval
is cut into as many lanes as there are variants, and each variant fills its own from the left; what
no variant fills is the control. So a share that grows takes people from the control only and nobody
who was in a variant leaves it, as long as each fits its lane; with one or two variants always. No
rule does that for three and more whatever their shares: a share above its lane goes on at the right
end of the others.

People take part once they are stored, by an event or by `add(users=...)`; until then they get what
everybody gets. Were they counted from their first event on, but treated before, then whoever acts
because of a variant would be counted, and whoever does not because of it would not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Any

from penchant.rank.answer.experiments import CONTROL, ExperimentConfig, changed, experiments
from penchant.rank.answer.stops import Stops
from penchant.store.open import Store
from penchant.types import Policy

_PERSON, _VISITOR = b"penchant.person", b"penchant.visit"


def key_of(salt: str) -> bytes:
    """Return the key of the hash that a salt stands for."""
    return blake2b(salt.encode(), digest_size=16).digest()


def place(key: bytes, name: str, *, visitor: bool = False) -> float:
    """Return where in [0, 1) a name falls: uniform, and independent for every key.

    A visitor is never taken for the person whose id happens to be the same text.
    """
    told = name.encode(errors="surrogatepass")
    person = _VISITOR if visitor else _PERSON
    digest = blake2b(told, digest_size=8, key=key, person=person).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # what a float holds exactly


@dataclass(frozen=True, slots=True)
class Lanes:
    """How [0, 1) is shared out among variants, by their shares in order."""

    names: tuple[str, ...]
    shares: tuple[float, ...]

    def variant(self, at: float) -> str:
        """Return the variant of a place in [0, 1), CONTROL where it is in none."""
        width = 1.0 / len(self.names)
        lane = min(int(at / width), len(self.names) - 1)
        if at - lane * width < self.shares[lane]:
            return self.names[lane]
        # From the right end of its lane, counted on through the room that is left in each.
        room = [max(0.0, width - share) for share in self.shares]
        right = sum(room[:lane]) + (lane + 1) * width - at
        over = accumulate(max(0.0, share - width) for share in self.shares)
        return next(
            (name for name, most in zip(self.names, over, strict=True) if right <= most), CONTROL
        )


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment as it runs: its settings, and the policy of each of its variants."""

    name: str
    config: ExperimentConfig
    key: bytes
    lanes: Lanes

    @classmethod
    def of(cls, name: str, config: ExperimentConfig) -> Experiment:
        """Return the experiment of a section."""
        shares = tuple(one.share for one in config.variants.values())
        lanes = Lanes(tuple(config.variants), shares)
        return cls(name, config, key_of(config.salt or name), lanes)

    def runs(self, now: float) -> bool:
        """Return whether it has started and not ended."""
        return self.config.begins <= now < self.config.ends

    def variant(self, name: str | None, context: Mapping[str, Any] | None = None) -> str | None:
        """Return the variant of a person, or of a visitor by the context; None: left out."""
        if name is not None:
            return self.lanes.variant(place(self.key, name))
        session = (context or {}).get(self.config.visitors)
        if session is None or session == "":
            return None
        return self.lanes.variant(place(self.key, str(session), visitor=True))


class Variants:
    """What a request may do for this person: the policy, and which variants decided it."""

    def __init__(
        self, policy: Policy, running: Mapping[str, ExperimentConfig], stops: Stops
    ) -> None:
        self._policy = policy
        self._experiments = tuple(Experiment.of(name, one) for name, one in running.items())
        self._stops = stops
        self._made: dict[str, Policy] = {}

    @classmethod
    def of(cls, store: Store, policy: Policy) -> Variants:
        """Return the variants of a store's settings; SettingsError where they cannot be."""
        stops = Stops(store.directory, read_only=store.read_only)
        return cls(policy, experiments(store.settings, policy), stops)

    def ask(
        self,
        name: str | None,
        context: Mapping[str, Any] | None,
        now: float,
        *,
        known: bool = True,
    ) -> tuple[Policy, str]:
        """Return the policy for somebody stored under `name`, and the variants it came from.

        Those are "experiment=variant", joined by ";", the control's among them, and "" where
        somebody takes part in nothing: no experiment runs, theirs was stopped, they are not
        `known` yet, or a visitor cannot be told apart.
        """
        if not self._experiments or (name is not None and not known):
            return self._policy, ""
        stopped = self._stops.read()
        if stopped.halted:
            return self._policy, ""
        told = []
        chosen: dict[str, Any] = {}
        for one in self._experiments:
            if not one.runs(now):
                continue
            variant = one.variant(name, context)
            if variant is None or variant in stopped.of(one.name):
                continue
            told.append(f"{one.name}={variant}")
            if variant != CONTROL:
                chosen |= one.config.variants[variant].recommend
        mark = ";".join(told)
        if not chosen:
            return self._policy, mark
        made = self._made.get(mark)
        if made is None:
            made = self._made[mark] = changed(self._policy, chosen, mark)
        return made, mark


def variants_of(mark: str) -> dict[str, str]:
    """Return experiment -> variant of what an impression says it was asked under."""
    return dict(part.split("=", 1) for part in mark.split(";") if "=" in part)
