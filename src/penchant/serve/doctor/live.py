"""What is the matter with a service that runs: asked from outside, like any of its clients.

Nothing is recorded there: what is asked for is asked without being logged, for somebody who does
not exist.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import penchant
from penchant.evaluate.watch.findings import Findings
from penchant.serve.http.config import HttpConfig
from penchant.store.settings import FILE, Settings
from penchant.types import InvalidInput

if TYPE_CHECKING:
    import httpx2

CANARY = "penchant-doctor: nobody"
TIMEOUT = 10.0
SKEW = 5.0  # seconds that two clocks may differ
SLOW = 1.0  # seconds after which one answer is too late for a page
LAG = 60.0  # seconds for which a worker may not have read what was recorded
OLD = 30 * 86_400.0  # seconds after which a snapshot knows little of the present
ERRORS = 0.01  # share of requests that may end with a 5xx
WAITING = 10_000  # writes on their way to disk


@dataclass
class Health:
    """What a service said of itself, by part, and sentences that say what is wrong."""

    address: str
    service: dict[str, Any] = field(default_factory=dict)
    snapshot: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    requests: dict[str, Any] = field(default_factory=dict)
    canary: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def examine(
    where: str, *, key: str | None = None, clock: Callable[[], float] = time.time
) -> Health:
    """Return what is found at a URL, or at the address that the settings of a shelf name.

    `key` needs the scope read; without one a service answers its own machine only.
    """
    import httpx2

    address, shelf = _address(where)
    health = Health(address)
    headers = {"User-Agent": f"penchant-doctor/{penchant.__version__}"}
    if key:
        headers["X-API-Key"] = key
    with httpx2.Client(base_url=address, headers=headers, timeout=TIMEOUT) as client:
        asked = _Asked(client, health, clock)
        if asked.alive():
            for part in (asked.ready, asked.status, asked.snapshots, asked.training):
                part()
            asked.metrics(shelf)
            asked.canary()
    return health


def _address(where: str) -> tuple[str, Path | None]:
    parts = urlsplit(where)
    if parts.scheme in ("http", "https"):
        if not parts.hostname:
            raise InvalidInput(f"expected an address like http://host:8080, got {where!r}")
        return where.rstrip("/"), None
    shelf = Path(where)
    if not shelf.is_dir():
        raise InvalidInput(
            f"expected the address of a service (http://host:8080) or a shelf, got {where!r}"
        )
    listens = Settings(shelf / FILE).section("http", HttpConfig)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listens.host, listens.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{listens.port}", shelf


class _Asked:
    """The questions, one method each; what is wrong goes into the health."""

    def __init__(self, client: httpx2.Client, health: Health, clock: Callable[[], float]) -> None:
        self._client, self._health, self._clock = client, health, clock
        self._items = 0
        self._refused = False

    def alive(self) -> bool:
        """Return whether anybody answers, and how far their clock is from ours."""
        import httpx2

        began = time.perf_counter()
        try:
            answer = self._client.get("/health/live")
        except (httpx2.HTTPError, OSError) as error:
            self._wrong(
                f"nobody answers at {self._health.address} ({type(error).__name__}: {error}); "
                "start `penchant serve`, or look at the address, the port and what is in between"
            )
            return False
        seconds = time.perf_counter() - began
        self._health.service["live_ms"] = round(1000 * seconds, 1)
        if answer.status_code != 200:
            self._wrong(
                f"/health/live answered {answer.status_code}: another program than Penchant, or "
                "something in between, answers there; look at the address"
            )
            return False
        said = answer.headers.get("Date", "")
        try:
            skew = parsedate_to_datetime(said).timestamp() + 0.5 - (self._clock() - seconds / 2)
        except (TypeError, ValueError):
            return True
        self._health.service["clock_skew_s"] = round(skew, 1)
        if abs(skew) > SKEW + 0.5:
            which = "ahead" if skew > 0 else "behind"
            self._wrong(
                f"the clock of the service is {abs(skew):,.0f} s {which}: events get wrong "
                "times and are refused as lying in the future; let both machines follow a time "
                "server"
            )
        return True

    def ready(self) -> None:
        """Whether it can be sent requests."""
        answer = self._get("/health/ready", open_to_all=True)
        if answer is not None:
            self._health.service["ready"] = True

    def status(self) -> None:
        """Versions, what it knows, and what it warns of."""
        said = self._json("/v1/status")
        if said is None:
            return
        self._items = int(said.get("items", 0))
        self._health.service |= {
            name: said.get(name) for name in ("version", "snapshot", "items", "lag", "waiting")
        }
        if said.get("version") != penchant.__version__:
            self._wrong(
                f"the service is version {said.get('version')}, this is {penchant.__version__}; "
                "bring both to the same one"
            )
        if int(said.get("waiting", 0)) > WAITING:
            self._wrong(
                f"{said['waiting']:,} writes wait for the disk; look whether it is full or slow"
            )
        for warning in said.get("warnings", ()):
            self._wrong(f"a worker warns: {warning}")

    def snapshots(self) -> None:
        """Which snapshot answers, and how old it is."""
        said = self._json("/v1/snapshots")
        rows = (said or {}).get("snapshots", [])
        current = next((row for row in rows if row.get("current")), None)
        if current is None:
            if said is not None:
                self._health.snapshot = {"id": None, "known": len(rows)}
            return
        age = self._clock() - float(current["created"])
        self._health.snapshot = {
            "id": current["id"],
            "made": float(current["created"]),
            "age_days": round(age / 86_400, 2),
            "ndcg": current.get("ndcg"),
            "known": len(rows),
        }
        if age > OLD:
            self._wrong(
                f"snapshot {current['id']} is {age / 86_400:.0f} days old; train again, or let "
                "`penchant serve --learn-every 1d` do it"
            )

    def training(self) -> None:
        """How the last training ended."""
        said = self._json("/v1/train")
        if said is None:
            return
        self._health.training = {name: said.get(name) for name in ("state", "step", "next")}
        if said.get("state") == "failed":
            self._wrong(f"the last training failed: {said.get('error')}")

    def metrics(self, shelf: Path | None) -> None:
        """Errors, lag and findings, as counted by all workers."""
        from prometheus_client.parser import text_string_to_metric_families

        answer = self._get("/metrics")
        if answer is None:
            return
        try:
            samples = [
                (s.name, s.labels, float(s.value))
                for family in text_string_to_metric_families(answer.text)
                for s in family.samples
            ]
        except ValueError as error:
            self._wrong(f"/metrics cannot be read ({error}); something in between changes it")
            return

        def of(name: str) -> list[tuple[Mapping[str, str], float]]:
            return [(labels, value) for n, labels, value in samples if n == f"penchant_{name}"]

        total = sum(value for _, value in of("requests_total"))
        failed = sum(
            v for labels, v in of("requests_total") if labels.get("status", "").startswith("5")
        )
        busy = sum(v for labels, v in of("requests_total") if labels.get("status") == "429")
        behind = max((value for _, value in of("freshness_seconds")), default=0.0)
        self._health.requests = {
            "answered": int(total),
            "failed": int(failed),
            "refused_as_too_many": int(busy),
            "behind_s": round(behind, 1),
        }
        if total >= 100 and failed > ERRORS * total:
            self._wrong(
                f"{failed:,.0f} of {total:,.0f} requests ended with an error of the service "
                f"({failed / total:.1%}); the log has a line with status 500 or above for each"
            )
        if behind > LAG:
            self._wrong(
                f"a worker has not read what was recorded for {behind:,.0f} s; look at its log, "
                "and whether the machine has memory and processor time left"
            )
        for labels, value in of("troubles_total"):
            if value:
                self._health.requests[f"trouble: {labels.get('where')}"] = int(value)
        lasting = [(labels, int(value)) for labels, value in of("findings") if value]
        self._health.findings = [{**labels, "many": many} for labels, many in lasting]
        told = [] if shelf is None else list(Findings.load(shelf).open)
        if told:
            self._health.findings = [{**one.plain(), "subject": _subject(one)} for one in told]
        grave = [(labels, many) for labels, many in lasting if labels.get("severity") != "notice"]
        if told:
            for one in told:
                if one.severity != "notice":
                    self._wrong(f"{one.sentence} (since {_when(one.since)})")
        elif grave:
            kinds = ", ".join(sorted({labels.get("kind", "") for labels, _ in grave}))
            self._wrong(
                f"the watch over the log found {sum(many for _, many in grave)} thing(s) that last "
                f"({kinds}); `penchant doctor SHELF` on the machine of the service says what"
            )

    def canary(self) -> None:
        """One answer for nobody, from end to end."""
        k = 3
        began = time.perf_counter()
        said = self._json(
            "/v1/recommend", method="POST", body={"user_id": CANARY, "k": k, "log": False}
        )
        seconds = time.perf_counter() - began
        if said is None:
            return
        problem = _malformed(said, k, self._items)
        self._health.canary = {
            "ms": round(1000 * seconds, 1),
            "snapshot": said.get("snapshot"),
            "recommendations": len(said.get("recommendations", ())),
        }
        if problem:
            self._wrong(f"an answer is not as it should be: {problem}; look at the service's log")
        elif seconds > SLOW:
            self._wrong(
                f"one answer took {1000 * seconds:,.0f} ms; look at penchant_stage_seconds in "
                "/metrics for the stage, and whether the machine is overloaded"
            )

    def _get(self, path: str, *, open_to_all: bool = False) -> httpx2.Response | None:
        return self._answer("GET", path, None, open_to_all=open_to_all)

    def _json(self, path: str, *, method: str = "GET", body: Any = None) -> dict[str, Any] | None:
        answer = self._answer(method, path, body)
        if answer is None:
            return None
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            self._wrong(f"{path} answered no JSON object; something in between changes it")
            return None
        return said

    def _answer(
        self, method: str, path: str, body: Any, *, open_to_all: bool = False
    ) -> httpx2.Response | None:
        import httpx2

        if self._refused and not open_to_all:
            return None
        try:
            answer = self._client.request(method, path, json=body)
        except (httpx2.HTTPError, OSError) as error:
            self._wrong(f"{path} did not answer within {TIMEOUT:.0f} s ({type(error).__name__})")
            return None
        if answer.is_success:
            return answer
        if answer.status_code in (401, 403):
            self._refused = True
            self._wrong(
                f"{path} answered {answer.status_code}: give a key that may read, in "
                "PENCHANT_API_KEY or with --key"
            )
            return None
        try:
            detail = str(answer.json().get("detail", ""))
        except (ValueError, AttributeError):
            detail = ""
        self._wrong(f"{path} answered {answer.status_code}: {detail or 'without saying why'}")
        return None

    def _wrong(self, sentence: str) -> None:
        if sentence not in self._health.wrong:
            self._health.wrong.append(sentence)


def _malformed(said: Mapping[str, Any], k: int, items: int) -> str:
    """Return what is wrong with the form of an answer, "" if nothing is."""
    rows = said.get("recommendations")
    if not isinstance(rows, list) or not isinstance(said.get("snapshot"), str):
        return "it has no recommendations, or no snapshot"
    if len(rows) > k or (not rows and items > 0):
        return f"it has {len(rows)} recommendations where {k} were asked for of {items:,} items"
    if [row.get("rank") for row in rows] != list(range(1, len(rows) + 1)):
        return "its ranks are not 1, 2, 3, ..."
    scores = [row.get("score") for row in rows]
    if not all(isinstance(x, int | float) and math.isfinite(x) for x in scores):
        return "a score is no number"
    if len({row.get("item_id") for row in rows}) != len(rows):
        return "an item is there twice"
    return ""


def _subject(one: Any) -> str:
    return "person" if one.person is not None else str(one.subject)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
