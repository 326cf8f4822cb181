"""The keeper's end of its channel to the desk: reports go out in order and never wait for the desk.

The other end is ``keeper_channel``.
"""

import collections
import os
import select
import socket
from collections.abc import Sequence

from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.wire import keeper as wire


class ChannelLost(Exception):
    """The desk has closed its end, or it is broken."""


class ChannelClosed(ChannelLost):
    """The desk has closed its end, as by its own end."""


class DeskChannel:
    """One end of a SOCK_SEQPACKET pair; it lives as long as one desk."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._outbox: collections.deque[tuple[bytes, list[int]]] = collections.deque()

    def fileno(self) -> int:
        return self._end.fileno()

    @property
    def wants(self) -> int:
        """What to poll for. While answers wait no request is read: a desk that reads nothing is not served either."""
        return select.POLLOUT if self._outbox else select.POLLIN

    def send(self, number: int, report: wire.Report, fds: Sequence[int] = ()) -> None:
        """Now, or when the desk has read enough. Raises ChannelLost."""
        # A socket may be forgotten before a slow desk reads: the outbox holds copies of its descriptor.
        self._outbox.append((wire.encode(number, report), [os.dup(fd) for fd in fds]))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the desk takes it. Raises ChannelLost."""
        while self._outbox:
            data, fds = self._outbox[0]
            try:
                socket.send_fds(self._end, [data], fds)
            except BlockingIOError:
                return
            except OSError as error:
                raise ChannelLost(str(error)) from error
            self._outbox.popleft()
            _close(fds)

    def receive(self) -> tuple[int, wire.Request, list[int]] | None:
        """One request, its number, and the descriptors that came along (the caller's to close).

        None: there was nothing to read, or answers wait for the desk to read. Raises ChannelLost.
        """
        if self._outbox:
            return None
        try:
            data, fds, _, _ = socket.recv_fds(self._end, wire.DATAGRAM_MOST + 1, 1)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChannelLost(str(error)) from error
        try:
            if not data:
                raise ChannelClosed("the desk closed it")
            number, request = wire.decode_request(data)
            if fds and not isinstance(request, wire.Adopt):
                raise WireError(Refusal.BAD_REQUEST, f"{type(request).__name__} hands nothing over.")
        except WireError as error:
            # Only a desk of another make sends this. It sees its channel end, and leaves.
            _close(fds)
            raise ChannelLost(f"the desk broke the protocol: {error}") from error
        return number, request, fds

    def close(self) -> None:
        for _, fds in self._outbox:
            _close(fds)
        self._outbox.clear()
        self._end.close()


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
