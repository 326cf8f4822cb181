"""The ``frontdesk`` command: words, exit statuses, and one clear sentence when something cannot be done."""

from pathlib import Path

import pytest

from frontdesk.cli.main import main

COMMANDS = (
    ["status", "--once"],
    ["status", "--json"],
    ["log", "org.example.app"],
    ["apps", "list"],
    ["apps", "add", "x.toml"],
    ["apps", "remove", "org.example.app"],
    ["open", "org.example.app"],
    ["quit", "org.example.app"],
    ["explain", "all"],
    ["simulate", "launch", "org.example.app.tidy"],
    ["simulate", "expire", "org.example.app.tidy", "--app", "org.example.app"],
    ["simulate", "condition"],
    ["simulate", "condition", "power=battery", "network=offline"],
    ["simulate", "condition", "--lift", "power"],
    ["background", "off", "all"],
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_desk_each_says_what_to_do(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path))
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("frontdesk: No desk answers") and "frontdesk agent" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "words", [[], ["dance"], ["open"], ["apps"], ["apps", "add"], ["status", "--twice"], ["background", "maybe", "all"]]
)
def test_wrong_words_are_status_2_with_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "usage: frontdesk" in capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    words = "agent enable disable status log explain simulate apps background open quit push"
    for word in words.split():
        assert f"\n    {word}" in out
