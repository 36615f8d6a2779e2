"""`penchant doctor --live` against a real service, and against what answers wrongly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import penchant
from penchant.evaluate.watch.finding import Finding
from penchant.evaluate.watch.findings import Findings
from penchant.evaluate.watch.watching import STATE
from penchant.serve.cli import app
from penchant.serve.doctor.diagnosis import diagnose
from penchant.serve.doctor.live import CANARY, examine
from penchant.store.open import open_store
from penchant.types import InvalidInput
from serve.service.running import Service, eventually
from shelves import MUTE, filled, mute

pytestmark = pytest.mark.service

KEY = "a webhook key of enough characters"
ONE = Finding("silence", "kind:click", 1000.0, "critical", 0.0, 80.0, "no clicks. Look.")


class Answers:
    """A service that says what it is told to; starts as one that is well."""

    def __init__(self) -> None:
        self.date = 0.0
        self.said: dict[str, tuple[int, Any]] = {
            "/health/live": (200, {"status": "live"}),
            "/health/ready": (200, {"status": "ready"}),
            "/v1/status": (
                200,
                {
                    "version": penchant.__version__,
                    "snapshot": "000001",
                    "items": 5,
                    "lag": 0,
                    "waiting": 0,
                    "warnings": [],
                },
            ),
            "/v1/snapshots": (
                200,
                {"snapshots": [{"id": "000001", "created": time.time() - 60, "current": True}]},
            ),
            "/v1/train": (200, {"state": "idle"}),
            "/metrics": (200, 'penchant_requests_total{status="200"} 1000.0\n'),
            "/v1/recommend": (
                200,
                {
                    "slate_id": "s",
                    "snapshot": "000001",
                    "recommendations": [
                        {"item_id": f"i{n}", "score": 1.0 - n, "rank": n + 1} for n in range(3)
                    ],
                },
            ),
        }
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = outer.said[self.path]
                text = body if isinstance(body, str) else json.dumps(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert asked == {"user_id": CANARY, "k": 3, "log": False}
                self.do_GET()

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(time.time() + outer.date, usegmt=True)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(filled(tmp_path_factory.mktemp("live") / "shelf"), workers=1) as running:
        yield running


def test_a_sound_service_is_well_and_keeps_nothing(service: Service) -> None:
    url = "http://{}:{}".format(*service.address)
    health = examine(url)
    # How long an answer takes says more of the machine that runs the tests.
    assert [one for one in health.wrong if not one.startswith("one answer took")] == []
    assert health.service["version"] == penchant.__version__
    assert abs(health.service["clock_skew_s"]) < 5
    assert health.canary["recommendations"] == 3
    assert health.requests["failed"] == 0
    told = CliRunner().invoke(app, ["doctor", "--live", url])
    machine = json.loads(CliRunner().invoke(app, ["doctor", "--live", url, "--json"]).stdout)
    if not machine["wrong"]:
        assert "nothing is wrong" in told.output or "one answer took" in told.output
    assert [one for one in machine["wrong"] if not one.startswith("one answer took")] == []
    with open_store(service.shelf, read_only=True) as store:
        assert len(store.impressions) == 0
        assert int(store.people.numbers([CANARY])[0]) == -1


def test_the_background_of_a_service_keeps_the_watch(service: Service) -> None:
    assert eventually(lambda: (service.shelf / STATE).exists(), within=60)
    assert not [line for line in service.lines("watch") if "error" in line]


def test_nobody_there_is_said(tmp_path: Path) -> None:
    health = examine("http://127.0.0.1:9")
    (said,) = health.wrong
    assert "nobody answers at http://127.0.0.1:9" in said
    told = CliRunner().invoke(app, ["doctor", "--live", "http://127.0.0.1:9"])
    assert told.exit_code == 1
    for wrong in ("ftp://x", "http://", str(tmp_path / "nothing")):
        with pytest.raises(InvalidInput, match="expected"):
            examine(wrong)
    both = CliRunner().invoke(app, ["doctor", str(tmp_path), "--live", "http://127.0.0.1:9"])
    assert both.exit_code == 2


def test_a_shelf_says_where_its_service_listens(tmp_path: Path) -> None:
    shelf = mute(tmp_path / "shelf", MUTE + '[http]\nhost = "0.0.0.0"\nport = 9\n')
    assert examine(str(shelf)).address == "http://127.0.0.1:9"


def test_all_is_well_where_all_is_well(answers: Answers) -> None:
    health = examine(answers.url + "/")
    assert health.wrong == []
    assert health.snapshot["id"] == "000001"
    assert health.requests["answered"] == 1000


@pytest.mark.parametrize(
    ("path", "status", "body", "said"),
    [
        ("/health/live", 404, {}, "another program"),
        ("/health/ready", 503, {"detail": "this worker is stopping"}, "is stopping"),
        ("/v1/status", 401, {}, "a key that may read"),
        ("/v1/status", 200, "<html>", "no JSON object"),
        ("/v1/status", 200, {"version": "0.0.1"}, "is version 0.0.1"),
        ("/v1/status", 200, {"waiting": 20_000}, "writes wait"),
        ("/v1/status", 200, {"warnings": ["snapshot 7 is damaged"]}, "snapshot 7 is damaged"),
        (
            "/v1/snapshots",
            200,
            {"snapshots": [{"id": "000001", "created": 1.0, "current": True}]},
            "days old",
        ),
        ("/v1/train", 200, {"state": "failed", "error": "too few events"}, "too few events"),
        ("/metrics", 200, 'penchant_requests_total{status="500"} 900.0\n', "ended with an error"),
        ("/metrics", 200, 'penchant_freshness_seconds{process="w"} 90.0\n', "has not read"),
        (
            "/metrics",
            200,
            'penchant_findings{kind="silence",severity="critical"} 1.0\n',
            "the watch over the log found 1 thing(s) that last (silence)",
        ),
        ("/metrics", 200, "what {is this\n", "cannot be read"),
        ("/v1/recommend", 500, {"detail": "broken"}, "/v1/recommend answered 500: broken"),
        ("/v1/recommend", 200, {}, "no recommendations"),
        ("/v1/recommend", 200, {"snapshot": "1", "recommendations": []}, "0 recommendations"),
        (
            "/v1/recommend",
            200,
            {"snapshot": "1", "recommendations": [{"item_id": "a", "score": 1.0, "rank": 2}]},
            "ranks",
        ),
        (
            "/v1/recommend",
            200,
            {"snapshot": "1", "recommendations": [{"item_id": "a", "score": None, "rank": 1}]},
            "score",
        ),
    ],
)
def test_what_is_wrong_is_said(
    answers: Answers, path: str, status: int, body: Any, said: str
) -> None:
    if status == 200 and isinstance(body, dict) and path == "/v1/status":
        body = {**answers.said[path][1], **body}
    answers.said[path] = (status, body)
    assert any(said in sentence for sentence in examine(answers.url).wrong)


@pytest.mark.parametrize(("date", "said"), [(30.0, "30 s ahead"), (-120.0, "120 s behind")])
def test_clocks_that_differ_are_said(answers: Answers, date: float, said: str) -> None:
    answers.date = date
    assert any(said in sentence for sentence in examine(answers.url).wrong)


def test_findings_of_a_shelf_are_told_with_their_sentences(
    answers: Answers, tmp_path: Path
) -> None:
    port = answers.url.rpartition(":")[2]
    shelf = mute(tmp_path / "shelf", MUTE + f"[http]\nport = {port}\n")
    found = Findings()
    found.meet([ONE], 2000.0)
    found.save(shelf)
    health = examine(str(shelf))
    assert any("no clicks. Look." in sentence for sentence in health.wrong)
    assert CliRunner().invoke(app, ["doctor", "--live", str(shelf)]).exit_code == 1


def test_the_doctor_of_a_shelf_tells_findings_and_where_they_go(tmp_path: Path) -> None:
    settings = f'[watch]\nwebhook = "https://u:p@hooks.example/x?y"\nwebhook_key = "{KEY}"\n'
    shelf = mute(tmp_path / "shelf", MUTE + settings)
    with penchant.open(shelf) as engine:
        engine.record(penchant.Event("ann", "i1", timestamp=1000.0), now=1000.0)
    found = Findings()
    person = Finding("person", "person:0", 500.0, "warning", 900.0, 4.0, "one person did much.")
    found.meet([ONE, person, Finding("item", "item:0", 1.0, "notice", 9, 1, "a surge.")], 2000.0)
    found.save(shelf)
    diagnosis = diagnose(shelf, None)
    assert diagnosis.wrong == ["no clicks. Look.", "ann: one person did much."]
    assert len(diagnosis.findings) == 3
    (address,) = diagnosis.addresses
    assert address["address"] == "https://hooks.example/x"
    assert "without ids of people" in address["what"]
    told = CliRunner().invoke(app, ["doctor", str(shelf)])
    assert told.exit_code == 1
    assert "what the watch found" in told.output
    assert "a surge." in told.output


def test_a_section_that_cannot_be_followed_is_said(tmp_path: Path) -> None:
    shelf = mute(tmp_path / "shelf", MUTE + '[watch]\nwebhook = "https://hooks.example/x"\n')
    penchant.open(shelf).close()
    assert any("a webhook is signed" in sentence for sentence in diagnose(shelf, None).wrong)
