"""The reference names everything that can be set or called, with the defaults that hold."""

from pathlib import Path

import msgspec
import pytest

import frontdesk
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.shell.settings import Settings
from frontdesk.terms import Manifest

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("limit", [field.name for field in msgspec.structs.fields(Limits)])
def test_every_limit_is_there_with_its_default(limit: str) -> None:
    assert f"| `{limit}` | {getattr(Limits(), limit):.15g} |" in REFERENCE


@pytest.mark.parametrize("kind", [Settings, Manifest])
def test_every_field_is_there(kind: type[msgspec.Struct]) -> None:
    missing = [field.name for field in msgspec.structs.fields(kind) if f"`{field.name}`" not in REFERENCE]
    assert [name for name in missing if name != "limits"] == []


@pytest.mark.parametrize("name", frontdesk.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert name in REFERENCE
