"""What the desk makes of what comes beside a hello: real descriptors, right ones and wrong ones."""

import os
import socket

import pytest

from frontdesk.agent.reception import listening_page


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.contract("X02")
def test_what_is_no_listening_socket_is_no_page_and_costs_no_descriptor() -> None:
    plain, unix = os.open(os.devnull, os.O_RDONLY), socket.socket(socket.AF_UNIX)
    with unix, socket.socket() as silent:
        before = descriptors()
        for wrong in (plain, unix.fileno(), silent.fileno()):
            assert listening_page([wrong]) is None
        assert descriptors() == before
    os.close(plain)


def test_a_listening_socket_is_a_page_of_our_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        page = listening_page([theirs.fileno()])
        assert page is not None and page.fileno() != theirs.fileno()
        with page:
            assert page.getsockname() == theirs.getsockname()
