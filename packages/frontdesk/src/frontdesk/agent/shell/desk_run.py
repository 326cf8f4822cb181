"""What the desk keeps of its own run: to which boot of the machine it belongs, and how it ended (contract L06).

A run that is under way reads as killed. Only an end in order takes that note away, and a desk that can still speak
puts its reason there: so the next desk knows, whatever happened.
"""

import logging

import msgspec

from frontdesk.agent.core.effects import Save
from frontdesk.agent.shell.store import Store, StoreFailed
from frontdesk.errors import spelled_out
from frontdesk.terms import Happening

log = logging.getLogger("frontdesk.desk")

MACHINE = "desk"
"""Under this word it is saved, beside the machines of the core."""

_BOOT, _END = "boot", "end"

KILLED = "It was killed, or died without a word."
KEEPER_LOST = "Its keeper was gone."


class DeskRun:
    """``boot``: this boot of the machine. Give back what was saved (``restore``), then ``begin``."""

    def __init__(self, store: Store, boot: str) -> None:
        self.same_boot = False
        """The desk before ran since the machine was started, so its processes may still be there."""
        self.before: Happening | None = None
        """How that desk ended, when it did not end in order; ``at`` is when this one took over.

        ``failed`` (a part of it), ``killed`` (it left no word), ``keeper_lost``.
        """
        self._store = store
        self._boot = boot.encode()
        self._left: bytes | None = None

    def restore(self, key: str, value: bytes) -> None:
        """Take back one saved value."""
        if key == _BOOT:
            self.same_boot = value == self._boot
        elif key == _END:
            self._left = value

    def begin(self, now: float) -> None:
        """From now on this run is the one that is kept. ``StoreFailed``: its boot could not be."""
        if self.same_boot and self._left is not None:
            found = msgspec.msgpack.decode(self._left, type=Happening)
            self.before = msgspec.structs.replace(found, at=now)
        saves = [Save(MACHINE, _BOOT, self._boot), _end(Happening(now, "", "killed", KILLED))]
        try:
            self._store.commit(saves, [])
        except StoreFailed as error:
            if not self.same_boot:
                raise
            log.error("%s", error)

    def failed(self, error: BaseException, now: float) -> Happening:
        """A part of the desk failed, and the desk ends."""
        text = f"A part of it failed ({type(error).__name__}: {error}); logs/desk.log says where."
        return self._ended(Happening(now, "", "failed", spelled_out(text)))

    def keeper_lost(self, now: float) -> None:
        """The desk ends because it can launch nothing any more."""
        self._ended(Happening(now, "", "keeper_lost", KEEPER_LOST))

    def ended_in_order(self) -> None:
        self._keep(Save(MACHINE, _END, None))

    def _ended(self, how: Happening) -> Happening:
        self._keep(_end(how))
        return how

    def _keep(self, save: Save) -> None:
        try:
            self._store.commit([save], [])
        except StoreFailed as error:
            log.error("%s The next desk will take this one for killed.", error)


def _end(how: Happening) -> Save:
    return Save(MACHINE, _END, msgspec.msgpack.encode(how))
