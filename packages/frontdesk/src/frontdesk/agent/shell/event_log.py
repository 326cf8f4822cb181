"""``state/events.log``: the desk's event log as a file, when recording is on (``record`` in settings.toml)."""

import errno
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.recorded.recording import Recording
from frontdesk.agent.core.setup import Setup

log = logging.getLogger("frontdesk.desk")

MOST_BYTES = 64 << 20
"""Of one log; then recording ends until the desk is started again. A log goes on from the desk's start only."""


class EventLog:
    """One desk's life, from its start; the log of the desk before lies beside it as ``events.log.1``, older ones go.

    ``new_id`` is where the core's ids come from. What cannot be written is not recorded: the desk goes on without.
    """

    def __init__(self, file: Path, new_id: Callable[[], str], most_bytes: int = MOST_BYTES) -> None:
        self._new_id = new_id
        self._most_bytes = most_bytes
        self._file = file
        self._recording = Recording()
        self._ids: list[str] = []
        self._room = most_bytes
        self._out: BinaryIO | None = None

    def begin(self, setup: Setup, saved: Iterable[tuple[str, str, bytes]]) -> None:
        """Before the core is told anything."""
        try:
            if self._file.exists():
                self._file.replace(self._file.with_name(f"{self._file.name}.1"))
            # Unbuffered: what a killed desk had decided is in the file.
            self._out = open(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)  # noqa: SIM115 - until the end
        except OSError as error:
            log.error("%s cannot be made (%s): nothing is recorded.", self._file, error.strerror)
            return
        self._room = self._most_bytes
        self._write(self._recording.begun(setup, saved))

    def draw(self) -> str:
        """An id for the core."""
        drawn = self._new_id()
        if self._out is not None:
            self._ids.append(drawn)
        return drawn

    def batch(
        self, now: float, events: Sequence[ev.Event], effects: Sequence[do.Effect] | None, wake: float | None
    ) -> None:
        """What was handled together; before any of it is carried out. ``effects`` None: the core failed over it."""
        if self._out is None:
            return
        ids, self._ids = self._ids, []
        frame = self._recording.batch(now, events, ids, effects, wake)
        if len(frame) > self._room:
            log.warning(
                "%s has %d MiB: recording ends until the desk is started again.", self._file, self._most_bytes >> 20
            )
            self._write(self._recording.full(now))
            self.close()
        else:
            self._write(frame)

    def close(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None

    def _write(self, frame: bytes) -> None:
        if self._out is None:
            return
        try:
            # One call, so that a desk killed over it leaves the end of the log at worst.
            if self._out.write(frame) < len(frame):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._room -= len(frame)
        except OSError as error:
            log.error("%s cannot be written (%s): recording ends.", self._file, error.strerror)
            self.close()
