"""One-time codes: good for a minute, made with the secret only, and nothing anybody types can break the check."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.ui.codes import VALID_FOR, CodeRefusal, GoodCode, check, mint

SECRET = b"s" * 32
NONCE = "abcdefghijklmnopqrst"


def test_a_fresh_code_is_good_and_says_how_long_to_remember_its_nonce() -> None:
    assert check(SECRET, mint(SECRET, 1000.0, NONCE), 1001.0) == GoodCode(NONCE, 1060.0)


@given(st.floats(0, 4e9), st.floats(-200, 200))
def test_a_code_is_good_for_a_minute_and_not_before_it_was_made(now: float, later: float) -> None:
    found = check(SECRET, mint(SECRET, now, NONCE), now + later)
    if 0 <= later < VALID_FOR - 1:
        assert isinstance(found, GoodCode)
    elif later >= VALID_FOR or later <= -1:
        assert found is CodeRefusal.EXPIRED


@pytest.mark.contract("X01")
def test_another_secret_makes_no_code() -> None:
    assert check(SECRET, mint(b"t" * 32, 1000.0, NONCE), 1001.0) is CodeRefusal.FORGED


@pytest.mark.contract("X01")
@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_a_changed_sign_spoils_the_code(place: int, sign: str) -> None:
    code = mint(SECRET, 1000.0, NONCE)
    place %= len(code)
    changed = code[:place] + sign + code[place + 1 :]
    if changed != code:
        assert isinstance(check(SECRET, changed, 1001.0), CodeRefusal)


PARTS = st.sampled_from(["", "0", "1060", "9" * 13, NONCE, "a" * 43, "-", "é", "١" * 4])


@given(st.one_of(st.text(), st.tuples(PARTS, PARTS, PARTS).map(".".join)))
def test_any_text_is_refused_without_an_error(text: str) -> None:
    assert isinstance(check(SECRET, text, 1000.0), CodeRefusal)


def test_a_nonce_that_could_be_guessed_is_not_taken() -> None:
    with pytest.raises(ValueError, match="nonce"):
        mint(SECRET, 1000.0, "short")
