"""``settings.toml`` of one person's desk: what may stand in it, and reading it. Absent file: all defaults."""

import math
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from frontdesk.agent.core.limits import Limits
from frontdesk.errors import FrontdeskError


class SettingsWrong(FrontdeskError):
    """A setting that cannot be used; the text names the file, the place and what is expected."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. ``limits``: see ``agent.core.limits``."""

    push_service: str = ""
    """WebSocket address of the push service (ws:// or wss://); empty: no pushes."""
    background_off: tuple[str, ...] = ()
    """Apps (ids, or ``*`` for all) that may not run in the background (L10)."""
    freezer: Literal["auto", "cgroup", "signals"] = "auto"
    """How apps are suspended; ``auto``: by cgroup where one may be made, else by signals (L01)."""
    limits: Limits = Limits()


def read_settings(file: Path) -> Settings:
    """``SettingsWrong`` when the file cannot be read or holds something unusable; nothing is guessed."""
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsWrong(f"{file} cannot be read ({error.strerror}). Correct that, then start the desk.") from error
    try:
        settings = msgspec.toml.decode(text, type=Settings)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsWrong(f"{file}: {error}. Correct it, then start the desk; nothing was changed.") from error
    _check(file, settings)
    return settings


def _check(file: Path, settings: Settings) -> None:
    then = "Correct it, then start the desk; nothing was changed."
    for name in msgspec.structs.fields(Limits):
        value = getattr(settings.limits, name.name)
        if not 0 < value < math.inf:
            raise SettingsWrong(f"{file}: limits.{name.name} is {value}; it must be more than 0, and finite. {then}")
    if settings.limits.expiry_lead >= min(settings.limits.background, settings.limits.push):
        what = "limits.expiry_lead must be less than limits.background and limits.push"
        raise SettingsWrong(f"{file}: {what}. {then}")
    if settings.push_service and not _is_websocket_address(settings.push_service):
        what = f"push_service is {settings.push_service!r}; it must be like wss://push.example.org/ (or ws://)"
        raise SettingsWrong(f"{file}: {what}. {then}")


def _is_websocket_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port that is none
        return False
