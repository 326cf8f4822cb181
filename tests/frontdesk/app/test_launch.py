"""A launch belongs to the process that was launched; programs that it starts inherit the words and not the launch."""

import os
import sys

import pytest

from frontdesk.app.launch import launch_token, page_descriptor
from frontdesk.environment import LAUNCH_TAKEN_BY, LAUNCH_TOKEN, OF_ONE_PROCESS, PAGE_FD


@pytest.fixture(autouse=True)
def launched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OF_ONE_PROCESS:
        monkeypatch.delenv(name, raising=False)
    # Set by what is tested: set here first, so that it is taken away again afterwards.
    monkeypatch.setenv(LAUNCH_TAKEN_BY, "")
    monkeypatch.delenv(LAUNCH_TAKEN_BY)
    monkeypatch.setenv(LAUNCH_TOKEN, "secret")
    monkeypatch.setenv(PAGE_FD, "3")


def test_the_launched_process_has_its_token_and_page_as_often_as_it_asks() -> None:
    assert [launch_token(), page_descriptor(), launch_token()] == ["secret", 3, "secret"]
    assert os.environ[LAUNCH_TOKEN] == "secret"  # the desk finds the app's family by it


def test_without_a_page_there_is_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PAGE_FD)
    assert page_descriptor() is None and launch_token() == "secret"


def test_a_process_started_by_hand_has_neither_and_leaves_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LAUNCH_TOKEN)
    assert launch_token() == "" and page_descriptor() is None
    assert LAUNCH_TAKEN_BY not in os.environ


def test_a_child_of_the_launched_process_was_not_launched() -> None:
    assert launch_token() == "secret"
    asking = (
        "from frontdesk.app import launch; import sys; sys.exit(launch.launch_token() + str(launch.page_descriptor()))"
    )
    assert _run(asking) == "None"


def test_a_command_that_only_starts_the_app_leaves_the_launch_to_it() -> None:
    asking = "from frontdesk.app import launch; import sys; sys.exit(launch.launch_token())"
    assert _run(asking) == "secret"


def _run(program: str) -> str:
    """What a child of ours says at its end."""
    read, write = os.pipe()
    pid = os.posix_spawn(
        sys.executable, [sys.executable, "-c", program], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, write, 2)]
    )
    os.close(write)
    with open(read) as said:
        words = said.read().strip()
    os.waitpid(pid, 0)
    return words
