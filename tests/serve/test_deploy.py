"""The files in deploy/: what they say is what there is, and nginx lets through what it should."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

import world
from penchant.serve.http.config import HttpConfig
from penchant.serve.service import accepting, parent, worker
from penchant.serve.service.config import ServiceConfig
from penchant.serve.service.notifying import READY, notify
from serve.proxying import DEPLOY, KEY, Proxy, free_port, needs_nginx
from serve.service.running import Service, eventually
from serve.shown import PAGE, ROOT, known
from shelves import filled

pytestmark = pytest.mark.service

HARD = ["a/b", "a//b", "/", "a%2Fb", "100%", "%", "a b", "ä/漢字", "?x=1&y=2", "#f", "a;b", "a+b"]
HARD += ["..", "../../metrics", "x\\y", 'q"uote', "it's", "<b>", "new\nline", "..%2f..", "a/../b"]
ITEM = str(world.items()["item_id"][0])


# The unit


@pytest.fixture(scope="module")
def unit() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "penchant.service", "utf-8")
    return parser["Service"]


def test_the_unit_starts_what_there_is_as_nobody_special(unit: configparser.SectionProxy) -> None:
    words = shlex.split(unit["ExecStart"])
    assert words[1] == "serve"
    known(words)
    assert unit["User"] not in ("", "root")
    assert unit["Type"] == "notify"  # `notify` says so; see below
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices"):
        assert unit[name] == "yes"
    assert unit["CapabilityBoundingSet"] == ""
    assert unit["ProtectSystem"] == "strict"
    assert words[2].startswith(f"/var/lib/{unit['StateDirectory']}/")
    for path in (words[0], words[2], unit["EnvironmentFile"].lstrip("-")):
        assert path in PAGE


def test_the_unit_waits_for_what_was_accepted(unit: configparser.SectionProxy) -> None:
    assert float(unit["TimeoutStopSec"]) > ServiceConfig().stop_seconds + parent.FLUSH
    assert unit["KillMode"] == "mixed"
    assert unit["OOMPolicy"] == "continue"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "penchant.service").read_text("utf-8")
    path = tmp_path / "penchant.service"
    path.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.M))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60
    )
    assert "penchant.service" not in said.stderr
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert rated.returncode == 0, rated.stdout + rated.stderr


def test_a_supervisor_is_told(tmp_path: Path) -> None:
    assert not notify(READY, {})
    for place in (str(tmp_path / "notify"), f"@penchant-test-{os.getpid()}"):
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
            heard.bind(place.replace("@", "\0", 1))
            heard.settimeout(10)
            assert notify(READY, {"NOTIFY_SOCKET": place})
            assert heard.recv(100) == b"READY=1"
    assert not notify(READY, {"NOTIFY_SOCKET": str(tmp_path / "nobody")})


# The image


@pytest.fixture(scope="module")
def image() -> dict[str, list[str]]:
    """The instructions of the container file by name, in order."""
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        found.setdefault(name, []).append(rest.strip())
    return found


def test_the_image_is_made_of_what_there_is(image: dict[str, list[str]]) -> None:
    assert re.search(r":\d+\.\d+-slim-\w+$", image["ARG"][0]), "a base with a version"
    assert image["USER"] == ["10001:10001"]
    assert "ADD" not in image
    for words in map(str.split, image["COPY"]):
        for source in [] if words[0].startswith("--from") else words[:-1]:
            assert (ROOT / source).exists(), source
    known(json.loads(image["ENTRYPOINT"][0]) + json.loads(image["CMD"][0]))
    assert json.loads(image["VOLUME"][0])[0] == json.loads(image["CMD"][0])[1]
    assert image["STOPSIGNAL"] == ["SIGTERM"]
    for _, stop in re.findall(r"--(stop-timeout) (\d+)", PAGE):
        assert int(stop) > ServiceConfig().stop_seconds + parent.FLUSH


def healthy(image: dict[str, list[str]], port: int) -> bool:
    """Return what the health check of the image says of a service on another port."""
    _, _, check = image["HEALTHCHECK"][0].partition("CMD ")
    words = [word.replace(":8080/", f":{port}/") for word in json.loads(check)]
    assert words[0] == "python3"
    return subprocess.run([sys.executable, *words[1:]], capture_output=True).returncode == 0


# nginx, in front of a real service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a key, whose supervisor was told when it answered."""
    place = f"penchant-served-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
        heard.bind(f"\0{place}")
        heard.settimeout(30)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PENCHANT_API_KEY", KEY)
            patch.setenv("NOTIFY_SOCKET", f"@{place}")
            one = Service(filled(tmp_path_factory.mktemp("served") / "shelf"), workers=2)
        with one:
            assert heard.recv(100) == READY.encode()
            yield one


@pytest.fixture(scope="module")
def proxy(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    one = Proxy(tmp_path_factory.mktemp("nginx"), service.address[1])
    yield one
    one.close()


def test_the_health_check_tells_life_from_death(
    service: Service, image: dict[str, list[str]]
) -> None:
    assert healthy(image, service.address[1])
    assert not healthy(image, free_port())


@needs_nginx
@pytest.mark.parametrize("person", HARD)
def test_ids_pass_through_nginx(proxy: Proxy, person: str) -> None:
    event = {"user_id": person, "item_id": ITEM, "event": "click"}
    assert proxy.ask("POST", "/v1/events", event)[0] == 200
    encoded = quote(person, safe="")
    for path in (f"/v1/recommend/{encoded}?k=2", f"/v1/recommend?k=2&user_id={encoded}"):
        status, _, said = proxy.ask("GET", path)
        assert (status, said["user_id"]) == (200, person), said
    exported = proxy.ask("GET", f"/v1/users/{encoded}")[2]
    assert [one["item_id"] for one in exported["events"]] == [ITEM]


@needs_nginx
def test_ids_that_climb_go_into_the_query(proxy: Proxy) -> None:
    climbing = quote("../../../../x", safe="")
    assert proxy.ask("GET", f"/v1/recommend/{climbing}")[0] == 400
    status, _, said = proxy.ask("GET", f"/v1/recommend?user_id={climbing}")
    assert (status, said["user_id"]) == (200, "../../../../x")


@needs_nginx
def test_requests_have_one_id_and_no_log_names_anybody(proxy: Proxy, service: Service) -> None:
    path = "/v1/recommend/somebody-known?k=1"
    _, own, _ = proxy.ask("GET", path, X_Request_ID="of-the-caller")
    _, fresh, _ = proxy.ask("GET", path)
    _, replaced, _ = proxy.ask("GET", path, X_Request_ID='no "sane" id')
    assert own["x-request-id"] == "of-the-caller"
    assert re.fullmatch("[0-9a-f]{32}", fresh["x-request-id"])
    assert re.fullmatch("[0-9a-f]{32}", replaced["x-request-id"])
    log = proxy.folder / "penchant.log"
    for one in (own, fresh, replaced):
        eventually(lambda one=one: one["x-request-id"] in log.read_text())
        eventually(
            lambda one=one: (
                one["x-request-id"] in [line.get("request_id") for line in service.lines("request")]
            )
        )
    assert proxy.ask("GET", "/v1/recommend/somebody-known?k=no")[0] == 422
    for path_ in (log, proxy.folder / "penchant-error.log"):
        assert "somebody" not in path_.read_text()
    assert "somebody" not in service.log


@needs_nginx
def test_nginx_lets_nobody_look_inside(proxy: Proxy, service: Service) -> None:
    assert service.ask("/metrics")[0] == 200  # this machine needs no key
    for path in ("/metrics", "//metrics", "/%6detrics", "/./metrics", "/metrics?x"):
        status, _, said = proxy.ask("GET", path, X_API_Key="")
        assert status in (401, 404), path
        assert "penchant_requests" not in str(said)
    assert proxy.ask("GET", "/v1/status", X_API_Key="")[0] == 401


@needs_nginx
def test_what_nginx_answers_itself_is_a_problem_too(proxy: Proxy, tmp_path: Path) -> None:
    large = [{"user_id": "u", "item_id": ITEM, "event": "x", "text": "x" * 17_000_000}]
    status, headers, said = proxy.ask("POST", "/v1/events", large)
    assert (status, said["status"]) == (413, 413)
    assert said["instance"] == headers["x-request-id"]
    alone = Proxy(tmp_path, free_port())
    try:
        status, headers, said = alone.ask("GET", "/v1/recommend/somebody", X_Request_ID="mine")
        assert (status, said["status"], said["instance"]) == (503, 503, "mine")
        assert headers["content-type"] == "application/problem+json"
        assert int(headers["retry-after"]) > 0
    finally:
        alone.close()
    assert "somebody" not in (tmp_path / "penchant-error.log").read_text()


@needs_nginx
def test_a_service_without_keys_answers_nobody_through_nginx(tmp_path: Path) -> None:
    (tmp_path / "nginx").mkdir()
    with Service(filled(tmp_path / "shelf"), workers=1) as open_one:
        assert open_one.ask("/v1/status")[0] == 200
        through = Proxy(tmp_path / "nginx", open_one.address[1])
        try:
            status, _, said = through.ask("GET", "/v1/status")
            assert status == 403
            assert "penchant key" in said["detail"]
        finally:
            through.close()


def test_nginx_gives_as_much_as_the_service_does() -> None:
    text = (DEPLOY / "nginx.conf").read_text("utf-8")

    def said(name: str) -> list[int]:
        found = re.findall(rf"^\s*{name} (\d+)([sm])?;", text, re.M)
        return [int(number) * (2**20 if unit == "m" else 1) for number, unit in found]

    settings = HttpConfig()
    assert said("client_max_body_size") == [settings.body_bytes]
    assert said("client_body_timeout") == [int(settings.body_timeout)]
    assert said("client_header_timeout") == [int(accepting.HEADERS)]
    assert said("proxy_read_timeout")[0] > settings.load_timeout
    assert said("keepalive_timeout")[0] < worker.KEEP_ALIVE
    assert re.search(r"proxy_pass http://\w+;", text), "with a path nginx would decode %2F"
    assert "$request_uri" not in text.split("log_format")[1].split(";")[0]
