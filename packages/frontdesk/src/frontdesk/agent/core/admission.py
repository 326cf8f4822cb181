"""Who may speak for which app (contract X01) and with which words (X03): decided from the kernel's word."""

import posixpath

import msgspec

from frontdesk.terms import Manifest, Refusal
from frontdesk.wire import desk as wire


class Peer(msgspec.Struct, frozen=True):
    """A program at the other end of the desk's socket, as the kernel describes it."""

    pid: int
    uid: int
    started: int
    """Start of its process, clock ticks since boot."""
    command: tuple[str, ...]
    """Its arguments, ``/proc/PID/cmdline``."""
    folder: str
    """Its working folder, which relative paths in ``command`` start from."""


class Admitted(msgspec.Struct, frozen=True):
    version: int
    launched: bool
    """By the token of its launch, not by hand."""


class No(msgspec.Struct, frozen=True):
    reason: Refusal
    text: str


def version_of(opening: wire.Opening) -> int | No:
    """The protocol version to speak, or the clear word that there is none (X03)."""
    version = wire.agreed_version(opening.oldest, opening.newest)
    if version is not None:
        return version
    older = opening.newest < wire.OLDEST
    return No(
        Refusal.VERSION,
        f"This desk speaks protocol {wire.OLDEST} to {wire.NEWEST}, the app {opening.oldest} to {opening.newest}. "
        f"Nothing was changed; update {'the app' if older else 'frontdesk'}.",
    )


def admit(
    hello: wire.Hello, peer: Peer, own_uid: int, manifest: Manifest | None, token: str, run: str
) -> Admitted | No:
    """Whether ``peer`` may be the app it says it is.

    ``manifest``: what is registered under that id, if anything. ``token``: that of its launch, "" when it was not
    launched. ``run``: the run that is connected now, "" when none is.
    """
    if peer.uid != own_uid:
        return No(Refusal.NOT_PERMITTED, "This desk belongs to another person. Nothing was told or changed.")
    version = version_of(hello)
    if isinstance(version, No):
        return version
    if manifest is None:
        return No(
            Refusal.UNKNOWN_APP,
            f"No app {hello.app} is registered. Register it with: frontdesk apps add MANIFEST.toml",
        )
    if run and run != hello.run:
        return No(Refusal.ALREADY_RUNNING, f"{manifest.name} is running already; that one has been opened instead.")
    if hello.token:
        if token and hello.token == token:
            return Admitted(version, launched=True)
        return No(Refusal.WRONG_TOKEN, f"The launch token is not that of {hello.app}. Start it again without one.")
    if runs_command(peer, manifest.command):
        return Admitted(version, launched=False)
    return No(
        Refusal.NOT_PERMITTED,
        f"{hello.app} is registered with the command {' '.join(manifest.command)!r}, and this program is another one. "
        "Nothing was changed; correct the command in its manifest and add it again, or start it by that command.",
    )


def unknown(app: str) -> str:
    """The sentence about an app that is not registered."""
    return f"No app {app} is registered. `frontdesk apps list` shows those that are."


def runs_command(peer: Peer, command: tuple[str, ...]) -> bool:
    """Whether the peer's command line is the registered one, perhaps behind an interpreter, perhaps with more words.

    Which Python runs a script is not the point; which script is.
    """
    for skipped in (0, 1):
        words = peer.command[skipped : skipped + len(command)]
        if command and len(words) == len(command):
            first = _same(words[0], command[0], peer.folder) or (_is_python(words[0]) and _is_python(command[0]))
            if first and all(_same(*pair, peer.folder) for pair in zip(words[1:], command[1:], strict=True)):
                return True
    return False


def _same(word: str, registered: str, folder: str) -> bool:
    if word == registered or posixpath.normpath(posixpath.join(folder, word)) == registered:
        return True
    return "/" not in registered and posixpath.basename(word) == registered


def _is_python(word: str) -> bool:
    return posixpath.basename(word).startswith("python")
