"""A real nginx with the file of deploy/, for tests."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from serve.service.running import eventually

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KEY = "a-key-of-these-tests"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Proxy:
    """nginx with the file of deploy/, on a free port, before the service at another."""

    def __init__(self, folder: Path, behind: int) -> None:
        self.folder, self.port = folder, free_port()
        text = (DEPLOY / "nginx.conf").read_text("utf-8")
        for said, here in (
            ("listen 80;", f"listen 127.0.0.1:{self.port};"),
            ("server 127.0.0.1:8080;", f"server 127.0.0.1:{behind};"),
            ("/var/log/nginx/", f"{folder}/"),
        ):
            assert said in text
            text = text.replace(said, here)
        (folder / "penchant.conf").write_text(text)
        scratch = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in scratch)
        whole = f"pid {folder}/pid;\nerror_log {folder}/error.log;\nworker_processes 1;\n"
        whole += "user root;\n" if os.getuid() == 0 else ""
        whole += f"events {{}}\nhttp {{\n{temporary}include {folder}/penchant.conf;\n}}\n"
        (folder / "nginx.conf").write_text(whole)
        command = [str(NGINX), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
        tested = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=60)
        assert tested.returncode == 0, tested.stderr
        self.process = subprocess.Popen([*command, "-g", "daemon off;"])
        eventually(self.listens)

    def listens(self) -> bool:
        with closing(socket.socket()) as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and what was answered."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as one:
            content = None if body is None else json.dumps(body)
            given = {"X-API-Key": KEY, **{k.replace("_", "-"): v for k, v in headers.items()}}
            one.request(method, path, content, given)
            answer = one.getresponse()
            read = answer.read()
            kind = answer.headers.get("Content-Type", "")
            said = json.loads(read) if "json" in kind else read.decode()
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, said

    def close(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)
