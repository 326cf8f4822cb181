"""Where the gateway may connect to: public addresses, and private ones only when the operator said so."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.push.core import addresses

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
]


def may(text: str, *exceptions: str) -> bool:
    target = addresses.address(text)
    assert target is not None
    return addresses.may_connect(target, addresses.networks(exceptions))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_allowed(text: str) -> None:
    assert may(text)


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_are_refused(text: str) -> None:
    assert not may(text)


def test_the_operator_can_except_a_network_and_no_other_is_opened_by_it() -> None:
    assert may("127.0.0.1", "127.0.0.0/8")
    assert may("::ffff:127.0.0.1", "127.0.0.0/8")
    assert may("::1", "::1")
    assert not may("10.0.0.1", "127.0.0.0/8", "::1")
    assert not may("::1", "127.0.0.0/8")


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="localhost"):
        addresses.networks(["localhost"])


@pytest.mark.parametrize("host", ["example.org", "127.1", "0x7f000001", "2130706433", "", "1.2.3"])
def test_a_name_is_no_address(host: str) -> None:
    assert addresses.address(host) is None


def test_brackets_and_zones_do_not_hide_an_address() -> None:
    assert addresses.address("[::1]") == addresses.address("::1%lo") == ipaddress.IPv6Address("::1")


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_the_same(inner: ipaddress.IPv4Address) -> None:
    for outer in (ipaddress.IPv6Address(f"::ffff:{inner}"), ipaddress.IPv6Address(f"64:ff9b::{inner}")):
        assert addresses.may_connect(outer) == addresses.may_connect(inner)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://push.example.org", True),
        ("http://127.0.0.1:8930", True),
        ("http://[::1]:8930/", True),
        ("https://example.org/behind/a/proxy/", True),
        ("", False),
        ("push.example.org", False),
        ("ftp://example.org", False),
        ("https://", False),
        ("https://:443", False),
        ("https://example.org:0", False),
        ("https://example.org:http", False),
        ("https://example.org?", False),
        ("https://example.org/#push", False),
        ("https://exa mple.org", False),
        ("https://example.org/\r\nX: y", False),
        ("http://[::1", False),
    ],
)
def test_endpoints_can_be_made_of_a_public_url(url: str, good: bool) -> None:
    assert addresses.is_base(url) is good
