"""Every exception an app can see.

FrontdeskError                  root of all; its text says what happened, what was kept, and what to do next
├── DeskUnavailable             no desk answers: it could not be started, or has just died (it comes back)
├── RefusedError                the desk said no; `.reason` is a terms.Refusal, stable to test for
│   ├── VersionMismatch         app and desk share no protocol version (X03)
│   ├── AlreadyRunning          another process of this app is there and has been opened instead (X04)
│   └── ManifestError           a manifest that cannot be read, or is wrong; names the line
├── TaskExpired                 background time ran out inside `async with app.background_task(…)` (A12)
└── WireError                   the other side sent what the protocol does not allow (X02)
"""

from frontdesk.terms import Refusal


class FrontdeskError(Exception):
    """Root of all errors of frontdesk."""


class DeskUnavailable(FrontdeskError):
    """No desk answers."""


class RefusedError(FrontdeskError):
    """The desk refused a request, and changed nothing. ``reason`` is stable; the text is for a person."""

    def __init__(self, reason: Refusal, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class VersionMismatch(RefusedError):
    """App and desk share no protocol version."""


class AlreadyRunning(RefusedError):
    """Another process of this app runs; it has been opened, this one should leave with status 0."""


class ManifestError(RefusedError):
    """A manifest that cannot be used; the text names the file and the place."""


class TaskExpired(FrontdeskError):
    """Background time ran out; the work inside the ``async with`` was cancelled and the task has been ended."""


class WireError(FrontdeskError):
    """The other side broke the protocol. ``reason`` says how."""

    def __init__(self, reason: Refusal, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def refused(reason: Refusal, text: str) -> RefusedError:
    """The exception for a refusal that came over the wire."""
    kinds: dict[Refusal, type[RefusedError]] = {
        Refusal.VERSION: VersionMismatch,
        Refusal.ALREADY_RUNNING: AlreadyRunning,
        Refusal.BAD_MANIFEST: ManifestError,
    }
    return kinds.get(reason, RefusedError)(reason, text)


def spelled_out(text: str) -> str:
    """``text`` with what is no character (file names may hold it) as ``\\udcff``: else it cannot be kept or sent."""
    return text.encode(errors="backslashreplace").decode()
