"""The table of emoji, against that of matrix-nio."""

from nio.crypto.sas import Sas

from lobby.core.emoji import EMOJI

ELSEWHERE = {"Wrench": "Spanner", "Airplane": "Aeroplane", "Thumbs up": "Thumbs Up"}
"""Where matrix-nio departs from the names of the specification."""


def test_the_table_is_everybodys() -> None:
    assert [(sign, ELSEWHERE.get(name, name)) for sign, name in Sas.emoji] == list(EMOJI)
