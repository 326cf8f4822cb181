"""Files of keys: known files, another library's reading and writing, hostile ones."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nio.crypto import key_export

from lobby.core import key_file
from lobby.errors import KeysRefused

SALT, IV = bytes(range(16)), bytes(range(255, 239, -1))
SESSIONS = st.lists(st.dictionaries(st.text(max_size=10), st.text(max_size=40), max_size=4), max_size=5)

KNOWN = [
    (
        "password",
        "AXNhbHRzYWx0c2FsdHNhbHSIiIiIiIiIiIiIiIiIiIiIAAAACmIRUW2OjZ3L2l6j9h0lHlV3M2dx\ncissyYBxjsfsAndErh065A8=",
    ),
    (
        "betterpassword",
        "AW1vcmVzYWx0bW9yZXNhbHT//////////wAAAAAAAAAAAAAD6KyBpe1Niv5M5NPm4ZATsJo5nghk\n"
        "KYu63a0YQ5DRhUWEKk7CcMkrKnAUiZny",
    ),
]
"""Files that clients of others use in their tests; what they hold is text and no list of keys."""


def framed(data: bytes) -> bytes:
    return b"-----BEGIN MEGOLM SESSION DATA-----\n" + base64.b64encode(data) + b"\n-----END MEGOLM SESSION DATA-----\n"


@settings(deadline=None)
@given(SESSIONS, st.text(min_size=1, max_size=20))
def test_what_is_written_is_read(sessions: list[dict[str, str]], passphrase: str) -> None:
    file = key_file.write(sessions, passphrase, SALT, IV, rounds=2)
    assert key_file.read(file, passphrase) == sessions
    assert key_file.read(file.replace(b"\n", b"\r\n"), passphrase) == sessions
    with pytest.raises(KeysRefused, match="passphrase is wrong"):
        key_file.read(file, passphrase + "x")


@settings(deadline=None)
@given(SESSIONS, st.text(min_size=1, max_size=20, alphabet=st.characters(codec="ascii")))
def test_nio_reads_ours_and_we_read_nios(sessions: list[dict[str, str]], passphrase: str) -> None:
    ours = key_file.write(sessions, passphrase, SALT, IV, rounds=2).decode().strip()
    bare = "".join(ours.splitlines()[1:-1])
    assert json.loads(key_export.decrypt(bare, passphrase)) == sessions
    theirs = key_export.encrypt(json.dumps(sessions).encode(), passphrase, count=2)
    text = f"{key_export.HEADER}\n{theirs}\n{key_export.FOOTER}"
    assert key_file.read(text.encode(), passphrase) == sessions


@pytest.mark.parametrize(("passphrase", "inside"), KNOWN)
def test_known_files_open_with_their_passphrase(passphrase: str, inside: str) -> None:
    file = f"-----BEGIN MEGOLM SESSION DATA-----\n{inside}\n-----END MEGOLM SESSION DATA-----".encode()
    with pytest.raises(KeysRefused, match="What is in this file are no keys"):
        key_file.read(file, passphrase)
    with pytest.raises(KeysRefused, match="passphrase is wrong"):
        key_file.read(file, "another")


def test_a_file_without_a_passphrase_is_not_made() -> None:
    with pytest.raises(KeysRefused, match="needs a passphrase"):
        key_file.write([], "", SALT, IV)


@pytest.mark.parametrize("rounds", [0, key_file.MOST_ROUNDS + 1, 2**32 - 1])
def test_a_file_that_would_keep_the_computer_busy_is_refused(rounds: int) -> None:
    data = struct.pack(">B16s16sI", 1, SALT, IV, rounds) + bytes(64)
    with pytest.raises(KeysRefused, match="of a kind that Lobby does not know"):
        key_file.read(framed(data), "x")


def test_another_version_is_refused() -> None:
    with pytest.raises(KeysRefused, match="of a kind that Lobby does not know"):
        key_file.read(framed(struct.pack(">B16s16sI", 2, SALT, IV, 1) + bytes(64)), "x")


def test_a_huge_file_is_refused_unread() -> None:
    with pytest.raises(KeysRefused, match="larger than 64 MiB"):
        key_file.read(bytes(key_file.MOST_BYTES + 1), "x")


def test_a_file_cut_short_is_not_whole() -> None:
    whole = key_file.write([{"a": "b"}], "x", SALT, IV, rounds=1)
    with pytest.raises(KeysRefused, match="no file of exported"):
        key_file.read(whole[: len(whole) // 2], "x")
    with pytest.raises(KeysRefused, match="not whole"):
        key_file.read(framed(b"\1"), "x")


@pytest.mark.parametrize("inside", [b"{}", b"1", b"not json", b"[" * 100_000, b"\xff"])
def test_a_file_whose_content_is_no_list_is_refused(inside: bytes) -> None:
    text = key_export.encrypt(inside, "x", count=1)
    with pytest.raises(KeysRefused, match="What is in this file are no keys"):
        key_file.read(f"{key_export.HEADER}\n{text}\n{key_export.FOOTER}".encode(), "x")


def test_what_is_no_session_is_left_out() -> None:
    mixed: list[Any] = [{"session_id": "s"}, 1, None, "x"]
    assert key_file.read(key_file.write(mixed, "x", SALT, IV, rounds=1), "x") == [{"session_id": "s"}]


@given(st.binary(max_size=200))
def test_garbage_is_refused_with_a_sentence(data: bytes) -> None:
    for file in (data, framed(data[:60]), b"-----BEGIN MEGOLM SESSION DATA-----" + data):
        with pytest.raises(KeysRefused, match=r"(?i)nothing was imported"):
            key_file.read(file, "x")
