"""``settings.toml``: what may stand in it; what may not is named with its place, and nothing is guessed."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from frontdesk.agent.core.limits import Limits
from frontdesk.agent.shell.settings import Settings, SettingsWrong, read_settings, what_it_can_be


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
        "wss://push.example/", ("org.example.a",), "signals", limits=Limits(background=40.0, most_tasks=5)
    )


@pytest.mark.contract("L09")
def test_memory_of_single_apps_is_in_bytes_or_says_its_unit(file: Path) -> None:
    file.write_text('[memory]\n"org.example.a" = 1000\n"org.example.b" = "768 MiB"\n"org.example.c" = "2GiB"\n')
    allowed = {"org.example.a": 1000, "org.example.b": 768 * 2**20, "org.example.c": 2 * 2**30}
    assert read_settings(file).memory_in_bytes == allowed


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
        (
            '[memory]\n"org.example.notes" = "768 Mb"',
            "memory.org.example.notes is '768 Mb'; it must be a number of bytes",
        ),
        ('[memory]\n"org.example.notes" = 0', "line 2: memory.org.example.notes is 0"),
        ('[memory]\n"org.example.notes" = "0 MiB"', "memory.org.example.notes"),
        ('[memory]\n"org.example.notes" = 1.5', "memory"),
        ('[memory]\nnotes = "768 MiB"', "memory.notes is no id of an app"),
        ("limits = 3", "limits is 3; it must be a section"),
        ("[limits]\nsettle = = 3", "line 2"),
        ("[limits]\nrefresh = 5", "line 2: limits.expiry_lead is 5; it must be less than limits.refresh, which is 5."),
        ("[limits]\nprocessing = 1", "limits.processing"),
        ("[limits]\npush = 2", "limits.push"),
        ("[limits]\nlow_battery = 10", "limits.critical_battery is 20; it must be at most limits.low_battery"),
        ("[limits]\nlow_battery = 101", "limits.low_battery is 101; it must be a whole number of percent, 0 to 100"),
        ("[limits]\ncritical_battery = -1", "limits.critical_battery"),
        ("[limits]\nbudget_least = 30", "limits.budget_least is 30; it must be at most limits.budget_most"),
        ("[limits]\nretry_first = 90", "limits.retry_first"),
        ("[limits]\ncpu_share = 0", "limits.cpu_share is 0; it must be a number of cores, more than 0."),
        ("[limits]\npending_refresh = 0", "limits.pending_refresh is 0; it must be a whole number, 1 or more."),
        ("[limits]\nrefresh_at_once = true", "limits.refresh_at_once is True; it must be a whole number"),
        ("limits.memory = 1.5", "line 1: limits.memory is 1.5; it must be a whole number of bytes, 1 or more."),
        ("[limits]\nbackgrund = 30", "line 2: limits.backgrund is no setting; perhaps background is meant."),
        ("[limits]\nzzz = 30", "docs/settings.md"),
        ('background_off = ["notes"]', "background_off names 'notes'"),
        (
            'background_off = "org.example.notes"',
            "background_off is 'org.example.notes'; it must be a list in brackets",
        ),
        ("background_off = [3]", "background_off is [3]; it must be a list in brackets, of which each is a text"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_place(file: Path, text: str, named: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsWrong) as wrong:
        read_settings(file)
    assert str(file) in str(wrong.value) and named in str(wrong.value)


def test_the_whole_sentence_says_what_was_kept_and_what_to_do(file: Path) -> None:
    file.write_text("push_service = ''\n\n[limits]\n  settle = -1 # too short\n")
    with pytest.raises(SettingsWrong) as wrong:
        read_settings(file)
    assert str(wrong.value) == (
        f"{file}, line 4: limits.settle is -1; it must be a number of seconds, more than 0. "
        "Correct it, then start the desk; nothing was changed."
    )


LIMITS = {field.name: field for field in inspect.type_info(Limits).fields}  # type: ignore[attr-defined]


@given(st.dictionaries(st.sampled_from(sorted(LIMITS)), st.integers(-2, 200) | st.floats(), max_size=4))
def test_limits_are_taken_as_written_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, written: dict[str, float]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any-limits.toml"
    file.write_text("[limits]\n" + "".join(f"{name} = {value!r}\n" for name, value in written.items()))
    try:
        limits = read_settings(file).limits
    except SettingsWrong as wrong:
        assert any(f"limits.{name}" in str(wrong) for name in written)
        return
    for name, value in written.items():
        assert getattr(limits, name) == value and math.isfinite(value)
        assert isinstance(value, int) or "whole" not in what_it_can_be(LIMITS[name].type)
        assert value > 0 or name == "critical_battery"
    assert limits.expiry_lead < min(limits.background, limits.push, limits.refresh, limits.processing)
    assert limits.critical_battery <= limits.low_battery <= 100 and limits.budget_least <= limits.budget_most


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_each_limit_says_what_it_can_be_and_can_be_set(limit: inspect.Field, file: Path) -> None:
    assert "number" in what_it_can_be(limit.type)
    file.write_text(f"[limits]\n{limit.name} = {limit.default!r}\n")
    assert read_settings(file) == Settings()


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
