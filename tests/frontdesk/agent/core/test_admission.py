"""Who may speak for an app, and with which words."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core.admission import Admitted, No, Peer, admit, runs_command, version_of
from frontdesk.terms import Manifest, Refusal
from frontdesk.wire import desk as wire

SCRIPT = Manifest("org.example.notes", "Notes", ("/usr/bin/python3", "/opt/notes/notes.py", "--quiet"))
OURS = Peer(4711, 1000, 99, ("/usr/bin/python3", "/opt/notes/notes.py", "--quiet"), "/home/ann")
HELLO = wire.Hello(SCRIPT.id, "run-1", 1, 1)


def decide(
    hello: wire.Hello = HELLO,
    peer: Peer = OURS,
    manifest: Manifest | None = SCRIPT,
    token: str = "",
    run: str = "",
) -> Admitted | Refusal:
    decision = admit(hello, peer, 1000, manifest, token, run)
    if isinstance(decision, No):
        assert decision.text.endswith((".", "MANIFEST.toml")), "a refusal is a sentence for a person"
        return decision.reason
    return decision


def with_words(*words: str, folder: str = "/home/ann") -> Peer:
    return msgspec.structs.replace(OURS, command=words, folder=folder)


@pytest.mark.contract("X01")
def test_the_registered_command_is_admitted_as_started_by_hand() -> None:
    assert decide() == Admitted(1, launched=False)


@pytest.mark.contract("X01")
@pytest.mark.parametrize("uid", [0, 1001, -1])
def test_another_user_is_refused_whatever_it_brings(uid: int) -> None:
    stranger = msgspec.structs.replace(OURS, uid=uid)
    hello = msgspec.structs.replace(HELLO, token="secret")
    assert decide(hello, stranger, token="secret") is Refusal.NOT_PERMITTED


@pytest.mark.contract("X01")
def test_the_token_of_its_launch_admits_whatever_it_has_become() -> None:
    hello = msgspec.structs.replace(HELLO, token="secret")
    assert decide(hello, with_words("something", "else"), token="secret") == Admitted(1, launched=True)


@pytest.mark.contract("X01")
@pytest.mark.parametrize("token", ["", "another"])
def test_a_token_that_is_not_its_own_is_refused_even_to_the_right_command(token: str) -> None:
    hello = msgspec.structs.replace(HELLO, token="guessed")
    assert decide(hello, token=token) is Refusal.WRONG_TOKEN


@pytest.mark.contract("X01")
def test_no_token_is_not_the_empty_token() -> None:
    assert decide(peer=with_words("other"), token="") is Refusal.NOT_PERMITTED


@pytest.mark.contract("X01")
def test_an_app_that_is_not_registered_is_told_how_to_register() -> None:
    assert decide(manifest=None) is Refusal.UNKNOWN_APP


@pytest.mark.contract("X01")
@pytest.mark.parametrize(
    "words",
    [
        ("/usr/bin/python3", "/opt/notes/notes.py"),
        ("/usr/bin/python3", "/opt/notes/other.py", "--quiet"),
        ("/usr/bin/python3", "-c", "import notes"),
        ("/usr/bin/python3", "-i", "-x", "/opt/notes/notes.py", "--quiet"),
        ("/bin/sh", "/opt/notes/notes.py", "--quiet"),
        ("/usr/bin/python3",),
        (),
    ],
)
def test_another_program_is_refused(words: tuple[str, ...]) -> None:
    assert decide(peer=with_words(*words)) is Refusal.NOT_PERMITTED


@pytest.mark.contract("X01")
@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (("/usr/bin/python3", "/opt/notes/notes.py", "--quiet", "more"), "/"),
        (("python3.11", "/opt/notes/notes.py", "--quiet"), "/"),
        (("/usr/bin/env", "/usr/bin/python3", "/opt/notes/notes.py", "--quiet"), "/"),
        (("python3", "notes.py", "--quiet"), "/opt/notes"),
        (("python3", "../notes/notes.py", "--quiet"), "/opt/other"),
    ],
)
def test_the_same_program_started_another_way_is_admitted(words: tuple[str, ...], folder: str) -> None:
    assert decide(peer=with_words(*words, folder=folder)) == Admitted(1, launched=False)


@pytest.mark.contract("X01")
def test_a_bare_name_is_found_behind_its_interpreter() -> None:
    assert runs_command(with_words("/usr/bin/python3", "/usr/local/bin/notes"), ("notes",))
    assert not runs_command(with_words("/usr/bin/python3", "/usr/local/bin/notes2"), ("notes",))
    assert not runs_command(with_words("notes"), ())


@pytest.mark.contract("X04")
def test_a_second_start_is_turned_away_and_a_reconnect_is_not() -> None:
    assert decide(run="another run") is Refusal.ALREADY_RUNNING
    assert decide(run=HELLO.run) == Admitted(1, launched=False)


@pytest.mark.contract("X03")
@pytest.mark.parametrize(
    ("oldest", "newest", "to_update"), [(wire.NEWEST + 1, wire.NEWEST + 3, "frontdesk"), (-3, wire.OLDEST - 1, "app")]
)
def test_versions_that_do_not_meet_are_refused_in_words_that_say_what_to_update(
    oldest: int, newest: int, to_update: str
) -> None:
    hello = msgspec.structs.replace(HELLO, oldest=oldest, newest=newest)
    assert decide(hello) is Refusal.VERSION
    refusal = version_of(hello)
    assert isinstance(refusal, No)
    assert f"update {'the app' if to_update == 'app' else 'frontdesk'}" in refusal.text


@pytest.mark.contract("X03")
def test_a_newer_and_an_older_app_that_still_know_ours_are_welcome() -> None:
    assert decide(msgspec.structs.replace(HELLO, oldest=0, newest=99)) == Admitted(wire.NEWEST, launched=False)


@pytest.mark.contract("X01")
@given(
    st.builds(
        wire.Hello,
        app=st.just(SCRIPT.id),
        run=st.sampled_from(["run-1", "run-2"]),
        oldest=st.integers(0, 3),
        newest=st.integers(0, 3),
        token=st.sampled_from(["", "t1", "t2"]),
    ),
    st.sampled_from([OURS, with_words("x"), msgspec.structs.replace(OURS, uid=5)]),
    st.sampled_from([None, SCRIPT]),
    st.sampled_from(["", "t1", "t2"]),
    st.sampled_from(["", "run-1", "run-2"]),
)
def test_nobody_is_admitted_but_by_token_or_command(
    hello: wire.Hello, peer: Peer, manifest: Manifest | None, token: str, run: str
) -> None:
    decision = decide(hello, peer, manifest, token, run)
    if isinstance(decision, Admitted):
        assert peer.uid == 1000 and manifest is not None
        assert run in ("", hello.run)
        assert hello.oldest <= decision.version <= hello.newest
        assert (hello.token == token != "") if decision.launched else (hello.token == "" and peer == OURS)
