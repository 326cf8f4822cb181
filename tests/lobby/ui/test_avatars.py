"""Initials and colours: something for every name, the same each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.ui.avatars import COLOURS, colour, initials


@pytest.mark.parametrize(
    ("name", "signs"),
    [
        ("Left", "L"),
        ("Ann Marie Dupont", "AD"),
        ("@right:demo.localhost", "R"),
        ("#hills", "H"),
        ("陈佳", "陈"),
        ("éloise martin", "É"),
        ("house 12 (cellar)", "HC"),
        ("  ", "?"),
        ("...", "?"),
    ],
)
def test_initials(name: str, signs: str) -> None:
    assert initials(name) == signs


@given(st.text())
def test_every_name_and_id_has_some(name: str) -> None:
    assert 1 <= len(initials(name)) <= 2
    assert 0 <= colour(name) < COLOURS
    assert colour(name) == colour(name)
