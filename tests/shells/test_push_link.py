"""Why the push service is not reached is written to the desk's log once, in the machine's words."""

import asyncio
import logging
import socket

import pytest

from frontdesk.agent.core import events as ev
from frontdesk.agent.shell.push_link import PushLink


async def test_the_log_says_once_why_there_is_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "frontdesk.desk")
    heard: asyncio.Queue[ev.Event] = asyncio.Queue()
    with socket.socket() as nobody:  # bound, and not listening: whoever connects is refused
        nobody.bind(("127.0.0.1", 0))
        link = PushLink(f"ws://127.0.0.1:{nobody.getsockname()[1]}/", "", heard.put_nowait, lambda _: None)
        running = asyncio.create_task(link.connection.run())
        assert isinstance(await heard.get(), ev.PushLinkDown)
        link.connection.reconnect_now()
        assert isinstance(await heard.get(), ev.PushLinkDown)
        running.cancel()
        await asyncio.wait([running])
    (said,) = (record.getMessage() for record in caplog.records if "push service" in record.getMessage())
    assert "ClientConnectorError" in said and "tried again" in said
