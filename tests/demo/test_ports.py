"""Ports are found, remembered, and given up only where nobody has written them down."""

import socket
import subprocess
import sys
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


_FOUR_PORTS = """
import fcntl, socket, struct
from pathlib import Path
from demo.ports import LOOPBACK, Claim

SIOCSIFFLAGS, UP = 0x8914, 1
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", UP))
Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40003")
claim, given = Claim(), []
while True:
    try:
        given.append(socket.create_server((LOOPBACK, 0)))
    except OSError:
        break
ports = {server.getsockname()[1] for server in given}
assert ports == set(range(40000, 40004)) - {claim.port}, (claim.port, ports)
socket.create_server((LOOPBACK, claim.port)).close()
"""


def test_a_claimed_port_is_given_to_nobody_but_who_asks_for_it() -> None:
    """In a network of its own with four ports: whoever lets the system pick gets the other three."""
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", _FOUR_PORTS]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert run.returncode == 0, run.stderr


def test_a_claim_is_refused_where_somebody_listens() -> None:
    with socket.create_server((LOOPBACK, 0)) as server, pytest.raises(OSError):
        Claim(server.getsockname()[1])
