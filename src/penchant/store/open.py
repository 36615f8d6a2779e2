"""Opening a store: one directory that holds the log, the catalogue, people and what was learned."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from sqlalchemy import URL

from penchant.store import schema
from penchant.store.database import Database
from penchant.store.events import EventLog
from penchant.store.expansions import Expansions
from penchant.store.faults import StoreError, StoreReadOnly
from penchant.store.impressions import Impressions
from penchant.store.items import ItemTable
from penchant.store.migrate import migrate
from penchant.store.numbering import Numbering
from penchant.store.place import as_path, prepare
from penchant.store.quarantine import Quarantine
from penchant.store.retraction import Retractions
from penchant.store.said import Said
from penchant.store.settings import FILE, Settings
from penchant.store.snapshots import CURRENT, Snapshots
from penchant.store.tail import Follower, Position, Tail
from penchant.store.users import UserTable

LOG_FILE = "penchant.db"
IMPRESSIONS_FILE = "impressions.db"
SNAPSHOTS = "snapshots"


class Store:
    """Everything a recommender keeps, as parts that know nothing of recommending."""

    def __init__(self, directory: Path, url: str | None, read_only: bool) -> None:
        prepare(directory, read_only=read_only, local=url is None)
        self.directory = directory
        self.read_only = read_only
        self.settings = Settings(directory / FILE)
        self.snapshots = Snapshots(directory / SNAPSHOTS, read_only=read_only)
        opened: list[Database] = []
        try:
            for name in (LOG_FILE, IMPRESSIONS_FILE):
                opened.append(self._database(url, name))
                migrate(opened[-1])
        except BaseException:
            for database in opened:
                database.close()
            raise
        main, shown = self.databases = (opened[0], opened[1])
        users = Numbering(main, schema.users, schema.users.c.user_id)
        items = Numbering(main, schema.items, schema.items.c.item_id)
        self.impressions = Impressions(shown)
        self.expansions = Expansions(shown)
        retractions = Retractions(main, self.impressions, self.expansions)
        self.log = EventLog(main, users, items, retractions)
        self.catalogue = ItemTable(main, items)
        self.people = UserTable(main, users, retractions)
        self.quarantine = Quarantine(main)
        self.said = Said(main)
        self._follower = Follower(main, self.log, self.catalogue, directory / SNAPSHOTS / CURRENT)

    def check(self, *, writing: bool = False) -> None:
        """Raise when the store is closed, used after a fork or, `writing`, was opened to read."""
        self.databases[0].check()
        if writing and self.read_only:
            raise StoreReadOnly(f"{self.directory} was opened to read; open it to write")

    def moved(self, position: Position | None = None) -> bool:
        """Return whether anything was written since `position`, or since the last `tail`."""
        return self._follower.moved(position)

    def tail(self, position: Position) -> Tail:
        """Return what is new since `position` (`Position()`: everything), and where that ends."""
        return self._follower.tail(position)

    def close(self) -> None:
        """Write what waits and close everything; closing twice is allowed."""
        self._follower.close()
        for database in self.databases:
            database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _database(self, url: str | None, name: str) -> Database:
        path = self.directory / name
        if url is None and self.read_only and not path.exists():
            raise StoreError(f"{self.directory} is not a store yet: {name} is missing")
        # Neither waits for the other, and only the log must outlive a power cut whole.
        shown = name == IMPRESSIONS_FILE
        return Database(
            url if url is not None else URL.create("sqlite", database=str(path)),
            read_only=self.read_only,
            line=int(shown),
            relaxed=shown,
        )


def open_store(directory: str | Path, url: str | None = None, *, read_only: bool = False) -> Store:
    """Return the store in `directory`, made if it is missing, upgraded if an older version made it.

    With `url` (postgresql://...) the tables lie in that database, snapshots and settings in the
    directory. `read_only` promises to write nothing.
    """
    return Store(as_path(directory, "the directory of a store").absolute(), url, read_only)
