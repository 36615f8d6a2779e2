"""The webhook against a real receiver on loopback: one that fails, stalls, redirects, recovers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from penchant.evaluate.watch.config import WatchConfig
from penchant.evaluate.watch.finding import Finding
from penchant.serve.service.webhook import (
    DELIVERY,
    OUTBOX,
    SIGNATURE,
    Webhook,
    signature,
    verified,
)

KEY = "a key of sixteen characters and more"


class Receiver:
    """Takes what is posted; `faults` are answered first: a status, "stall" or "redirect"."""

    def __init__(self) -> None:
        self.faults: list[int | str] = []
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.met = 0
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.met += 1
                fault = outer.faults.pop(0) if outer.faults else 200
                if fault == "stall":
                    outer.release.wait(10)
                    return
                if fault == "redirect":
                    self.send_response(302)
                    self.send_header("Location", "/elsewhere")
                elif fault != 200:
                    self.send_response(int(fault))
                else:
                    outer.taken.append((dict(self.headers), body))
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Who hung up is part of the tests."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def config(receiver: Receiver, **more: object) -> WatchConfig:
    return WatchConfig(webhook=receiver.url, webhook_key=KEY, **more)  # type: ignore[arg-type]


def found(subject: str = "events", since: float = 1000.0) -> Finding:
    return Finding("rate", subject, since, "warning", 10.0, 100.0, "too few. Look.")


def wait(condition: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_finding_is_sent_once_signed_and_gone(receiver: Receiver, tmp_path: Path) -> None:
    hook = Webhook(config(receiver), tmp_path)
    hook.offer([found()])
    wait(lambda: receiver.taken and not hook.waiting)
    headers, body = receiver.taken[0]
    assert verified(KEY, headers[SIGNATURE], body, time.time())
    assert not verified(KEY + "!", headers[SIGNATURE], body, time.time())
    assert not verified(KEY, headers[SIGNATURE], body + b" ", time.time())
    assert not verified(KEY, headers[SIGNATURE], body, time.time() + 301)
    sent = json.loads(body)
    assert sent["state"] == "open"
    assert sent["finding"]["sentence"] == "too few. Look."
    assert headers[DELIVERY].endswith(found().id)
    hook.close()
    assert receiver.met == 1


def test_the_page_shows_a_receiver_how_to_check_it() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "watch.md"
    code = page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    shown: dict[str, Any] = {}
    exec(code, shown)
    body = b'{"type": "finding"}'
    header = signature(KEY, body, time.time())
    assert shown["is_genuine"](KEY, header, body)
    assert not shown["is_genuine"](KEY, header, body + b" ")
    assert not shown["is_genuine"](KEY, signature(KEY, body, time.time() - 301), body)


def test_a_signature_that_is_none_is_refused() -> None:
    body = b"{}"
    assert verified(KEY, signature(KEY, body, 50.0), body, 60.0)
    for header in ("", "t=50", "v1=ab", "t=x,v1=ab", "t=50,v1=ab", "nonsense", "t=50,t=50,v1="):
        assert not verified(KEY, header, body, 60.0)


def test_what_fails_is_sent_again_under_the_same_id(receiver: Receiver, tmp_path: Path) -> None:
    receiver.faults = [500, 404, "redirect", 429]
    hook = Webhook(config(receiver), tmp_path, pace=0.002, seed=1)
    hook.offer([found()])
    wait(lambda: receiver.taken and not hook.waiting)
    assert receiver.met == 5
    hook.close()


def test_pauses_grow_and_differ(receiver: Receiver, tmp_path: Path) -> None:
    receiver.faults = [500] * 3
    now = [1000.0]
    hook = Webhook(config(receiver), tmp_path, clock=lambda: now[0], pace=0.0, seed=3)
    hook.close()  # rounds are made here, by hand
    import httpx2

    # With a clock of our own, and pauses as they are.
    hook._ended.clear()
    hook._pace = 1.0
    hook._thread = threading.current_thread()
    hook.offer([found()])
    pauses = []
    with httpx2.Client(trust_env=False) as client:
        for _ in range(3):
            assert hook._round(client) > 0
            content = json.loads(next((tmp_path / OUTBOX).glob("*.json")).read_text())
            pauses.append(content["due"] - now[0])
            assert hook._round(client) > 0  # not due: nothing is sent
            now[0] = content["due"]
        assert receiver.met == 3
        hook._round(client)
    assert len(receiver.taken) == 1
    assert hook.waiting == 0
    for pause, middle in zip(pauses, (2.0, 4.0, 8.0), strict=True):
        assert 0.5 * middle <= pause <= 1.5 * middle
    assert pauses != [2.0, 4.0, 8.0]


def test_what_waits_outlives_a_restart_and_keeps_its_order(tmp_path: Path) -> None:
    gone = Receiver()
    gone.close()  # nobody listens there
    first = Webhook(config(gone), tmp_path, pace=0.001)
    first.offer([found("kind:a"), found("kind:b")])
    first.offer([found("kind:c")])
    wait(lambda: all(json.loads(p.read_text())["attempts"] for p in first._waiting()))
    first.close()
    assert first.waiting == 3
    back = Receiver()
    second = Webhook(config(back), tmp_path, clock=lambda: time.time() + 4000.0)
    wait(lambda: not second.waiting)
    second.close()
    subjects = [json.loads(body)["finding"]["subject"] for _, body in back.taken]
    assert subjects == ["kind:a", "kind:b", "kind:c"]
    back.close()


def test_a_receiver_that_stalls_blocks_nobody(receiver: Receiver, tmp_path: Path) -> None:
    receiver.faults = ["stall"]
    hook = Webhook(config(receiver), tmp_path)
    hook.offer([found()])
    wait(lambda: receiver.met == 1)
    began = time.monotonic()
    hook.offer([found("kind:other")])
    assert time.monotonic() - began < 0.5
    hook.close()
    assert time.monotonic() - began < 2.0
    assert hook.waiting == 2


def test_nobody_is_named_unless_it_is_configured(receiver: Receiver, tmp_path: Path) -> None:
    one = Finding("person", "person:17", 5.0, "warning", 900.0, 4.0, "one person did much.")
    names = {17: "ann"}
    plain = Webhook(config(receiver), tmp_path / "a", name=names.get)
    plain.offer([one])
    wait(lambda: len(receiver.taken) == 1)
    plain.close()
    told = json.loads(receiver.taken[0][1])
    assert told["finding"]["subject"] == "person"
    assert "17" not in json.dumps({**told, "made": 0, "finding": {**told["finding"], "id": ""}})
    assert "ann" not in receiver.taken[0][1].decode()
    naming = Webhook(config(receiver, people=True), tmp_path / "b", name=names.get)
    naming.offer([one])
    wait(lambda: len(receiver.taken) == 2)
    assert json.loads(receiver.taken[1][1])["finding"]["person"] == "ann"
    del names[17]  # forgotten
    naming.offer([one.ended(9.0)])
    wait(lambda: len(receiver.taken) == 3)
    naming.close()
    told = json.loads(receiver.taken[2][1])
    assert told["state"] == "over"
    assert told["finding"]["person"] is None


def test_what_waits_about_the_forgotten_is_dropped(tmp_path: Path) -> None:
    gone = Receiver()
    gone.close()
    hook = Webhook(config(gone), tmp_path)
    one = Finding("person", "person:17", 5.0, "warning", 900.0, 4.0, "one person did much.")
    hook.offer([one, found()])
    hook.forget([17])
    assert hook.waiting == 1
    hook.close()


def test_without_an_address_nothing_is_kept(tmp_path: Path) -> None:
    hook = Webhook(WatchConfig(), tmp_path)
    hook.offer([found()])
    hook.close()
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_old_deliveries_go(receiver: Receiver, tmp_path: Path) -> None:
    folder = tmp_path / OUTBOX
    folder.mkdir(parents=True)
    (folder / "0.json").write_text("{")
    hook = Webhook(config(receiver), tmp_path)
    hook.offer([found()])
    wait(lambda: receiver.taken and not hook.waiting)
    hook.close()
    receiver.faults = [500]
    late = Webhook(config(receiver), tmp_path, clock=lambda: time.time())
    made = time.time() - 4 * 86_400
    content = {"made": made, "attempts": 40, "due": 0.0, "finding": found().plain()}
    (folder / "1.json").write_text(json.dumps(content))
    late._wake.set()
    wait(lambda: not late.waiting)
    late.close()
    assert len(receiver.taken) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook": "ftp://a/b", "webhook_key": KEY},
        {"webhook": "http:///b", "webhook_key": KEY},
        {"webhook": "https://a/b"},
        {"surprise": 0.0},
        {"least_change": 1.0},
        {"grace": -1.0},
        {"replay": -1},
    ],
)
def test_settings_that_cannot_be_followed_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"got|signed"):
        WatchConfig(**wrong)  # type: ignore[arg-type]
