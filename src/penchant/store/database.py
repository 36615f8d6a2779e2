"""A database, SQLite or PostgreSQL: opened, read from every thread, written by one."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.elements import ClauseElement

from penchant.store.faults import StoreClosed, StoreError, StoreReadOnly, fault
from penchant.store.lock import FileLock
from penchant.store.writer import Writer

T = TypeVar("T")

# Any number will do; it must be the same in every process that writes to the database.
_ADVISORY = 0x70656E6368616E74

# Pages of 4 KiB in SQLite's write-ahead log before it is taken in.
_PAGES, _BULK_PAGES, _BULK_ROWS = 1000, 16_000, 5_000
# Seconds for which what nobody waits for is gathered. Explanations wait longer than that.
_LINGER = 0.1
_LARGE = 67_108_864  # bytes of it above which its file is made short again
# KiB, for each connection; every thread that reads has one. Only a load touches pages everywhere.
_READER_CACHE, _WRITER_CACHE, _BULK_CACHE = 4_096, 8_192, 262_144


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement compiled once: its text for the driver, and its parameters in order."""

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]


class Database:
    """Connections to one database. Reads run in the caller's thread, each statement on its own.

    Every thread has its own connection, in autocommit: a read sees all that was committed before
    it, and holds nothing open that would keep SQLite's write-ahead log from shrinking. `write`
    runs a job in the writer thread and returns once the commit is durable. Writers take turns, so
    that what they number becomes visible in order: in SQLite always, on PostgreSQL those of one
    `line`. `relaxed` gives up the last moments before a power cut (not before a crash of the
    process) for fewer syncs.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        read_only: bool = False,
        line: int = 0,
        relaxed: bool = False,
    ) -> None:
        try:
            self.url = make_url(url)
            self.dialect = self.url.get_backend_name()
        except ArgumentError as error:
            raise StoreError(
                f"expected the URL of a database (postgresql://user@host/name), got {url!r}"
            ) from error
        self.read_only = read_only
        self.name = self.url.render_as_string(hide_password=True)
        self.rolled_back: list[Callable[[], None]] = []
        self._turn, self._relaxed = _ADVISORY + line, relaxed
        self._process = os.getpid()
        self._closed = False
        self._local = threading.local()
        self._connections: list[tuple[threading.Thread, Connection]] = []
        self._guard = threading.Lock()
        self._writer: Writer | None = None
        self._lock: FileLock | None = None
        if self.file is not None and not read_only:
            self._lock = FileLock(self.file.with_suffix(".lock"))
        self._made = [False]  # a list: the engine must not hold this
        self._engine = self._open()
        if self._lock is not None:
            # The mode stays in the file. Two who change it at once would not wait for each other.
            try:
                with self._lock.held(), self.connect() as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                self._made[0] = True
            except Exception as error:
                self._lock.close()
                raise fault(error, self.name) from error

    @property
    def file(self) -> Path | None:
        """Return the path of an SQLite file, None for a server."""
        return Path(self.url.database or "") if self.dialect == "sqlite" else None

    @property
    def waiting(self) -> int:
        """Return how many writes are on their way to disk."""
        writer = self._writer
        return 0 if writer is None else writer.waiting

    def prepare(self, statement: ClauseElement) -> Prepared:
        """Return the statement compiled for this database, for `tuples` and `insert`."""
        compiled: Any = statement.compile(dialect=self._engine.dialect)
        return Prepared(str(compiled), tuple(compiled.positiontup or ()), compiled.params)

    def rows(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Return all rows of one statement."""
        return self._read(lambda connection: connection.execute(statement, parameters).fetchall())

    def tuples(self, statement: Prepared, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows as the driver gives them, without any conversion.

        For the few reads on the path of every request: it takes half the time of `rows`.
        """

        given = {**statement.constants, **parameters}
        values = tuple(given[name] for name in statement.names)

        def read(connection: Connection) -> list[tuple[Any, ...]]:
            cursor = connection.connection.cursor()
            try:
                cursor.execute(statement.text, values)
                return list(cursor.fetchall())
            finally:
                cursor.close()

        return self._read(read)

    def write(self, job: Callable[[Connection], T], rows: int = 1) -> T:
        """Return the job's answer once its transaction is durable; raises if it was taken back."""
        return self.wait(self.submit(job, rows, soon=True))

    def wait(self, future: Future[T]) -> T:
        """Return what a submitted job answered, or raise what went wrong."""
        try:
            return future.result()
        except (SQLAlchemyError, OSError) as error:
            raise fault(error, self.name) from error

    def submit(
        self, job: Callable[[Connection], T], rows: int = 1, *, soon: bool = False
    ) -> Future[T]:
        """Return the future of the job's answer; `rows` says how large it is.

        What is `relaxed` waits a moment for more to write, but for what is wanted `soon`.
        """
        self.check()
        if self.read_only:
            raise StoreReadOnly(f"the store at {self.name} was opened to read; open it to write")
        with self._guard:
            if self._writer is None:
                self._writer = self._start()
        try:
            return self._writer.submit(job, rows, soon=soon)
        except RuntimeError as error:
            raise StoreClosed(f"the store at {self.name} is closed; open it again") from error

    def check(self) -> None:
        """Raise when the store is closed, or this process is a fork of the one that opened it."""
        if os.getpid() != self._process:
            raise StoreClosed(
                f"the store at {self.name} was opened by the process that this one was forked "
                "from; open it again in this process"
            )
        if self._closed:
            raise StoreClosed(f"the store at {self.name} is closed; open it again")

    def connect(self) -> Connection:
        """Return a fresh connection in autocommit, which the caller closes."""
        self.check()
        try:
            return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except SQLAlchemyError as error:
            raise fault(error, self.name) from error

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Give a connection inside one transaction that no writer of any process runs beside."""
        try:
            with self._locked(), self._engine.connect() as connection, connection.begin():
                self._begin(connection, 0)
                yield connection
        except SQLAlchemyError as error:
            raise fault(error, self.name) from error

    def settle(self, *, thorough: bool = False) -> int:
        """Return the bytes of SQLite's write-ahead log after it was taken in; 0 on a server.

        Writers are kept waiting only where it has grown large, to make its file short again, and
        where `thorough` also refreshes what the planner knows of the tables.
        """
        if self.file is None or self.read_only:
            return 0
        log = self.file.with_name(f"{self.file.name}-wal")
        try:
            with self.connect() as connection:
                connection.exec_driver_sql("PRAGMA busy_timeout=100")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                if log.exists() and log.stat().st_size > _LARGE:
                    with self._locked():
                        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if thorough:
                    with self._locked():
                        connection.exec_driver_sql("PRAGMA analysis_limit=400")
                        connection.exec_driver_sql("PRAGMA optimize=0x10002").fetchall()
            return log.stat().st_size if log.exists() else 0
        except (SQLAlchemyError, OSError) as error:
            raise fault(error, self.name) from error

    def close(self) -> None:
        """Write what waits, then close every connection."""
        if self._closed or os.getpid() != self._process:
            return
        self._closed = True
        if self._writer is not None:
            self._writer.close()
        with self._guard:
            connections, self._connections = self._connections, []
        for _, connection in connections:
            with suppress(SQLAlchemyError):
                connection.close()
        if self._lock is not None:
            self._lock.close()
        self._engine.dispose()

    def _open(self) -> Engine:
        if self.dialect == "sqlite":
            url = self.url
            if self.read_only:
                url = _reading(Path(self.url.database or "").resolve())
            engine = create_engine(
                url,
                poolclass=NullPool,
                connect_args={
                    "check_same_thread": False,
                    "isolation_level": None,
                    "timeout": 60,
                    "cached_statements": 256,
                },
            )
            made, path = self._made, Path(self.url.database or "").absolute()

            def again(_: object, __: object, given: list[Any], named: dict[str, Any]) -> None:
                # Where the file has gone since, no other is to be begun in its place.
                if made[0]:
                    given[0], named["uri"] = f"{path.as_uri()}?mode=rw", True

            event.listen(engine, "do_connect", again)
            synchronous = "NORMAL" if self._relaxed else "FULL"
            event.listen(
                engine, "connect", lambda raw, _: _set_up(raw, synchronous, self.read_only)
            )
            return engine
        if self.dialect == "postgresql":
            try:
                return create_engine(
                    self.url.set(drivername="postgresql+psycopg"),
                    poolclass=NullPool,
                    paramstyle="format",
                )
            except ImportError as error:
                raise StoreError(
                    "PostgreSQL needs the driver psycopg; pip install 'penchant[postgres]'"
                ) from error
        raise StoreError(
            f"expected a URL of sqlite or postgresql, got {self.dialect!r}; nothing else is spoken"
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        with self._lock.held():
            yield

    def _begin(self, connection: Connection, rows: int) -> None:
        if self.dialect == "sqlite":
            # Taking the write-ahead log in after each piece of a bulk load writes every page of
            # the indexes again and again; after single events it keeps the log short.
            bulk = rows >= _BULK_ROWS
            if connection.info.get("bulk") is not bulk:
                pages, cache = (_BULK_PAGES, _BULK_CACHE) if bulk else (_PAGES, _WRITER_CACHE)
                connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={pages}")
                connection.exec_driver_sql(f"PRAGMA cache_size=-{cache}")
                if not bulk:
                    connection.exec_driver_sql("PRAGMA shrink_memory")
                connection.info["bulk"] = bulk
            # The driver is in autocommit; IMMEDIATE takes the write lock now rather than midway.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (self._turn,))

    def _start(self) -> Writer:
        writer = Writer(
            name=f"penchant-writer-{self.dialect}",
            connect=self._engine.connect,
            locked=self._locked,
            begin=self._begin,
            rolled_back=self._tell,
            linger=_LINGER if self._relaxed else 0.0,
        )
        weakref.finalize(self, _end, writer, self._process)
        return writer

    def _tell(self) -> None:
        for told in self.rolled_back:
            told()

    def _read(self, read: Callable[[Connection], T]) -> T:
        self.check()
        for last in (False, True):
            connection = self._reader()
            try:
                return read(connection)
            except Exception as error:
                driver: Any = self._engine.dialect.loaded_dbapi
                if isinstance(error, DBAPIError):
                    lost = error.connection_invalidated
                elif isinstance(error, driver.Error):
                    lost = self._engine.dialect.is_disconnect(
                        error, connection.connection.dbapi_connection, None
                    )
                else:
                    raise
                self._drop_reader()
                # A server that was restarted: nothing was read, so it is safe to ask again.
                if last or not lost:
                    raise fault(error, self.name) from error
        raise AssertionError("unreachable")

    def _reader(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            return connection
        connection = self.connect()
        with self._guard:
            gone = [c for thread, c in self._connections if not thread.is_alive()]
            self._connections = [p for p in self._connections if p[0].is_alive()]
            self._connections.append((threading.current_thread(), connection))
        for old in gone:
            old.close()
        self._local.connection = connection
        return connection

    def _drop_reader(self) -> None:
        connection: Connection = self._local.connection
        self._local.connection = None
        with self._guard:
            self._connections = [p for p in self._connections if p[1] is not connection]
        with suppress(SQLAlchemyError):
            connection.invalidate()
            connection.close()


def _reading(path: Path) -> URL:
    query = {"mode": "ro", "uri": "true"}
    log = path.with_name(f"{path.name}-wal")
    if not os.access(path.parent, os.W_OK) and not (log.exists() and log.stat().st_size):
        # Even readers share a file beside the database. Where it cannot be made, nobody writes
        # either (or the log would be there), so the file is as good as read-only itself.
        query["immutable"] = "1"
    return URL.create("sqlite", database=path.as_uri(), query=query)


def _end(writer: Writer, process: int) -> None:
    # At the end of a program that did not close; a forked child has no such thread.
    if os.getpid() == process:
        writer.close()


def _set_up(raw: Any, synchronous: str, read_only: bool) -> None:
    cursor = raw.cursor()
    cursor.execute("PRAGMA busy_timeout=60000")
    if not read_only:
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        # On macOS a plain fsync leaves the data in the cache of the drive; elsewhere a no-op.
        cursor.execute(f"PRAGMA fullfsync={int(synchronous == 'FULL')}")
        # What was forgotten is overwritten, not merely unlinked.
        cursor.execute("PRAGMA secure_delete=ON")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.execute(f"PRAGMA cache_size=-{_READER_CACHE}")
    cursor.close()
