"""A page that an app brought, handed to the keeper over a real channel: also when it is gone before that begins."""

import socket

from frontdesk.agent.shell.keeper_channel import KeeperChannel
from frontdesk.agent.shell.kept_pages import KeptPages


async def test_a_page_that_was_forgotten_before_the_keeper_was_told_ends_nothing() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keeper = KeeperChannel(theirs)
    pages = KeptPages(keeper, lambda event: None, lambda work: work.close(), lambda app: 0)
    page = socket.create_server(("127.0.0.1", 0))
    page.close()
    await pages._adopt("org.example.notes", page)
    ours.setblocking(False)
    keeper.close()
    assert ours.recv(10) == b""
    ours.close()
