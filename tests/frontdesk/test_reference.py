"""The reference names everything that a manifest can say and an app can call; settings have a page of their own."""

from pathlib import Path

import msgspec
import pytest

import frontdesk
from frontdesk.terms import Manifest

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("field", [field.name for field in msgspec.structs.fields(Manifest)])
def test_every_field_of_a_manifest_is_there(field: str) -> None:
    assert f"| `{field}` |" in REFERENCE


@pytest.mark.parametrize("name", frontdesk.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert name in REFERENCE
