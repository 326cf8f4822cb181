"""Requests to verify: told once to somebody who does not see them, and taken back when they are over."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from lobby.core.alerts import verification_alert
from lobby.core.offers import Offers
from lobby.core.telling import Show, Withdraw
from lobby.core.views import Verification, VerificationPhase

OFFERED = Verification("$1", "@left:x", "Left", False, VerificationPhase.OFFERED, room_id="!a")
OWN = Verification("t", "@me:x", "Laptop", True, VerificationPhase.OFFERED)
TOLD = verification_alert(OFFERED)


def test_a_request_that_nobody_sees_is_told_once() -> None:
    offers = Offers()
    assert offers.look([OFFERED], seen=False) == [Show(TOLD)]
    assert offers.look([OFFERED], seen=False) == []
    assert offers.told == (TOLD.id,)


def test_a_request_that_is_over_or_answered_anywhere_is_told_no_more() -> None:
    for phase in set(VerificationPhase) - {VerificationPhase.OFFERED}:
        offers = Offers()
        offers.look([OFFERED], seen=False)
        assert offers.look([dataclasses.replace(OFFERED, phase=phase)], seen=False) == [Withdraw(TOLD.id)]
        assert offers.told == ()
    offers.look([OFFERED], seen=False)
    assert offers.look([], seen=False) == [Withdraw(TOLD.id)]


def test_what_we_ask_ourselves_is_not_told() -> None:
    assert Offers().look([dataclasses.replace(OFFERED, phase=VerificationPhase.ASKED)], seen=False) == []


def test_a_request_that_the_page_shows_needs_no_notification_then_nor_later() -> None:
    offers = Offers()
    assert offers.look([OFFERED], seen=True) == []
    assert offers.look([OFFERED], seen=False) == []
    assert offers.look([OWN, OFFERED], seen=False) == [Show(verification_alert(OWN))]
    assert offers.look([OWN, OFFERED], seen=True) == [Withdraw(verification_alert(OWN).id)]


def test_the_push_about_a_request_is_answered_with_it() -> None:
    offers = Offers()
    assert offers.look([OFFERED], seen=False, pushed={"$1"}) == []
    assert offers.answer("$other", [OFFERED], seen=False) is None
    assert offers.answer("$1", [OFFERED], seen=True) is None
    assert Offers().answer("$1", [], seen=False) is None
    told = Offers()
    assert told.answer("$1", [OFFERED], seen=False) == TOLD
    assert told.answer("$1", [OFFERED], seen=False) is None
    assert told.look([OFFERED], seen=False) == []
    assert told.look([], seen=False) == [Withdraw(TOLD.id)]


def test_whoever_asks_once_more_takes_the_place_of_the_earlier_request() -> None:
    offers = Offers()
    offers.look([OFFERED], seen=False)
    again = dataclasses.replace(OFFERED, id="$2", name="Lefty")
    over = dataclasses.replace(OFFERED, phase=VerificationPhase.CANCELLED)
    assert offers.look([again, over], seen=False) == [Show(verification_alert(again))]


def test_what_an_earlier_run_told_is_withdrawn_for_this_one_knows_nothing_of_it() -> None:
    assert Offers(told=[TOLD.id]).look([], seen=False) == [Withdraw(TOLD.id)]


VERIFICATIONS = st.builds(
    lambda number, room, phase: Verification(str(number), "@l:x", f"Left {number}", not room, phase, room_id=room),
    st.integers(1, 4),
    st.sampled_from(["", "!a", "!b"]),
    st.sampled_from(VerificationPhase),
)


@given(st.lists(st.tuples(st.lists(VERIFICATIONS, max_size=4, unique_by=lambda one: one.id), st.booleans())))
def test_what_is_shown_is_open_and_was_not_seen(steps: list[tuple[list[Verification], bool]]) -> None:
    offers, shown = Offers(), dict[str, str]()
    for verifications, seen in steps:
        for effect in offers.look(verifications, seen):
            match effect:
                case Show(alert):
                    shown[alert.id] = alert.title
                case Withdraw(alert_id):
                    del shown[alert_id]
        alerts = [verification_alert(one) for one in verifications if one.phase is VerificationPhase.OFFERED]
        assert set(shown.items()) <= {(alert.id, alert.title) for alert in alerts}
        assert not (seen and shown) and set(offers.told) == set(shown)
