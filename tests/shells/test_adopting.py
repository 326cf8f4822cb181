"""A page that an app brought, handed to the keeper over a real channel: also when it is gone before that begins."""

import socket

from frontdesk.agent.main import Desk
from frontdesk.agent.shell.keeper_channel import KeeperChannel


async def test_a_page_that_was_forgotten_before_the_keeper_was_told_ends_nothing() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    desk = Desk.__new__(Desk)
    desk._keeper = KeeperChannel(theirs)
    page = socket.create_server(("127.0.0.1", 0))
    page.close()
    await desk._adopt("org.example.notes", page)
    ours.setblocking(False)
    desk._keeper.close()
    assert ours.recv(10) == b""
    ours.close()
