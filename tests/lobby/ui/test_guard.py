"""Which requests are refused unseen: each header a browser sends on its own, and each a foreign page can cause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.ui.guard import Guard, GuardRefusal

HOST = "lobby-x.localhost:4711"
ORIGIN = f"http://{HOST}"
GUARD = Guard("lobby-x.localhost", 4711)


@pytest.mark.contract("X01")
@pytest.mark.parametrize(
    "host",
    ["", "localhost:4711", "lobby-x.localhost", "lobby-x.localhost:80", "evil.example:4711", "127.0.0.1", "[::1]:4711"],
)
def test_any_other_host_is_refused(host: str) -> None:
    assert GUARD.refusal("GET", {"Host": host}) is GuardRefusal.WRONG_HOST


@pytest.mark.parametrize("host", [HOST, HOST.upper(), "127.0.0.1:4711"])
def test_both_own_names_are_served(host: str) -> None:
    assert GUARD.refusal("GET", {"Host": host}) is None


@pytest.mark.parametrize(
    ("method", "headers", "served"),
    [
        ("GET", {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, True),
        ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, False),
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, False),
        ("POST", {}, True),
        ("POST", {"Origin": ORIGIN}, True),
        ("POST", {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}, True),
        ("POST", {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True),
        ("POST", {"Origin": "null"}, False),
        ("POST", {"Origin": "null", "Sec-Fetch-Site": "cross-site"}, False),
        ("POST", {"Origin": "https://evil.example"}, False),
        ("POST", {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, False),
        ("POST", {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}, False),
        ("POST", {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, False),
        ("DELETE", {"Origin": "http://127.0.0.1:4711"}, False),
    ],
)
@pytest.mark.contract("X01")
def test_what_other_sites_cause_is_refused(method: str, headers: dict[str, str], served: bool) -> None:
    expected = None if served else GuardRefusal.CROSS_SITE
    assert GUARD.refusal(method, {"Host": HOST, **headers}) is expected


@given(
    st.sampled_from(["POST", "PUT", "DELETE", "X"]),
    st.dictionaries(st.sampled_from(["Origin", "Sec-Fetch-Site"]), st.text()),
)
def test_no_act_passes_with_anything_but_our_own_origin(method: str, headers: dict[str, str]) -> None:
    if GUARD.refusal(method, {"Host": HOST, **headers}) is None:
        assert headers.get("Origin", ORIGIN) in (ORIGIN, "null")
        assert headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
