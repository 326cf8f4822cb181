"""What becomes of the address at which Lobby wants to be shown when nobody looks at the stage for a while."""

from demo.stage.wanted import GOOD_FOR, Wanted
from lobby.ui.codes import VALID_FOR

FRESH = "http://left.demo.localhost:1/enter?code=fresh"


def test_an_address_is_used_only_while_its_code_is_good() -> None:
    assert GOOD_FOR < VALID_FOR
    wanted = Wanted("http://left.demo.localhost:1/enter?code=first", at=1000.0)
    assert wanted.good(1000.0)
    assert wanted.good(1000.0 + GOOD_FOR - 1)
    assert not wanted.good(1000.0 + GOOD_FOR)


def test_a_clock_that_was_set_back_makes_no_address_good() -> None:
    assert not Wanted("http://left.demo.localhost:1/enter?code=first", at=1000.0).good(10.0)


def test_a_renewed_address_leads_to_the_chat_that_was_wanted() -> None:
    wanted = Wanted("http://left.demo.localhost:1/enter?code=first&chat=%21a%2Bb%3Aserver", at=0.0)
    assert wanted.renewed(FRESH) == f"{FRESH}&chat=%21a%2Bb%3Aserver"


def test_without_a_chat_a_renewed_address_is_the_fresh_one() -> None:
    assert Wanted("http://left.demo.localhost:1/enter?code=first", at=0.0).renewed(FRESH) == FRESH
