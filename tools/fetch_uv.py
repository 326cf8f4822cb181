"""Finds uv, or fetches the one that uv.lock pins into ``.tools/``; prints its path. Standard library only.

Run by the Makefile with whatever Python the machine has, before anything is installed. The order:

1. a uv on the PATH, if it is new enough for our lock file;
2. the one fetched earlier;
3. pip, into a folder of ours: it knows the proxies, mirrors and certificates this machine is set up with, and
   ``--target`` touches nothing of the system's Python, so one that refuses installs (PEP 668) does not mind;
4. no pip, or it failed: the wheel's address in uv.lock, over HTTPS.

Whatever came, its SHA-256 is that of uv.lock or it is not used.
"""

import hashlib
import http.client
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (0, 9)
"""Older ones may not read our uv.lock."""

DOWNLOAD_TIMEOUT = 60.0
"""Seconds without a byte."""


NOT_FETCHED = """uv could not be fetched:
  - {}
  - {}
Nothing was installed. Check the network (a proxy goes into HTTPS_PROXY) and the certificates (on Debian: package
ca-certificates), or install uv by other means so that it is on the PATH; then run make again."""


class FetchError(Exception):
    """uv cannot be had; the text says why and what to do."""


class Wheel(NamedTuple):
    """A wheel as uv.lock lists it."""

    url: str
    sha256: str

    @property
    def tags(self) -> list[str]:
        """Its platform tags (PEP 425, PEP 600, PEP 656)."""
        return self.url.rpartition("/")[2].removesuffix(".whl").rpartition("-")[2].split(".")


class Machine(NamedTuple):
    """What decides which wheel runs here."""

    system: str
    """``linux``, ``darwin`` or ``win32``, as in sys.platform."""
    processor: str
    """As the tags write it: ``x86_64``, ``aarch64`` …"""
    glibc: tuple[int, int]
    """Version of the C library; (0, 0) where it is another, musl say."""


def this_machine() -> Machine:
    """The machine this runs on."""
    processor = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    library, version = platform.libc_ver()
    found = re.match(r"(\d+)\.(\d+)", version) if library == "glibc" else None
    return Machine(sys.platform, processor, (int(found[1]), int(found[2])) if found else (0, 0))


def runs_on(tag: str, machine: Machine) -> bool:
    """Whether a wheel with this platform tag runs on the machine."""
    if machine.system == "darwin":
        return tag.startswith("macosx_") and tag.endswith({"aarch64": "_arm64"}.get(machine.processor, "_x86_64"))
    if machine.system == "win32":
        return tag == {"x86_64": "win_amd64", "aarch64": "win_arm64"}.get(machine.processor, "win32")
    if not tag.endswith("_" + machine.processor):
        return False
    if machine.glibc == (0, 0):
        return tag.startswith("musllinux_")
    needs = re.match(r"manylinux_(\d+)_(\d+)_", tag)
    if needs:
        return (int(needs[1]), int(needs[2])) <= machine.glibc
    return tag.startswith(("manylinux2014_", "linux_"))


def wheel_for(wheels: list[Wheel], machine: Machine) -> Wheel:
    """The wheel that runs on the machine. Raises FetchError when there is none."""
    for wheel in wheels:
        if any(runs_on(tag, machine) for tag in wheel.tags):
            return wheel
    raise FetchError(
        f"There is no uv for this machine ({machine.system}, {machine.processor}). "
        "Install uv by other means so that it is on the PATH, and run make again."
    )


def locked(lock: dict[str, Any]) -> tuple[str, list[Wheel]]:
    """Version and wheels of uv as uv.lock pins them."""
    for package in lock["package"]:
        if package["name"] == "uv":
            return package["version"], [
                Wheel(wheel["url"], wheel["hash"].removeprefix("sha256:")) for wheel in package["wheels"]
            ]
    raise FetchError("uv.lock does not list uv: it has to be in the group `bootstrap` of pyproject.toml.")


def on_path() -> Path | None:
    """A uv on the PATH that is new enough, or None."""
    found = shutil.which("uv")
    if not found:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"uv (\d+)\.(\d+)", said)
    if version and (int(version[1]), int(version[2])) >= OLDEST:
        return Path(found)
    say(f"{found} is too old for our uv.lock ({said.strip() or 'it does not tell its version'}); fetching another.")
    return None


def by_pip(version: str, wheels: list[Wheel], folder: Path) -> Path:
    """Lets pip put uv below ``folder``; the path of the program. Raises FetchError when pip is missing or fails."""
    wanted = folder / "uv.txt"
    wanted.write_text(f"uv=={version}" + "".join(f" --hash=sha256:{wheel.sha256}" for wheel in wheels) + "\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
    command = [*pip, "--only-binary", ":all:", "--require-hashes", "--target", str(folder), "-r", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    program = folder / "bin" / "uv"
    if done.returncode != 0 or not program.exists():
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        error = next((line for line in reversed(said) if line.startswith("ERROR")), said[-1])
        raise FetchError(f"pip could not install it: {error}")
    return program


def by_download(wheel: Wheel, folder: Path) -> Path:
    """Downloads the wheel and unpacks the program into ``folder``; its path. Raises FetchError."""
    try:
        with urllib.request.urlopen(wheel.url, timeout=DOWNLOAD_TIMEOUT) as answer:
            content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{wheel.url} could not be downloaded: {error}") from error
    if hashlib.sha256(content).hexdigest() != wheel.sha256:
        raise FetchError(f"{wheel.url} is not what uv.lock says it is (SHA-256 differs). It was thrown away.")
    packed = folder / "uv.whl"
    packed.write_bytes(content)
    with zipfile.ZipFile(packed) as archive:
        inside = next(name for name in archive.namelist() if name.endswith(("/scripts/uv", "/scripts/uv.exe")))
        program = folder / "uv"
        program.write_bytes(archive.read(inside))
    packed.unlink()
    return program


def install_certificates() -> None:
    """On a bare Debian, as root: installs what HTTPS needs; elsewhere does nothing."""
    has_some = "SSL_CERT_FILE" in os.environ or Path("/etc/ssl/certs/ca-certificates.crt").exists()
    if has_some or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    say("This machine has no certificate authorities; installing ca-certificates …")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-qy", "--no-install-recommends", "ca-certificates"],
    ):
        if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
            raise FetchError(
                "ca-certificates could not be installed (see above). Install that package, run make again."
            )


def fetch(version: str, wheels: list[Wheel], place: Path) -> None:
    """Puts uv at ``place``, whole or not at all. Raises FetchError that tells all that was tried."""
    wheel = wheel_for(wheels, this_machine())
    place.parent.mkdir(parents=True, exist_ok=True)
    install_certificates()
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        try:
            program = by_pip(version, wheels, Path(folder))
        except FetchError as without_pip:
            try:
                program = by_download(wheel, Path(folder))
            except FetchError as without_network:
                raise FetchError(NOT_FETCHED.format(without_pip, without_network)) from None
        program.chmod(0o755)
        program.replace(place)


def say(line: str) -> None:
    """A line for the person; the standard output is for the path."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Prints the path of a uv to use; exit status 1 and the reason when there is none."""
    found = on_path()
    if not found:
        try:
            version, wheels = locked(tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8")))
            found = ROOT / ".tools" / f"uv-{version}" / "uv"
            if not found.exists():
                say(f"Fetching uv {version} into {found.parent.relative_to(ROOT)} …")
                fetch(version, wheels, found)
        except FetchError as error:
            say(str(error))
            return 1
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
