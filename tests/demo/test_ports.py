"""Ports are found, remembered, and given up only where nobody has written them down."""

import socket
from pathlib import Path

import pytest

from demo.errors import DemoError
from demo.ports import free_port, remembered_port, same_port


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass


def test_a_port_is_remembered_while_it_is_free(tmp_path: Path) -> None:
    note = tmp_path / "folder" / "port"
    first = remembered_port(note)
    assert remembered_port(note) == first
    with socket.create_server(("127.0.0.1", first)):
        other = remembered_port(note)
    assert other != first
    assert remembered_port(note) == other


def test_a_note_that_is_no_number_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("none")
    assert remembered_port(tmp_path / "port") > 0


def test_a_port_that_others_know_is_not_given_up(tmp_path: Path) -> None:
    note = tmp_path / "port"
    port = same_port(note, "somebody knows it")
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(DemoError, match=f"Port {port} is used by another program, and somebody knows it"):
            same_port(note, "somebody knows it")
    assert same_port(note, "somebody knows it") == port
