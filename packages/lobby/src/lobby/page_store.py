"""What the page keeps for itself: who was let in, used one-time codes, and sign-ons under way. A database of its own.

Every account's page is the same page, so none of it lies with an account.
"""

import contextlib
import logging
from collections.abc import Iterator

from lobby.database import Database, Shape
from lobby.home import Home
from lobby.ui.sessions import SignOn

log = logging.getLogger("lobby")

PAGE = Shape(
    1,
    """
CREATE TABLE page_sessions (hash TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE nonces (nonce TEXT PRIMARY KEY, until REAL NOT NULL);
CREATE TABLE sign_ons (
    state TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    homeserver TEXT NOT NULL,
    cleartext TEXT NOT NULL,
    account INTEGER,
    until REAL NOT NULL
);
""",
    {},
    "What Lobby keeps of its page was damaged. It was put aside as {aside}; open the page anew: run `lobby`.",
)


class PageStore:
    """Implements ``lobby.ui.sessions.SessionStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def page_session_add(self, hash: str, at: float) -> None:
        with self._db.transaction() as db:
            db.execute("INSERT OR REPLACE INTO page_sessions VALUES (?, ?)", (hash, at))

    def page_session_at(self, hash: str) -> float | None:
        row = self._db.row("SELECT at FROM page_sessions WHERE hash = ?", hash)
        return float(row["at"]) if row else None

    def page_session_drop_until(self, at: float) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM page_sessions WHERE at <= ?", (at,))

    def page_session_drop_all(self) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM page_sessions")

    def nonce_use(self, nonce: str, until: float) -> bool:
        """Remember that a one-time code was used; False: it had been used before. Long expired ones are forgotten."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM nonces WHERE until < ?", (until - 3600.0,))
            return db.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, until)).rowcount == 1

    def sign_on_begin(self, state: str, sign_on: SignOn, now: float) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM sign_ons WHERE until <= ?", (now,))
            db.execute(
                "INSERT INTO sign_ons VALUES (?, ?, ?, ?, ?, ?)",
                (state, sign_on.session, sign_on.homeserver, sign_on.cleartext, sign_on.account, sign_on.until),
            )

    def sign_on_end(self, state: str) -> SignOn | None:
        with self._db.transaction() as db:
            row = db.execute("SELECT * FROM sign_ons WHERE state = ?", (state,)).fetchone()
            db.execute("DELETE FROM sign_ons WHERE state = ?", (state,))
        if row is None:
            return None
        return SignOn(row["session"], row["homeserver"], row["cleartext"], row["account"], row["until"])


@contextlib.contextmanager
def page_database(home: Home) -> Iterator[Database]:
    """The page's database of that folder, open. Raises LobbyError."""
    database = Database(home.page_database, PAGE)
    if database.trouble:
        log.warning("%s", database.trouble)
    try:
        yield database
    finally:
        database.close()
