"""The desk's store over real files: durable, all or nothing, broken and full disks said clearly."""

import contextlib
import os
import random
import re
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frontdesk.agent.core.effects import KeepReceipt, KeepTaskReceipt, Save
from frontdesk.agent.shell import store as store_file
from frontdesk.agent.shell.store import Store, StoreFailed
from frontdesk.terms import Receipt, StopReason, TaskEnd, TaskKind, TaskReceipt
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import frame

DAY = 86400.0
ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from frontdesk.agent.core.effects import Save
from frontdesk.agent.shell.store import Store, StoreFailed
file = Path(sys.argv[1])
store = Store(file, 1.0)
store.commit([Save("m", "before", b"kept")], [])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
# No file may grow any more: to a program the same as a disk that is full.
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
big = Save("m", "big", bytes(300_000))
try:
    store.commit([big], [])
except StoreFailed as error:
    print(error)
assert dict((key, value) for _, key, value in store.saved()) == {"before": b"kept"}
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.commit([big], [])
print(sorted(key for _, key, _ in store.saved()))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk.sqlite3"


def kept(file: Path) -> dict[tuple[str, str], bytes]:
    store = Store(file, DAY)
    try:
        return {(machine, key): value for machine, key, value in store.saved()}
    finally:
        store.close()


def receipt(at: float, app: str = "org.example.app") -> Receipt:
    return Receipt(app, StopReason.EXITED, at, "It ended by itself.")


@pytest.mark.contract("L05", "X02")
def test_no_app_fills_the_disk_with_receipts_nor_loses_those_of_another(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "MOST_OF_ONE_APP", 10)
    store = Store(file, DAY)
    store.commit([], [KeepReceipt(receipt(5.0, "org.example.quiet"))])
    for beginning in range(0, 100, 20):
        store.commit([], [KeepReceipt(receipt(beginning + each)) for each in range(20)])
    assert [each.at for each in store.receipts("org.example.app", 0.0)] == [99.0 - each for each in range(10)]
    assert len(store.receipts("org.example.quiet", 0.0)) == 1
    store.close()
    with contextlib.closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT count(*) FROM receipts").fetchone() == (11,)


def test_what_was_committed_is_there_again(file: Path) -> None:
    store = Store(file, DAY)
    store.commit([Save("m", "a", b"1"), Save("m", "b", b"2"), Save("n", "a", b"3")], [])
    store.commit([Save("m", "a", b"4"), Save("m", "b", None), Save("m", "never", None)], [])
    store.close()
    assert kept(file) == {("m", "a"): b"4", ("n", "a"): b"3"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.contract("L06")
def test_commit_outlives_the_process_that_made_it(file: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from frontdesk.agent.core.effects import Save\nfrom frontdesk.agent.shell.store import Store\n"
        "store = Store(Path(sys.argv[1]), 1.0)\nstore.commit([Save('m', 'a', b'1')], [])\nos.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(file)]).returncode == -9
    assert kept(file) == {("m", "a"): b"1"}


def holding(file: Path, words: bytes) -> list[str]:
    return [each.name for each in file.parent.iterdir() if words in each.read_bytes()]


def test_what_was_deleted_is_in_no_file_any_more(file: Path) -> None:
    store = Store(file, DAY)
    store.commit([Save("m", "stays", b"something else"), Save("m", "goes", b"are you coming?")], [])
    store.commit([Save("m", "goes", b"are you coming? Twice.")], [])
    assert holding(file, b"are you coming?"), "it was never written"
    assert not store.traces
    store.commit([Save("m", "goes", None)], [])
    assert store.traces
    store.empty_log()
    assert not store.traces and not holding(file, b"are you coming?")
    store.close()
    assert kept(file) == {("m", "stays"): b"something else"}


def test_the_next_start_finds_what_a_deletion_left_in_a_page(file: Path) -> None:
    """Rows of many lengths that come and go in any order have SQLite fill its pages anew, and leave copies behind."""
    dice, store, there, written = random.Random(37), Store(file, DAY), dict[str, bytes](), 0
    for _ in range(150):
        saves = {}
        for _ in range(dice.randint(1, 6)):
            key, written = f"k{dice.randint(0, 60)}", written + 1
            word = b"<%06d>" % written
            value = word * dice.choice([1, 3, 20, 200, 900]) if dice.random() < 0.6 else None
            saves[key] = Save("m", key, value)
        store.commit(list(saves.values()), [])
        there |= {key: save.value[:8] if save.value else b"" for key, save in saves.items()}
    store.close()
    Store(file, DAY).close()
    found = set(re.findall(rb"<\d{6}>", file.read_bytes()))
    assert found == set(there.values()) - {b""}


def test_what_a_killed_desk_deleted_goes_with_the_next(file: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from frontdesk.agent.core.effects import Save\nfrom frontdesk.agent.shell.store import Store\n"
        "store = Store(Path(sys.argv[1]), 1.0)\nstore.commit([Save('m', 'a', b'are you coming?')], [])\n"
        "store.commit([Save('m', 'a', None)], [])\nos.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(file)]).returncode == -9
    assert holding(file, b"are you coming?")
    store = Store(file, DAY)
    assert not holding(file, b"are you coming?")
    store.close()


def test_nobody_waits_for_a_program_that_reads_the_file(file: Path) -> None:
    store = Store(file, DAY)
    store.commit([Save("m", "goes", b"are you coming?")], [])
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM kept").fetchone() == (1,)
    begun = time.monotonic()
    store.commit([Save("m", "goes", None)], [])
    store.empty_log()
    assert time.monotonic() - begun < 1.0
    assert store.traces and holding(file, b"are you coming?")
    reader.close()
    store.empty_log()
    assert not store.traces and not holding(file, b"are you coming?")
    # A commit does wait for a program that writes: the time it has for that is as it was.
    assert store._db.execute("PRAGMA busy_timeout").fetchone() == (2000,)
    store.close()


@pytest.mark.contract("L05")
def test_receipts_newest_first_and_only_as_long_as_they_are_kept(file: Path) -> None:
    store = Store(file, 30 * DAY)
    store.commit([], [KeepReceipt(receipt(1.0)), KeepReceipt(receipt(2.0)), KeepReceipt(receipt(3.0, "org.example.b"))])
    assert [each.at for each in store.receipts("org.example.app", 0.0)] == [2.0, 1.0]
    assert [each.at for each in store.receipts("org.example.app", 1.5)] == [2.0]
    store.commit([], [KeepReceipt(receipt(2.0 + 30 * DAY))])
    assert [each.at for each in store.receipts("org.example.app", 0.0)] == [2.0 + 30 * DAY, 2.0]
    store.close()


@pytest.mark.contract("L05")
def test_receipts_of_scheduled_tasks_are_kept_as_long_beside_them(file: Path) -> None:
    def of_task(at: float, app: str = "org.example.app") -> KeepTaskReceipt:
        return KeepTaskReceipt(TaskReceipt(app, "fresh", TaskKind.REFRESH, TaskEnd.TIME_OVER, at, "Its time was over."))

    store = Store(file, 30 * DAY)
    store.commit([], [of_task(1.0), KeepReceipt(receipt(1.0)), of_task(2.0), of_task(3.0, "org.example.b")])
    store.close()
    store = Store(file, 30 * DAY)
    assert [each.at for each in store.task_receipts("org.example.app", 0.0)] == [2.0, 1.0]
    assert [each.at for each in store.receipts("org.example.app", 0.0)] == [1.0]
    store.commit([], [of_task(2.0 + 30 * DAY)])
    assert [each.at for each in store.task_receipts("org.example.app", 0.0)] == [2.0 + 30 * DAY, 2.0]
    assert store.task_receipts("org.example.app", 3.0)[0].end is TaskEnd.TIME_OVER
    store.close()


@pytest.mark.parametrize("what", ["text", "a page in the middle", "a page near the end", "header only"])
def test_a_broken_database_is_moved_aside_and_said(file: Path, what: str) -> None:
    store = Store(file, DAY)
    receipts = [KeepReceipt(receipt(float(number))) for number in range(500)]
    store.commit([Save("m", str(number), bytes(2000)) for number in range(50)], receipts)
    store.close()
    content = bytearray(file.read_bytes())
    match what:
        case "text":
            content = bytearray(b"this is no database at all, " * 1000)
        case "a page in the middle":
            content[4096:20480] = os.urandom(16384)
        case "a page near the end":
            content[-8192:-4096] = os.urandom(4096)
        case "header only":
            content[20:] = b"\xff" * (len(content) - 20)
    file.write_bytes(content)
    store = Store(file, DAY)
    assert "broken" in store.trouble and "moved to" in store.trouble
    assert list(store.saved()) == []
    store.commit([Save("m", "new", b"1")], [])
    store.close()
    (aside,) = file.parent.glob("*.broken-*")
    assert aside.read_bytes()[4096:] == bytes(content[4096:])  # SQLite counts its attempts in the first page
    assert kept(file) == {("m", "new"): b"1"}


def test_a_database_of_a_newer_version_is_left_alone(file: Path) -> None:
    Store(file, DAY).close()
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreFailed, match="newer frontdesk"):
        Store(file, DAY)
    assert file.exists() and not list(file.parent.glob("*.broken-*"))


def test_a_folder_in_its_place_is_said(file: Path) -> None:
    file.mkdir()
    with pytest.raises(StoreFailed, match=r"cannot be opened .* rights"):
        Store(file, DAY)


def test_a_full_disk_keeps_what_was_and_all_or_nothing_of_what_comes(file: Path) -> None:
    done = subprocess.run([sys.executable, "-c", ON_A_FULL_DISK, str(file)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    said, after = done.stdout.splitlines()
    assert "cannot write" in said and "nothing new is accepted" in said
    assert after == "['before', 'big']"


def test_a_locked_database_fails_and_can_be_written_later(file: Path) -> None:
    store = Store(file, DAY)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="locked"):
        store.commit([Save("m", "a", b"1")], [])
    other.execute("ROLLBACK")
    other.close()
    store.commit([Save("m", "a", b"1")], [])
    store.close()
    assert kept(file) == {("m", "a"): b"1"}


@pytest.mark.contract("L05")
def test_a_month_of_receipts_fits_into_one_answer_newest_first(file: Path) -> None:
    store = Store(file, 30 * DAY)
    text = "It had slept for 600 s. Open it, or let a push wake it, and it is as before."
    many = [Receipt("a.b", StopReason.SUSPENDED_LONG, float(at), text, pid=at) for at in range(10_000)]
    store.commit([], [KeepReceipt(receipt) for receipt in many])
    found = store.receipts("a.b", 0.0)
    store.close()
    assert found == tuple(reversed(many[-len(found) :])) and len(found) > 1000
    frame(wire.encode(wire.ReceiptsAre(1, found)))
