"""The search index of one account's messages: filled in steps, asked by the page. Its tables: ``database.SEARCH``.

Messages are not indexed as they come, since each may have woken Lobby for it: they wait until the machine is not used
(``upkeep``), or until somebody searches.
"""

import sqlite3
from collections.abc import Sequence

from lobby.core.timeline import KeptEvent
from lobby.database import Database
from lobby.intake import kept_event

STEP = 500
"""Messages that are indexed in one transaction: a few hundredths of a second."""

STEPS_WHILE_ASKED = 6
"""Steps before a search is answered, so that nobody waits for it."""

MERGED_PAGES = 200
"""About how much of the index one step of ``merge`` writes anew."""


class SearchIndex:
    """Use: ``add`` until nothing is ``waiting``, ``find``; now and then ``merge``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def waiting(self) -> int:
        """How many messages are not in the index yet."""
        row = self._db.row("SELECT count(*) FROM unindexed")
        return int(row[0]) if row else 0

    def add(self, most: int = STEP) -> int:
        """Index so many of the messages that wait, in one transaction; returns how many those were. Raises NotKept."""
        with self._db.transaction() as db:
            # CROSS: in this order. SQLite believes that a table of which it knows nothing is long, and goes through all
            # events instead.
            rows = db.execute(
                "SELECT event_id, text FROM unindexed CROSS JOIN events USING (event_id) LIMIT ?", (most,)
            ).fetchall()
            for event_id, text in rows:
                number = db.execute("INSERT INTO indexed (event_id) VALUES (?)", (event_id,)).lastrowid
                db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, text))
                db.execute("DELETE FROM unindexed WHERE event_id = ?", (event_id,))
        return len(rows)

    def catch_up(self) -> int:
        """Index what waits, if that is quickly done; returns how many messages still wait. Raises NotKept."""
        for _ in range(STEPS_WHILE_ASKED):
            if self.add() < STEP:
                return 0
        return self.waiting()

    def find(self, asked: str, most: int) -> Sequence[KeptEvent]:
        """The newest ``most`` indexed messages that answer this ``search.question``, which asks for something."""
        rows = self._db.rows(
            "SELECT events.* FROM words JOIN indexed ON indexed.number = words.rowid JOIN events USING (event_id) "
            "JOIN rooms ON rooms.room_id = events.room_id AND NOT rooms.space "
            "WHERE words MATCH ? ORDER BY events.at DESC, events.place DESC LIMIT ?",
            asked, most,
        )  # fmt: skip
        return [kept_event(row) for row in rows]

    def merge(self, begin: bool) -> bool:
        """One step of writing the index as one piece, without the words of what was deleted; False: it was the last.

        ``begin``: the first one. Raises NotKept.
        """
        with self._db.transaction() as db:
            before = db.total_changes
            # A negative number begins with all there is (SQLite FTS5, "The 'merge' command").
            pages = -MERGED_PAGES if begin else MERGED_PAGES
            db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
            return db.total_changes - before >= 2


def forget_all(db: sqlite3.Connection) -> None:
    """No word is left in the index, as part of a transaction that deletes all events next."""
    # One by one they would only be marked as deleted there, until the next upkeep.
    db.execute("INSERT INTO words (words) VALUES ('delete-all')")
    db.execute("DELETE FROM indexed")
    db.execute("DELETE FROM unindexed")
