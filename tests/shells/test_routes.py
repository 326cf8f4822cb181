"""Stands in for NetworkManager: in a network of the test's own, where a route out comes and goes."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.shell import kernel_news, routes
from frontdesk.agent.shell.routes import Routes, ways_out_4, ways_out_6
from frontdesk.terms import Condition
from tests.desks import PATIENCE

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
NOWHERE = "0" * 32
"""An address of version 6 with nothing in it."""


def test_the_ways_out_are_those_of_default_routes() -> None:
    table = (
        HEAD
        + "eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        + "eth1\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
        + "tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000080\t0\t0\t0\n"  # half of all addresses
        + "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n"  # refused
    )
    assert ways_out_4(table) == {"eth0"}
    assert ways_out_4(HEAD) == set()
    six = (
        f"{NOWHERE} 00 {NOWHERE} 00 fe80{NOWHERE[4:]} 00000400 00000001 00000000 00000003    wlan0\n"
        f"{NOWHERE} 00 {NOWHERE} 00 {NOWHERE} ffffffff 00000001 00000000 00200200       lo\n"
        f"2001{NOWHERE[4:]} 03 {NOWHERE} 00 {NOWHERE} 00000400 00000001 00000000 00000001     eth0\n"
    )
    assert ways_out_6(six) == {"wlan0"}


@given(st.text(), st.lists(st.sampled_from(["eth0", "00000000", NOWHERE, "00", "0003", "zz", "\n", " ", "\t"])))
def test_tables_of_another_shape_lead_nowhere_and_harm_nobody(text: str, words: list[str]) -> None:
    for table in (text, HEAD + text, " ".join(words), HEAD + "\t".join(words)):
        assert ways_out_4(table) <= set(table.split())
        assert ways_out_6(table) <= set(table.split())


def test_an_interface_that_is_not_there_works_not() -> None:
    assert not routes._works("nosuch0")
    assert not routes._works("a name far too long for an interface")


@pytest.mark.contract("S10")
async def test_it_looks_again_when_the_kernel_has_news_and_only_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    four, six = tmp_path / "route", tmp_path / "ipv6_route"
    monkeypatch.setattr(routes, "_ROUTES_4", four)
    monkeypatch.setattr(routes, "_ROUTES_6", six)
    monkeypatch.setattr(routes, "_works", lambda interface: True)
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(kernel_news, "_open", lambda protocol, groups: ours)
    told = asyncio.Queue[tuple[Condition, str]]()
    stand_in = Routes(lambda source, condition, value: told.put_nowait((condition, value)))
    stand_in.refresh()  # not on: nothing
    stand_in.start()
    stand_in.start()
    assert told.get_nowait() == (Condition.NETWORK, "")  # nobody can tell
    four.write_text(HEAD)
    kernels.send(b"an interface")
    assert await asyncio.wait_for(told.get(), PATIENCE) == (Condition.NETWORK, "offline")
    four.write_text(HEAD + "eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n")
    assert told.empty()
    kernels.send(b"a route")
    assert await asyncio.wait_for(told.get(), PATIENCE) == (Condition.NETWORK, "online")
    stand_in.stop()
    stand_in.stop()
    assert told.get_nowait() == (Condition.NETWORK, "") and told.empty() and ours.fileno() < 0
    kernels.close()


def _in_own_network(*command: str) -> list[str]:
    return ["unshare", *(["--net"] if os.getuid() == 0 else ["--map-root-user", "--net"]), *command]


def _may_have_own_network() -> bool:
    try:
        made = subprocess.run(
            _in_own_network("ip", "link", "add", "there", "type", "veth", "peer", "name", "here"), capture_output=True
        )
    except OSError:
        return False
    return made.returncode == 0


if _may_have_own_network():  # not every machine allows it; there, what comes before has to do

    @pytest.mark.contract("S10")
    async def test_a_route_out_that_comes_and_goes_is_told_by_the_kernel() -> None:
        program = await asyncio.create_subprocess_exec(
            *_in_own_network(sys.executable, str(Path(__file__).with_name("own_network.py")), str(PATIENCE)),
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await program.communicate()
        assert told.decode().split() == [
            "offline",
            "online",
            "offline",
            "online",
            "offline",
            "online",
            "offline",
            "unknown",
        ]
