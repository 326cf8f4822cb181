"""``settings.toml``: what may stand in it; what may not is named with its place, and nothing is guessed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core.limits import Limits
from frontdesk.agent.shell.settings import Settings, SettingsWrong, read_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_no_file_means_the_contracts_defaults(file: Path) -> None:
    assert read_settings(file) == Settings()
    assert Limits().background == 30 and Limits().suspended == 600 and Limits().push == 25 and Limits().settle == 5


def test_what_stands_in_it_is_taken_and_the_rest_is_default(file: Path) -> None:
    file.write_text(
        'push_service = "wss://push.example/"\nbackground_off = ["org.example.a"]\nfreezer = "signals"\n'
        "[limits]\nbackground = 40\nmost_tasks = 5\n"
    )
    assert read_settings(file) == Settings(
        "wss://push.example/", ("org.example.a",), "signals", Limits(background=40.0, most_tasks=5)
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("push_service = 3", "push_service"),
        ('push_service = "http://push.example/"', "wss://push.example.org/ (or ws://)"),
        ('push_servce = "ws://x/"', "push_servce"),
        ('push_service = "ws://[::1"', "push_service"),
        ('push_service = "wss:///"', "push_service"),
        ('push_service = "wss://push.example:80443/"', "push_service"),
        ('freezer = "magic"', "freezer"),
        ("[limits]\nbackground = 0", "limits.background"),
        ("[limits]\nsettle = -1", "limits.settle"),
        ("[limits]\nsettle = nan", "limits.settle"),
        ("[limits]\nsuspended = inf", "limits.suspended"),
        ('[limits]\nbackground = "long"', "limits.background"),
        ("[limits]\nbackgrund = 30", "backgrund"),
        ("[limits]\nbackground = 4", "expiry_lead"),
        ("[limits]\nmost_tasks = 2.5", "limits.most_tasks"),
        ("limits = 3", "limits"),
        ("[limits]\nsettle = = 3", "line 2"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_place(file: Path, text: str, named: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsWrong) as wrong:
        read_settings(file)
    assert str(file) in str(wrong.value) and named in str(wrong.value)


def test_what_cannot_be_read_is_said(file: Path) -> None:
    file.mkdir()
    with pytest.raises(SettingsWrong, match="cannot be read"):
        read_settings(file)
    file.rmdir()
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsWrong):
        read_settings(file)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_settings_or_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any-settings.toml"
    file.write_bytes(data)
    try:
        assert isinstance(read_settings(file), Settings)
    except SettingsWrong as wrong:
        assert str(file) in str(wrong)
