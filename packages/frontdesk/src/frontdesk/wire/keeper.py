"""Datagrams between keeper and desk: one JSON object each, over a SOCK_SEQPACKET socket pair that only those two hold.

The desk asks (``Request``), the keeper answers with the same ``id`` (``Reply``), and tells of children that ended
(``Exited``) until the desk has said ``Seen``: so an exit that happens while the desk is being restarted is not lost.
Sockets travel beside a datagram (SCM_RIGHTS): with ``Adopt``, ``Listening`` one, with ``Pages`` one for each page,
in the order of the list. Standard library only, since the keeper is to stay small.
"""

import dataclasses
import enum
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from frontdesk.errors import WireError
from frontdesk.terms import Refusal

DATAGRAM_MOST = 128 * 1024
"""Bytes of one datagram; below the default send buffer of a Unix socket (208 KiB), so that it always fits."""

PAGES_MOST = 250
"""Sockets kept at one time: Linux passes 253 in one message at most (SCM_MAX_FD)."""

PAGE_FD = 3
"""Where a launched app finds its listening socket; ``environment.PAGE_FD`` says so."""


FAILED = 70
"""Exit status of a desk of which a part failed: started again it goes on from its last commit (EX_SOFTWARE of
sysexits.h)."""

HOPELESS = 78
"""Exit status of a desk (and then of its keeper) that would fail again if it were started again (EX_CONFIG)."""


class KeeperRefusal(enum.StrEnum):
    """Why the keeper did not do what the desk asked; nothing was changed."""

    BAD_REQUEST = "bad_request"
    LAUNCH_FAILED = "launch_failed"
    """The program could not be started: no such file, no permission, a log that cannot be written …"""
    LISTEN_FAILED = "listen_failed"
    """The port is taken, or no more sockets may be opened."""
    TOO_MANY_PAGES = "too_many_pages"
    NOT_LISTENING = "not_listening"
    """What was handed over is not a listening TCP socket."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Start ``argv`` in a session of its own; answered by ``Launched``.

    ``env`` is the whole environment. ``log`` takes stdout and stderr. ``cgroup`` is a cgroup v2 folder to join
    before the program runs, or None. ``listen``: the program inherits its page's socket (made if there is none).
    """

    app: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    log: str
    cgroup: str | None = None
    listen: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """Keep a listening socket on 127.0.0.1 for the app; answered by ``Listening``. Port 0 is any. One per app."""

    app: str
    port: int = 0


@dataclass(frozen=True, slots=True)
class Adopt:
    """Keep the listening socket that comes with this datagram, in place of what there was; answered by ``Done``."""

    app: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Close the app's listening socket, if there is one; answered by ``Done``."""

    app: str


@dataclass(frozen=True, slots=True)
class ListPages:
    """Which sockets are kept? Answered by ``Pages``."""


@dataclass(frozen=True, slots=True)
class ListChildren:
    """Which launched processes live? Answered by ``Children``."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The desk knows that this process ended; ``Exited`` is not repeated to the next desk. Not answered."""

    pid: int


@dataclass(frozen=True, slots=True)
class Launched:
    pid: int


@dataclass(frozen=True, slots=True)
class Listening:
    port: int


@dataclass(frozen=True, slots=True)
class Pages:
    pages: tuple[tuple[str, int], ...]
    """(app, port), in the order of the sockets that come along."""


@dataclass(frozen=True, slots=True)
class Children:
    children: tuple[tuple[str, int], ...]
    """(app, process id)"""


@dataclass(frozen=True, slots=True)
class Done:
    """It is as the desk wished."""


@dataclass(frozen=True, slots=True)
class Refused:
    reason: KeeperRefusal
    text: str
    """One sentence for a person."""


@dataclass(frozen=True, slots=True)
class Exited:
    """A launched process ended. ``status`` is its exit status, or minus the number of the signal that ended it."""

    pid: int
    status: int


Request = Launch | Listen | Adopt | Forget | ListPages | ListChildren | Seen
Reply = Launched | Listening | Pages | Children | Done | Refused
Report = Reply | Exited

_Message = TypeVar("_Message", Request, Report)
_Kind = TypeVar("_Kind")


def encode(number: int, message: Request | Report) -> bytes:
    """One datagram. ``number`` pairs a reply with its request; ``Exited`` has 0.

    Raises:
        WireError: it would be larger than DATAGRAM_MOST (an enormous environment, say).
    """
    fields = {field.name: getattr(message, field.name) for field in dataclasses.fields(message)}
    data = json.dumps({"id": number, "what": type(message).__name__, **fields}, separators=(",", ":")).encode()
    if len(data) > DATAGRAM_MOST:
        raise WireError(Refusal.TOO_LARGE, f"{type(message).__name__} takes {len(data)} bytes, {DATAGRAM_MOST} fit.")
    return data


def decode_request(data: bytes) -> tuple[int, Request]:
    """What the desk asks, with its number. Raises WireError for anything else."""
    return _decode(data, _REQUESTS)


def decode_report(data: bytes) -> tuple[int, Report]:
    """What the keeper answers or tells, with the number of the request. Raises WireError for anything else."""
    return _decode(data, _REPORTS)


def _decode(data: bytes, readers: dict[str, Callable[["_Fields"], _Message]]) -> tuple[int, _Message]:
    if len(data) > DATAGRAM_MOST:
        raise WireError(Refusal.TOO_LARGE, f"A datagram of {len(data)} bytes, {DATAGRAM_MOST} fit.")
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError(Refusal.BAD_REQUEST, f"Not a JSON datagram: {error}.") from error
    if not isinstance(raw, dict):
        raise WireError(Refusal.BAD_REQUEST, "A datagram is one JSON object.")
    fields = _Fields(raw)
    read = readers.get(fields.text("what"))
    if read is None:
        raise WireError(Refusal.BAD_REQUEST, f"No such message: {raw['what']!r:.80}.")
    return fields.whole("id"), read(fields)


class _Fields:
    """The fields of one datagram, each read as the type it must have."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw = raw

    def text(self, name: str) -> str:
        return self._checked(name, self._raw.get(name), str)

    def text_or_none(self, name: str) -> str | None:
        return None if self._raw.get(name) is None else self.text(name)

    def whole(self, name: str) -> int:
        return self._checked(name, self._raw.get(name), int)

    def flag(self, name: str) -> bool:
        return self._checked(name, self._raw.get(name), bool)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._checked(name, item, str) for item in self._checked(name, self._raw.get(name), list))

    def text_map(self, name: str) -> dict[str, str]:
        return {
            key: self._checked(name, item, str) for key, item in self._checked(name, self._raw.get(name), dict).items()
        }

    def numbered(self, name: str) -> tuple[tuple[str, int], ...]:
        pairs = []
        for item in self._checked(name, self._raw.get(name), list):
            if len(self._checked(name, item, list)) != 2:
                raise WireError(Refusal.BAD_REQUEST, f"{name}: a name and a number each.")
            pairs.append((self._checked(name, item[0], str), self._checked(name, item[1], int)))
        return tuple(pairs)

    def refusal(self, name: str) -> KeeperRefusal:
        try:
            return KeeperRefusal(self.text(name))
        except ValueError as error:
            raise WireError(Refusal.BAD_REQUEST, f"{name}: {error}.") from error

    def _checked(self, name: str, value: Any, kind: type[_Kind]) -> _Kind:
        # bool is an int to Python, but true is no number to us.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise WireError(Refusal.BAD_REQUEST, f"{name} must be {kind.__name__}, not {type(value).__name__}.")
        return value


_REQUESTS: dict[str, Callable[[_Fields], Request]] = {
    "Launch": lambda f: Launch(
        app=f.text("app"),
        argv=f.texts("argv"),
        env=f.text_map("env"),
        cwd=f.text("cwd"),
        log=f.text("log"),
        cgroup=f.text_or_none("cgroup"),
        listen=f.flag("listen"),
    ),
    "Listen": lambda f: Listen(f.text("app"), f.whole("port")),
    "Adopt": lambda f: Adopt(f.text("app")),
    "Forget": lambda f: Forget(f.text("app")),
    "ListPages": lambda f: ListPages(),
    "ListChildren": lambda f: ListChildren(),
    "Seen": lambda f: Seen(f.whole("pid")),
}

_REPORTS: dict[str, Callable[[_Fields], Report]] = {
    "Launched": lambda f: Launched(f.whole("pid")),
    "Listening": lambda f: Listening(f.whole("port")),
    "Pages": lambda f: Pages(f.numbered("pages")),
    "Children": lambda f: Children(f.numbered("children")),
    "Done": lambda f: Done(),
    "Refused": lambda f: Refused(f.refusal("reason"), f.text("text")),
    "Exited": lambda f: Exited(f.whole("pid"), f.whole("status")),
}
