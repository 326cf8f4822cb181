"""Which wheel of uv.lock runs on which machine, decided without any network."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.fetch_uv import FetchError, Machine, Wheel, locked, runs_on, this_machine, wheel_for

LOCK = tomllib.loads((Path(__file__).resolve().parents[2] / "uv.lock").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("machine", "tag"),
    [
        (Machine("linux", "x86_64", (2, 36)), "manylinux_2_17_x86_64"),
        (Machine("linux", "aarch64", (2, 28)), "manylinux_2_17_aarch64"),
        (Machine("linux", "armv7l", (2, 31)), "manylinux_2_17_armv7l"),
        (Machine("linux", "armv6l", (2, 28)), "linux_armv6l"),
        (Machine("linux", "x86_64", (0, 0)), "musllinux_1_1_x86_64"),
        (Machine("darwin", "x86_64", (0, 0)), "macosx_10_12_x86_64"),
        (Machine("darwin", "aarch64", (0, 0)), "macosx_11_0_arm64"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value[:2]),
)
def test_every_machine_gets_its_wheel_of_our_lock(machine: Machine, tag: str) -> None:
    _, wheels = locked(LOCK)
    assert tag in wheel_for(wheels, machine).tags


def test_our_lock_has_a_wheel_for_this_machine_with_its_hash() -> None:
    version, wheels = locked(LOCK)
    wheel = wheel_for(wheels, this_machine())
    assert f"uv-{version}-" in wheel.url
    assert len(bytes.fromhex(wheel.sha256)) == 32


def test_a_wheel_that_needs_a_newer_c_library_is_not_taken() -> None:
    new, old = (
        Wheel("https://x/uv-1-py3-none-manylinux_2_28_x86_64.whl", ""),
        Wheel("https://x/uv-1-py3-none-any.whl", ""),
    )
    assert wheel_for([new, old], Machine("linux", "x86_64", (2, 28))) == new
    with pytest.raises(FetchError, match="no uv for this machine"):
        wheel_for([new, old], Machine("linux", "x86_64", (2, 27)))


def test_a_machine_nobody_builds_for_is_told_what_to_do() -> None:
    with pytest.raises(FetchError, match="Install uv by other means"):
        wheel_for(locked(LOCK)[1], Machine("linux", "vax", (2, 36)))


def test_a_lock_without_uv_is_said_to_be_one() -> None:
    with pytest.raises(FetchError, match="does not list uv"):
        locked({"package": [{"name": "uvloop"}]})


@given(
    st.text(max_size=60),
    st.builds(
        Machine,
        st.sampled_from(["linux", "darwin", "win32"]),
        st.sampled_from(["x86_64", "aarch64", "riscv64", ""]),
        st.tuples(st.integers(0, 3), st.integers(0, 50)),
    ),
)
def test_no_odd_tag_breaks_the_choice(tag: str, machine: Machine) -> None:
    assert runs_on(tag, machine) in (True, False)
