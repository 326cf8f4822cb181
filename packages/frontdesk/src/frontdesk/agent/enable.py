"""Start at login (contract L14): a systemd user unit where systemd answers, else an XDG autostart entry."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from frontdesk import places
from frontdesk.errors import FrontdeskError
from frontdesk.start import start_desk

UNIT = "frontdesk.service"
AUTOSTART = "frontdesk.desktop"

_SYSTEMCTL_WITHIN = 30.0


def enable() -> str:
    """Have the desk started at every login, and start it now. Done again it changes nothing.

    Returns a sentence that says what was done.

    Raises:
        FrontdeskError: a file cannot be written, or systemd refuses; the text says which.
        DeskUnavailable: it is enabled, and cannot be started now.
    """
    if _systemd_answers():
        _write(_unit_file(), unit())
        _autostart_file().unlink(missing_ok=True)
        _systemctl("daemon-reload")
        _systemctl("enable", "--now", UNIT)
        return f"The desk starts at every login, and runs now: systemd user unit {_unit_file()} is enabled."
    _write(_autostart_file(), autostart_entry())
    start_desk()
    return f"The desk starts at every graphical login, and runs now: autostart entry {_autostart_file()} is written."


def disable() -> str:
    """Start the desk no more at login; one that runs goes on. Done again it changes nothing. Returns a sentence."""
    found = [file for file in (_unit_file(), _autostart_file()) if file.exists()]
    if not found:
        return "The desk was not started at login; nothing was changed."
    if _unit_file() in found and _systemd_answers():
        _systemctl("disable", UNIT)
    for file in found:
        try:
            file.unlink()
        except OSError as error:
            raise FrontdeskError(f"{file} could not be removed ({error.strerror}). Remove it by hand.") from error
    if _unit_file() in found and _systemd_answers():
        _systemctl("daemon-reload")
    names = " and ".join(str(file) for file in found)
    return f"The desk starts no more at login: {names} is removed. A desk that runs now goes on."


def unit() -> str:
    """The systemd unit (systemd.service(5)) for the desk of this Python and this FRONTDESK_HOME."""
    environment = [f"Environment={_unit_quoted('FRONTDESK_HOME=' + home)}"] if (home := _home()) else []
    return "\n".join(
        [
            "[Unit]",
            "Description=frontdesk: stays awake so that apps can sleep",
            "",
            "[Service]",
            f"ExecStart={' '.join(_unit_quoted(word, command=True) for word in _command())}",
            *environment,
            "# Apps outlive a keeper that dies: only the keeper is ended, and ends its apps when it is asked to.",
            "KillMode=process",
            "# A cgroup of its own to freeze apps in.",
            "Delegate=yes",
            "Restart=on-failure",
            "# 3: a desk runs already. 78: as things are set up it would fail again.",
            "SuccessExitStatus=3",
            "RestartPreventExitStatus=3 78",
            "TimeoutStopSec=15",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
    )


def autostart_entry() -> str:
    """The desktop entry (XDG Autostart Specification) for the desk of this Python and this FRONTDESK_HOME."""
    words = ["env", f"FRONTDESK_HOME={home}"] if (home := _home()) else []
    words += [*_command(), "--detach"]
    return "\n".join(
        [
            "[Desktop Entry]",
            "Type=Application",
            "Name=frontdesk",
            "Comment=Stays awake so that apps can sleep",
            f"Exec={' '.join(map(_entry_quoted, words))}",
            "NoDisplay=true",
            "",
        ]
    )


def _command() -> list[str]:
    return [sys.executable, "-m", "frontdesk.agent.keeper"]


def _home() -> str:
    home = os.environ.get("FRONTDESK_HOME", "")
    return os.path.abspath(home) if home else ""


def _unit_file() -> Path:
    return places.person_config_folder() / "systemd" / "user" / UNIT


def _autostart_file() -> Path:
    return places.person_config_folder() / "autostart" / AUTOSTART


def _unit_quoted(word: str, *, command: bool = False) -> str:
    """Quoted as systemd.syntax(7) says; % starts a specifier, and in commands $ a variable."""
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("\n", "\\n")):
        word = word.replace(special, escaped)
    return f'"{word.replace("$", "$$") if command else word}"'


def _entry_quoted(word: str) -> str:
    """Quoted as the Desktop Entry Specification says: as an argument of Exec, and then once more as a string value."""
    for special in ("\\", '"', "`", "$"):
        word = word.replace(special, "\\" + special)
    return f'"{word.replace("%", "%%")}"'.replace("\\", "\\\\").replace("\n", "\\n")


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    except OSError as error:
        raise FrontdeskError(f"{file} could not be written ({error.strerror}). Nothing was enabled.") from error


def _systemd_answers() -> bool:
    """There is a systemd for this person, and it takes orders from here."""
    if shutil.which("systemctl") is None:
        return False
    try:
        asked = subprocess.run(
            ["systemctl", "--user", "show-environment"], capture_output=True, timeout=_SYSTEMCTL_WITHIN
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def _systemctl(*words: str) -> None:
    command = ["systemctl", "--user", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SYSTEMCTL_WITHIN)
    except subprocess.TimeoutExpired as error:
        raise FrontdeskError(f"`{' '.join(command)}` gave no answer. Try it by hand.") from error
    if done.returncode != 0:
        raise FrontdeskError(
            f"`{' '.join(command)}` failed: {done.stderr.strip()}. Put right what it says and try again."
        )
