"""What the page keeps for itself: who was let in, and which one-time codes were used."""

from pathlib import Path

from lobby.database import Database
from lobby.page_store import PAGE, PageStore


def test_page_sessions_and_nonces(tmp_path: Path) -> None:
    database = Database(tmp_path / "page.sqlite3", PAGE)
    store = PageStore(database)
    store.page_session_add("h1", 1.0)
    assert store.page_session_at("h1") == 1.0 and store.page_session_at("h2") is None
    store.page_session_add("h1", 5.0)
    store.page_session_add("h3", 2.0)
    store.page_session_drop_until(2.0)
    assert store.page_session_at("h1") == 5.0 and store.page_session_at("h3") is None
    assert store.nonce_use("n1", 100.0)
    assert not store.nonce_use("n1", 100.0)
    store.page_session_drop_all()
    assert store.page_session_at("h1") is None
    database.close()
