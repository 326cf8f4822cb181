"""Visits the page of an app as a browser does: one connection, one request, the whole answer."""

import asyncio

from tests.desks import PATIENCE


async def visit(port: int, *, within: float = PATIENCE) -> str:
    """What stands on the page at this port of loopback."""
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 "), head
    return body
