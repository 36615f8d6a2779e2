"""Stores for the conformance suites: SQLite in a directory, and a PostgreSQL started here."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penchant.store.open import Store, open_store


def postgres_binaries() -> Path | None:
    """The newest installed server, wherever distributions put it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a running server, `{}` in the place of the database's name."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed")
    # The path of a socket is at most about a hundred bytes, so not under pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user: str | None = None
    if os.geteuid() == 0:
        # The server refuses to run as root.
        names = [entry.pw_name for entry in pwd.getpwall()]
        user = "postgres" if "postgres" in names else "nobody"
        shutil.chown(folder, user)
    data = folder / "data"

    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    url = f"postgresql://penchant@/{{}}?host={folder}"
    try:
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "penchant", "-A", "trust", "-E", "UTF8",
             "--no-sync"],
            user=user, cwd="/", env=environment, check=True, capture_output=True,
        )  # fmt: skip
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=",
             "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"],
            user=user, cwd="/", env=environment, preexec_fn=_die_with_us,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for _ in range(300):
                try:
                    psycopg.connect(url.format("postgres")).close()
                    break
                except psycopg.OperationalError:
                    assert server.poll() is None, "the server did not start"
                    time.sleep(0.1)
            yield url
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _die_with_us() -> None:
    # A test run that is killed must not leave a server behind; elsewhere than on Linux it may.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, int(signal.SIGQUIT))


@pytest.fixture(scope="session")
def fresh_database(postgres: str) -> Callable[[], str]:
    """Makes an empty database and returns its URL."""
    import psycopg

    numbers = itertools.count()

    def make() -> str:
        name = f"store_{next(numbers)}"
        with psycopg.connect(postgres.format("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgres.format(name)

    return make


class Place:
    """Where one test keeps its store: a directory, and for PostgreSQL a database."""

    def __init__(self, kind: str, directory: Path, url: str | None) -> None:
        self.kind, self.directory, self.url = kind, directory, url
        self.opened: list[Store] = []

    def open(self, *, read_only: bool = False) -> Store:
        """Open the store once more; it is closed after the test."""
        store = open_store(self.directory, self.url, read_only=read_only)
        self.opened.append(store)
        return store


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("fresh_database")()
    place = Place(request.param, tmp_path / "store", url)
    yield place
    for store in place.opened:
        store.close()


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()
