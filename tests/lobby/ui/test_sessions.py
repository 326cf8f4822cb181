"""Sessions: the token is not what is kept, and a form token belongs to one session of one Lobby."""

from hypothesis import given
from hypothesis import strategies as st

from lobby.ui.sessions import cookie_name, csrf_holds, csrf_token, digest


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
