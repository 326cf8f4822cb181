"""``settings.toml`` of one person's desk: what may stand in it, and reading it. Absent file: all defaults."""

import difflib
import math
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import inspect

from frontdesk.agent.core.limits import Limits
from frontdesk.errors import FrontdeskError
from frontdesk.terms import APP_ID, APP_ID_MOST


class SettingsWrong(FrontdeskError):
    """A setting that cannot be used; the text names the file, the place and what is expected."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. ``limits``: see ``agent.core.limits``."""

    push_service: str = ""
    """WebSocket address of the push service: ``wss://HOST/`` for ``frontdesk push serve --public-url https://HOST``;
    empty: no pushes."""
    background_off: tuple[str, ...] = ()
    """Apps (ids, ``*``: all) that do not run in the background until ``frontdesk background`` says otherwise (L10)."""
    freezer: Literal["auto", "cgroup", "signals"] = "auto"
    """How apps are suspended; ``auto``: by cgroup where one may be made, else by signals (L01)."""
    record: bool = False
    """Whether what happens and what is decided is written to ``state/events.log``, for ``frontdesk replay``. That holds
    what pushes and notifications say."""
    limits: Limits = Limits()
    memory: dict[str, int | str] = msgspec.field(default_factory=dict)
    """Memory that single apps may use in the background, by id: bytes, or like ``"768 MiB"`` (L09)."""

    @property
    def memory_in_bytes(self) -> dict[str, int]:
        """``memory``, all of it in bytes."""
        return {app: most for app, text in self.memory.items() if (most := _in_bytes(text)) is not None}


_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def _in_bytes(written: int | str) -> int | None:
    """None: it is no amount of memory."""
    if isinstance(written, int):
        return written if written > 0 else None
    amount = re.fullmatch(r"(\d{1,9}) ?([KMG]iB)", written, re.ASCII)
    return int(amount[1]) * _UNITS[amount[2]] or None if amount else None


def read_settings(file: Path) -> Settings:
    """``SettingsWrong`` when the file cannot be read or holds something unusable; nothing is guessed."""
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsWrong(f"{file} cannot be read ({error.strerror}). Correct that, then start the desk.") from error
    try:
        return settings_in(text)
    except _Wrong as wrong:
        line = f", line {wrong.line}" if wrong.line else ""
        then = "Correct it, then start the desk; nothing was changed."
        raise SettingsWrong(f"{file}{line}: {wrong}. {then}") from wrong


class _Wrong(Exception):
    """What is wrong, and in which line as far as that can be told (from 1; 0: it cannot)."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.line = line


def settings_in(text: bytes) -> Settings:
    """What the text of a file says; ``_Wrong`` when that cannot be used."""
    try:
        written = msgspec.toml.decode(text)
        _look_at(Settings, "", written, text)
        settings = msgspec.convert(written, Settings)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _Wrong(str(error)) from error
    _check(settings, text)
    return settings


def what_it_can_be(kind: inspect.Type) -> str:
    """In words: ``a number of seconds, more than 0``; empty for a type that has none."""
    match kind:
        case inspect.Metadata(type=inner, extra=extra):
            of = (extra or {}).get("unit", "")
            return what_it_can_be(inner).replace("number", f"number of {of}" if of not in ("", "count") else "number")
        case inspect.FloatType(gt=above, ge=least):
            return f"a number, more than {above:g}" if above is not None else f"a number, {least or 0:g} or more"
        case inspect.IntType(ge=least, le=most):
            return f"a whole number, {least or 0} {'or more' if most is None else f'to {most}'}"
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType():
            return "a text in quotes"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(f'"{value}"' for value in values)
        case inspect.VarTupleType(item_type=item):
            return f"a list in brackets, of which each is {what_it_can_be(item)}"
        case inspect.DictType(value_type=value):
            return f"a section in which each line says {what_it_can_be(value)}"
        case inspect.StructType():
            return "a section of its own"
        case inspect.UnionType(types=kinds):
            return ", or ".join(map(what_it_can_be, kinds))
    return ""


def _look_at(section: type[msgspec.Struct], place: str, written: dict[str, Any], text: bytes) -> None:
    """``_Wrong`` for what is no setting of the section, or has a value that it cannot have."""
    fields = {field.name: field for field in msgspec.structs.fields(section)}
    for name, value in written.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            meant = f"perhaps {near[0]} is meant" if near else "docs/settings.md lists those there are"
            raise _Wrong(f"{place}{name} is no setting; {meant}", _line(text, name))
        kind = fields[name].type
        if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            _look_at(kind, f"{place}{name}.", value, text)
            continue
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            can_be = what_it_can_be(inspect.type_info(kind)) or str(error)
            raise _Wrong(f"{place}{name} is {value!r}; it must be {can_be}", _line(text, name)) from error


def _line(text: bytes, name: str) -> int:
    """The line in which ``name`` is given a value or begins a section; 0 unless there is exactly one."""
    begins = re.compile(rf'^\s*(?:[\w"-]+\.)*"?{re.escape(name)}"?\s*=|^\s*\[\s*"?{re.escape(name)}"?\s*\]')
    found = [number for number, line in enumerate(text.decode().split("\n"), 1) if begins.match(line)]
    return found[0] if len(found) == 1 else 0


_IN_ORDER = (
    ("expiry_lead", "less than", "background"),
    ("expiry_lead", "less than", "push"),
    ("expiry_lead", "less than", "refresh"),
    ("expiry_lead", "less than", "processing"),
    ("retry_first", "at most", "retry_most"),
    ("critical_battery", "at most", "low_battery"),
    ("budget_least", "at most", "budget_most"),
)
"""Limits that make sense only beside each other."""


def _check(settings: Settings, text: bytes) -> None:
    for app, written in settings.memory.items():
        if not APP_ID.fullmatch(app) or len(app) > APP_ID_MOST:
            raise _Wrong(f"memory.{app} is no id of an app; it must be like org.example.notes", _line(text, app))
        if _in_bytes(written) is None:
            can_be = 'a number of bytes, more than 0, or like "768 MiB" (KiB, MiB, GiB)'
            raise _Wrong(f"memory.{app} is {written!r}; it must be {can_be}", _line(text, app))
    limits = settings.limits
    for field in msgspec.structs.fields(Limits):
        value = getattr(limits, field.name)
        if not abs(value) < math.inf:
            can_be = what_it_can_be(inspect.type_info(field.type))
            raise _Wrong(f"limits.{field.name} is {value}; it must be {can_be}, and finite", _line(text, field.name))
    for lower, how, upper in _IN_ORDER:
        low, high = getattr(limits, lower), getattr(limits, upper)
        if low > high or (low == high and how == "less than"):
            what = f"limits.{lower} is {low:g}; it must be {how} limits.{upper}, which is {high:g}"
            raise _Wrong(what, _line(text, lower) or _line(text, upper))
    if settings.push_service and not _is_websocket_address(settings.push_service):
        what = f"push_service is {settings.push_service!r}; it must be like wss://push.example.org/ (or ws://)"
        raise _Wrong(what, _line(text, "push_service"))
    for app in settings.background_off:
        if app != "*" and (len(app) > APP_ID_MOST or not APP_ID.fullmatch(app)):
            what = f'background_off names {app!r}; each must be the id of an app, like org.example.notes, or "*"'
            raise _Wrong(what, _line(text, "background_off"))


def _is_websocket_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port that is none
        return False
