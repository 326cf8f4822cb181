"""Upkeep of what is kept: the search index and the database files, in short steps; between two it can be broken off."""

import asyncio
from collections.abc import Iterator
from typing import Protocol

from lobby.database import Database
from lobby.search_index import SearchIndex

PAGES = 100
"""Free pages (4 KiB each) that one step cuts off."""

WORTH_IT = 256
"""Free pages (1 MiB) that are left for what comes next."""

COMPACT_MOST = 16384
"""Pages (64 MiB) of a file that is written anew as a whole: nothing can break that off, and 5 s are all there is."""


class Databases(Protocol):
    """The accounts' databases, by number."""

    def numbers(self) -> list[int]:
        """Of the accounts there are now."""

    def database(self, number: int) -> Database | None:
        """None: that account is gone."""


async def look_after(databases: Databases) -> None:
    """All of it for every account; whatever was done when it is cancelled stays done.

    Raises LobbyError: something could not be written or read, and the rest of it is left for another time.
    """
    for number in databases.numbers():
        database = databases.database(number)
        if database is None:
            continue
        for _ in steps(database):
            # Pushes and pages go on meanwhile; and whoever logs out closes and removes the file.
            await asyncio.sleep(0)
            if databases.database(number) is not database:
                break


def steps(database: Database) -> Iterator[None]:
    """The upkeep of one database; each step is a transaction of its own. Raises LobbyError."""
    index = SearchIndex(database)
    while index.add():
        yield
    begin = True
    while index.merge(begin):
        begin = False
        yield
    if not database.shrinks() and database.pages() <= COMPACT_MOST:
        database.compact()
        yield
    while database.free_pages() > WORTH_IT:
        database.give_back(PAGES)
        yield
    database.learn()
