"""The watch as a duty of the background: it looks, and what it found goes to all who want it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.watching import Watch
from penchant.serve.service.webhook import Webhook
from penchant.store.heap import trim
from penchant.store.settings import FILE, Settings

EVERY = 60.0
Found = Callable[[Mapping[tuple[str, str], int]], None]
"""Who is told how many findings last, by kind and severity."""

_log = logging.getLogger("penchant.watch")


class Watching:
    """Looks at the log of a directory when called, and tells metrics, logs and the webhook.

    The directory is opened with the first look: whoever only learns pays nothing for it.
    """

    def __init__(
        self,
        directory: Path,
        url: str | None,
        found: Found,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory, self._url, self._found, self._clock = directory, url, found, clock
        self._config = Settings(directory / FILE).section("watch", WatchConfig)
        self._watch: Watch | None = None
        self._webhook: Webhook | None = None

    def __call__(self) -> None:
        """Look once."""
        if not self._config.on:
            return
        if self._watch is None:
            self._watch = Watch(self._directory, self._url, config=self._config)
            self._webhook = Webhook(self._config, self._directory, name=self._watch.name)
        changed = self._watch.look(self._clock())
        lasting: Counter[tuple[str, str]] = Counter()
        for one in self._watch.findings.open:
            lasting[one.kind, one.severity] += 1
        self._found(lasting)
        for one in changed:
            # Nobody is named in a log, not even by number.
            subject = "person" if one.person is not None else one.subject
            level = logging.INFO if one.over is not None else logging.WARNING
            fields = {"kind": one.kind, "subject": subject, "over": one.over is not None}
            _log.log(level, one.sentence, extra={"fields": fields})
        if self._webhook is not None:
            if self._watch.forgotten:
                self._webhook.forget(self._watch.forgotten)
            self._webhook.offer(changed)
        trim()  # what was read is in columns now

    def close(self) -> None:
        """Stop sending, and let go of the directory."""
        if self._webhook is not None:
            self._webhook.close()
        if self._watch is not None:
            self._watch.close()
