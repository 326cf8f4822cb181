"""Ports are found, remembered, and given up only where nobody has written them down."""

import socket
from pathlib import Path

import pytest

from demo.errors import DemoError
from demo.ports import LOOPBACK, Claim, claim_known, claim_noted, free_port


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server((LOOPBACK, free_port())):
        pass


def test_a_port_is_remembered_while_it_is_free(tmp_path: Path) -> None:
    note = tmp_path / "folder" / "port"
    with claim_noted(note) as claim:
        first = claim.port
    with claim_noted(note) as claim:
        assert claim.port == first
    with socket.create_server((LOOPBACK, first)), claim_noted(note) as claim:
        other = claim.port
    assert other != first
    with claim_noted(note) as claim:
        assert claim.port == other


def test_a_note_that_is_no_number_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("none")
    with claim_noted(tmp_path / "port") as claim:
        assert claim.port > 0


def test_a_port_that_others_know_is_not_given_up(tmp_path: Path) -> None:
    note = tmp_path / "port"
    with claim_known(note, "somebody knows it") as claim:
        port = claim.port
    with socket.create_server((LOOPBACK, port)):
        with pytest.raises(DemoError, match=f"Port {port} is used by another program, and somebody knows it"):
            claim_known(note, "somebody knows it")
    with claim_known(note, "somebody knows it") as claim:
        assert claim.port == port


def test_a_claimed_port_is_for_those_who_ask_for_it_as_servers_do() -> None:
    """Linux lets the system pick a port only where nobody holds it, so it picks none that is refused here."""
    with Claim() as claim, socket.socket() as stranger:
        with pytest.raises(OSError, match="Address already in use"):
            stranger.bind((LOOPBACK, claim.port))
        with socket.create_server((LOOPBACK, claim.port)) as server:
            assert server.getsockname()[1] == claim.port
        claim.close()
        stranger.bind((LOOPBACK, claim.port))


def test_a_claim_is_refused_where_somebody_listens() -> None:
    with socket.create_server((LOOPBACK, 0)) as server, pytest.raises(OSError):
        Claim(server.getsockname()[1])
