"""Sessions: the token is not what is kept, and a form token belongs to one session of one Lobby."""

from hypothesis import given
from hypothesis import strategies as st

from lobby.ui.sessions import COOKIE_AGE, RENEWED_AFTER, Standing, cookie_name, csrf_holds, csrf_token, digest, standing


@given(st.text())
def test_the_store_keeps_no_token(token: str) -> None:
    kept = digest(token)
    assert len(kept) == 64
    assert not token or token not in kept or len(token) < 8


@given(st.binary(min_size=16), st.text(), st.text())
def test_a_form_token_holds_for_its_own_session_only(secret: bytes, token: str, other: str) -> None:
    assert csrf_holds(secret, token, csrf_token(secret, token))
    assert csrf_holds(secret, other, csrf_token(secret, token)) == (
        token.encode("utf-8", "replace") == other.encode("utf-8", "replace")
    )
    assert not csrf_holds(secret + b"x", token, csrf_token(secret, token))
    assert not csrf_holds(secret, token, other) or other == csrf_token(secret, token)


def test_two_lobbies_have_two_cookie_names() -> None:
    assert cookie_name(b"a" * 32) != cookie_name(b"b" * 32)
    assert csrf_token(b"a" * 32, "") not in cookie_name(b"a" * 32)


def test_a_session_ends_a_month_after_its_last_use() -> None:
    month, now = float(COOKIE_AGE), 1e9
    assert standing(None, now) is Standing.NONE
    assert standing(now, now) is standing(now - 3600, now) is Standing.GOOD
    assert standing(now - 2 * 86400, now) is standing(now - month + 1, now) is Standing.DUE
    assert standing(now - month, now) is Standing.NONE
    assert standing(now + 3600, now) is Standing.DUE, "the clock was set back"


@given(st.lists(st.floats(min_value=0, max_value=COOKIE_AGE - RENEWED_AFTER), max_size=50))
def test_a_session_used_every_29_days_never_ends(pauses: list[float]) -> None:
    """Uses within a day of each other are written down once: the last may be a day later than what is known."""
    written = now = 1e9
    for pause in pauses:
        now += pause
        found = standing(written, now)
        assert found is not Standing.NONE
        written = now if found is Standing.DUE else written
