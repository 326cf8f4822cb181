"""`lobby logout` of an account whose homeserver is away: what the person hears before, and what stays on the disk."""

import subprocess
import sys
from pathlib import Path

from demo.ports import LOOPBACK
from lobby.account_commands import why_lost
from lobby.core.outbox import Item
from lobby.core.timeline import Draft
from lobby.core.views import Backup, EncryptionState, Standing
from lobby.database import Database
from lobby.encryption.key_store import KeyStore, RoomKey
from lobby.encryption.recovery_store import RecoveryStore
from lobby.home import Home, Login
from lobby.store import Store

TOKEN, WORDS, KEY, SECRET = "token-of-left", "words never sent", "key-of-a-message", "secret-of-recovery"
ROOM, LEFT = "!room:test.localhost", "@left:test.localhost"


def lobby(folder: Path, *words: str) -> tuple[int, str, str]:
    """`lobby WORDS…` where no desk runs."""
    environment = {"PATH": "/usr/bin:/bin", "FRONTDESK_HOME": str(folder / "desk"), "LOBBY_HOME": str(folder / "lobby")}
    command = [sys.executable, "-m", "lobby.main", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def found(folder: Path) -> set[str]:
    """Which of the secrets are in any file there: rows, free pages, write-ahead logs."""
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return {secret for secret in (TOKEN, WORDS, KEY, SECRET) if secret.encode() in kept}


def test_of_what_a_log_out_loses_the_person_hears_before_and_nothing_of_it_stays(tmp_path: Path) -> None:
    account = Home(tmp_path / "lobby").account(1)
    account.keep_login(Login(f"http://{LOOPBACK}:9", LEFT, "DEVICE", TOKEN))
    database = Database(account.database)
    store = Store(database)
    store.add_room(ROOM, "Right", direct=True, encrypted=True)
    store.keep_draft(Draft(Item("txn", ROOM), WORDS, 0.0))
    keys = KeyStore(account.folder / "keys.sqlite3", LEFT, "DEVICE")
    keys.keep_room_key(RoomKey(ROOM, "session", "sender key", "fingerprint", (), LEFT, 0, KEY))
    recovery = RecoveryStore(account.folder / "recovery.sqlite3", LEFT)
    recovery.keep_secret("m.megolm_backup.v1", SECRET.encode())
    # As a Lobby that was killed leaves them: what was written last is in the write-ahead logs only.
    assert found(tmp_path) == {TOKEN, WORDS, KEY, SECRET}

    status, out, error = lobby(tmp_path, "logout")
    assert (status, out) == (1, "") and error.count("\n") == 1
    assert "One message has not been sent." in error and "may be on this computer only" in error and "--anyway" in error
    assert found(tmp_path) == {TOKEN, WORDS, KEY, SECRET}

    status, out, error = lobby(tmp_path, "logout", "--anyway")
    assert status == 0 and f"{LEFT} is logged out" in out and "could not be told" in error
    assert found(tmp_path) == set()
    for each in (recovery, keys, database):
        each.close()


def test_who_has_a_key_backup_is_not_told_to_open_it_but_to_let_it_be_fed() -> None:
    waiting = EncryptionState("DEVICE", "abcd", Standing.VERIFIED, Backup.IN_USE, not_backed_up=2, sealed=0)
    assert "Open Lobby for a moment first" in why_lost(waiting)
    locked = EncryptionState("DEVICE", "abcd", Standing.UNVERIFIED, Backup.LOCKED, not_backed_up=2, sealed=0)
    assert "Open the key backup on Lobby's page first" in why_lost(locked)
