"""Findings sent to one address: signed, in order, again and again until they are taken.

What is to be sent lies in `watch/outbox/`, a file each, until the receiver has answered with a 2xx:
a restart, of the service or of the receiver, loses nothing. A receiver may get something twice (it
took it, and its answer was lost); the id in `X-Penchant-Delivery` stays the same.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.finding import Finding, finding
from penchant.evaluate.watch.packing import read, write

if TYPE_CHECKING:
    import httpx2

OUTBOX = Path("watch") / "outbox"
SIGNATURE, DELIVERY = "X-Penchant-Signature", "X-Penchant-Delivery"
TOLERANCE = 300.0  # seconds after which a receiver should not believe a signature
MOST = 1_000  # deliveries that wait; beyond that the oldest go
GIVE_UP = 3 * 86_400.0
_FIRST, _LONGEST, _GROWTH = 2.0, 3_600.0, 2.0
_TIMEOUT = 10.0

_log = logging.getLogger("penchant.webhook")

Name = Callable[[int], str | None]
"""The id of a person by number, None for who is unknown or was forgotten."""


def signature(key: str, body: bytes, at: float) -> str:
    """Return the header that proves who sent `body`, and when: `t=SECONDS,v1=HEX`.

    HMAC-SHA256 of the seconds, a dot and the body, keyed by the UTF-8 bytes of `key`.
    """
    moment = str(int(at))
    mac = hmac.new(key.encode(), moment.encode() + b"." + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


def verified(key: str, header: str, body: bytes, now: float, tolerance: float = TOLERANCE) -> bool:
    """Return whether a header is that of `body`, and of the last minutes: for a receiver."""
    parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
    moment = parts.get("t", "")
    if not moment.isdigit() or abs(now - int(moment)) > tolerance:
        return False
    return hmac.compare_digest(signature(key, body, float(moment)), header.replace(" ", ""))


class Webhook:
    """Sends what is offered, from a thread of its own. Nobody waits for it, nothing it meets is
    raised. Pauses take `pace` times as long as they are.

    `name` gives the ids of people, for payloads that may hold them ([watch] people).
    """

    def __init__(
        self,
        config: WatchConfig,
        directory: Path,
        *,
        name: Name | None = None,
        clock: Callable[[], float] = time.time,
        pace: float = 1.0,
        seed: int | None = None,
    ) -> None:
        self._config, self._folder = config, directory / OUTBOX
        self._name = name if config.people else None
        self._clock, self._pace = clock, pace
        # Jitter: receivers must not be met by all services at once after they were down.
        self._random = random.Random(seed)  # noqa: S311  no secret
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._count = 0
        if config.webhook:
            self._thread = threading.Thread(target=self._run, name="penchant-webhook", daemon=True)
            self._thread.start()

    def offer(self, changed: Sequence[Finding]) -> None:
        """Have findings sent that are new, worse or over; returns when they are on disk."""
        if self._thread is None or not changed:
            return
        made = self._clock()
        for one in changed:
            self._count += 1
            delivery = f"{int(1000 * made):015d}-{self._count % 10_000:04d}-{one.id}"
            # As numbers: should the person be forgotten before it is sent, nobody is named.
            content = {"made": made, "attempts": 0, "due": made, "finding": one.plain()}
            try:
                write(self._folder / f"{delivery}.json", content)
            except OSError as error:
                _log.warning("a finding could not be kept for the webhook: %s", error)
        for path in self._waiting()[:-MOST]:
            path.unlink(missing_ok=True)
        self._wake.set()

    def forget(self, people: Sequence[int]) -> None:
        """Drop what waits about these people."""
        for path in self._waiting():
            content = read(path)
            if content is not None and finding(content["finding"]).person in people:
                path.unlink(missing_ok=True)

    @property
    def waiting(self) -> int:
        """How many deliveries wait."""
        return len(self._waiting())

    def close(self) -> None:
        """Stop sending; what waits is sent after the next start."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)  # a receiver that stalls holds nobody up

    def _waiting(self) -> list[Path]:
        return sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []

    def _run(self) -> None:
        import httpx2

        # Only to the address itself: no proxy of the environment, no redirect.
        with httpx2.Client(timeout=_TIMEOUT, follow_redirects=False, trust_env=False) as client:
            while not self._ended.is_set():
                self._wake.clear()
                pause = 60.0
                try:
                    pause = self._round(client)
                except Exception as error:  # a full disk, a file that was removed
                    _log.warning("the webhook is not sent: %s", error)
                self._wake.wait(pause * self._pace)

    def _round(self, client: httpx2.Client) -> float:
        """Send what is due; return the seconds until more is."""
        soonest = 60.0
        for path in self._waiting():
            if self._ended.is_set():
                break
            content = read(path)
            if not isinstance(content, dict) or "finding" not in content:
                path.unlink(missing_ok=True)
                continue
            now = self._clock()
            # A clock that was set back must not hold it for longer than the longest pause.
            left = min(float(content["due"]) - now, _LONGEST)
            if left > 0:
                soonest = min(soonest, left)
                continue
            trouble, asked = self._send(client, path.stem, content)
            if trouble is None or now - float(content["made"]) > GIVE_UP:
                if trouble is not None:
                    _log.warning("given up after three days: %s", trouble)
                path.unlink(missing_ok=True)
                continue
            attempts = int(content["attempts"]) + 1
            pause = min(_LONGEST, _FIRST * _GROWTH ** (attempts - 1))
            pause = max(asked, pause * (0.5 + self._random.random()))
            _log.info("not taken (%s), again in %.0f s", trouble, pause)
            write(path, {**content, "attempts": attempts, "due": now + pause * self._pace})
            soonest = min(soonest, pause)
        return soonest

    def _send(
        self, client: httpx2.Client, delivery: str, content: dict[str, Any]
    ) -> tuple[str | None, float]:
        """Return what went wrong, None if it was taken, and the pause that the receiver wants."""
        import httpx2

        body = json.dumps(self._payload(content), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "penchant",
            DELIVERY: delivery,
            SIGNATURE: signature(self._config.webhook_key, body, self._clock()),
        }
        try:
            # The body of the answer is not read: it may have no end.
            with client.stream("POST", self._config.webhook, content=body, headers=headers) as got:
                if got.is_success:
                    return None, 0.0
                after = got.headers.get("Retry-After", "")
                asked = min(_LONGEST, float(after)) if after.isdigit() else 0.0
                return f"status {got.status_code}", asked
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return type(error).__name__, 0.0

    def _payload(self, content: dict[str, Any]) -> dict[str, Any]:
        one = finding(content["finding"])
        told = one.plain()
        if one.person is not None:
            told["subject"] = "person"
            if self._name is not None:
                with suppress(Exception):
                    told["person"] = self._name(one.person)
        state = "over" if one.over is not None else "open"
        return {"type": "finding", "state": state, "made": content["made"], "finding": told}
