"""The recovery key as text: known examples, typing errors, garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core import recovery_key
from lobby.errors import RecoveryRefused

ALICE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
"""The private key of RFC 7748 §6.1, whose recovery key clients of others use in their tests."""
WRITTEN = "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d"

KEYS = st.binary(min_size=32, max_size=32)


def test_a_known_key() -> None:
    assert recovery_key.written(ALICE) == WRITTEN
    assert recovery_key.entered(WRITTEN) == ALICE


@given(KEYS)
def test_what_is_written_can_be_entered(key: bytes) -> None:
    written = recovery_key.written(key)
    assert [len(group) for group in written.split(" ")] == [4] * 12
    assert recovery_key.entered(written) == key


@pytest.mark.parametrize(
    "typed",
    [
        WRITTEN.replace(" ", ""),
        WRITTEN.replace(" ", "\r\n"),
        f"  {WRITTEN}\t",
        WRITTEN.replace(" ", " \u00a0"),
        WRITTEN.replace(" ", "-"),
        f"\ufeff{WRITTEN}\u200b",
    ],
)
def test_spaces_do_not_matter(typed: str) -> None:
    assert recovery_key.entered(typed) == ALICE


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "No recovery key was given"),
        (" \n", "No recovery key was given"),
        (WRITTEN.replace("E4d", "E4e"), "A letter of this recovery key is wrong"),
        (WRITTEN.replace("K", "O", 1), "“O” does not occur in a recovery key; look whether it is o or Q"),
        (WRITTEN.replace("K", "l", 1), "look whether it is 1, i or L"),
        (WRITTEN.replace("K", "ä", 1), "“ä” does not occur in a recovery key. Nothing"),
        (WRITTEN[:-5], "A recovery key has 48 letters, and this has 44: too few"),
        (WRITTEN + "d", "and this has 49: too many"),
        ("z" * 48, "A letter of this recovery key is wrong"),
        ("1" * 48, "A letter of this recovery key is wrong"),
    ],
)
def test_a_typing_error_is_named(typed: str, said: str) -> None:
    with pytest.raises(RecoveryRefused, match=r"(?i)nothing was changed") as refused:
        recovery_key.entered(typed)
    assert said in str(refused.value)


@given(KEYS, st.integers(0, 47), st.sampled_from("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"))
def test_one_wrong_letter_is_hardly_ever_another_key(key: bytes, at: int, letter: str) -> None:
    letters = recovery_key.written(key).replace(" ", "")
    wrong = letters[:at] + letter + letters[at + 1 :]
    try:
        entered = recovery_key.entered(wrong)
    except RecoveryRefused:
        return
    # One byte of parity: such a key exists for some letters, and fails the check of secret storage.
    assert (entered == key) == (wrong == letters)


@given(st.text(max_size=80))
def test_garbage_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(RecoveryRefused, match=r"(?i)nothing was changed"):
        recovery_key.entered(text)


def test_only_32_bytes_make_a_key() -> None:
    with pytest.raises(ValueError):
        recovery_key.written(b"short")
