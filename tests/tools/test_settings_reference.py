"""docs/settings.md is what the code says, and has every number of the contract that a person can set."""

import re
from pathlib import Path

import msgspec
import pytest

from frontdesk.agent.core.limits import Limits
from frontdesk.agent.shell.settings import Settings
from tools.settings_reference import PAGE, main, page, settings_of

CONTRACT = (Path(__file__).resolve().parents[2] / "docs" / "contract.md").read_text(encoding="utf-8")
WITH_NUMBERS = re.findall(r"^\| ([LASX]\d\d) \|.*\| ([^|]*(?:\d|on|false)[^|]*) \|$", CONTRACT, re.MULTILINE)
"""Rules whose default is a number or a switch."""


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "Run: make settings-reference"


@pytest.mark.parametrize(("rule", "default"), WITH_NUMBERS)
def test_every_default_of_the_contract_is_a_setting_or_says_why_it_is_none(rule: str, default: str) -> None:
    assert re.search(rf"\| [^|]*\b{rule}\b[^|]* \|", page()), f"{rule} ({default})"


def test_the_contract_has_such_rules() -> None:
    assert {"L01", "L09", "L10", "A03", "S03", "S08", "S10", "S19", "X02"} <= {rule for rule, _ in WITH_NUMBERS}


@pytest.mark.parametrize("section", [Settings, Limits])
def test_each_setting_has_a_meaning_and_a_default(section: type[msgspec.Struct]) -> None:
    for each in settings_of(section):
        assert each.meaning.endswith(".") and "(" not in each.meaning[-8:], each.name
        assert f"| `{each.name}` |" in page()
        assert each.default == getattr(section(), each.name)


def test_a_setting_without_a_meaning_is_an_error() -> None:
    class Silent(msgspec.Struct):
        """A section."""

        number: int = 3

    with pytest.raises(ValueError, match="number has no docstring"):
        list(settings_of(Silent))


def test_writing_says_whether_there_was_anything_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.settings_reference.PAGE", tmp_path / "settings.md")
    assert (main(), main()) == (0, 0)
    assert capsys.readouterr().out.splitlines() == ["settings.md is written.", "settings.md is up to date."]
    assert (tmp_path / "settings.md").read_text(encoding="utf-8") == page()
