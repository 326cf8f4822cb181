"""A tiny desk, as the child of the keeper under test: does what the test writes to it over the desk's own socket.

Each line is one request in JSON: {"do": …}; each answer is one line of JSON. Exits that the keeper reports are kept,
and given by "exits". It uses the real ``KeeperChannel``.
"""

import asyncio
import json
import os
import socket
from typing import Any

from frontdesk.agent.shell.keeper_channel import KeeperChannel, KeeperRefused


class TinyDesk:
    def __init__(self) -> None:
        self.keeper = KeeperChannel.from_environment()
        self.exits: dict[int, int] = {}
        self.exited = asyncio.Condition()
        self.lost = asyncio.Event()
        self.keeper.on_exit = self._on_exit
        self.keeper.on_lost = self.lost.set
        self.telling: set[asyncio.Task[None]] = set()

    def _on_exit(self, pid: int, status: int) -> None:
        self.exits[pid] = status
        telling = asyncio.ensure_future(self._tell())
        self.telling.add(telling)
        telling.add_done_callback(self.telling.discard)

    async def _tell(self) -> None:
        async with self.exited:
            self.exited.notify_all()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            ask = json.loads(line)
            try:
                answer = await self.do(**ask)
            except KeeperRefused as error:
                answer = {"reason": error.reason, "text": str(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    async def do(self, do: str, **ask: Any) -> Any:
        match do:
            case "pid":
                return os.getpid()
            case "launch":
                return await self.keeper.launch(**ask)
            case "listen":
                with await self.keeper.listen(**ask) as page:
                    return page.getsockname()[1]
            case "adopt":
                with socket.create_server(("127.0.0.1", 0)) as page:
                    await self.keeper.adopt(ask["app"], page)
                    return page.getsockname()[1]
            case "adopt-wrong":
                with socket.socket() as page:
                    return await self.keeper.adopt(ask["app"], page)
            case "forget":
                return await self.keeper.forget(**ask)
            case "pages":
                return {app: page.getsockname()[1] for app, page in (await self.keeper.sockets()).items()}
            case "children":
                return await self.keeper.children()
            case "exit of":
                async with self.exited:
                    await self.exited.wait_for(lambda: ask["pid"] in self.exits)
                return self.exits[ask["pid"]]
            case "seen":
                return self.keeper.seen(ask["pid"])
            case "leave":
                os._exit(ask["status"])
        raise AssertionError(do)


async def main() -> None:
    desk = TinyDesk()
    listener = socket.socket(fileno=int(os.environ["FRONTDESK_LISTEN_FD"]))
    listener.setblocking(False)
    accepting = asyncio.ensure_future(accept(desk, listener))
    await desk.lost.wait()
    accepting.cancel()


async def accept(desk: TinyDesk, listener: socket.socket) -> None:
    serving: set[asyncio.Task[None]] = set()
    while True:
        visitor, _ = await asyncio.get_running_loop().sock_accept(listener)
        serving.add(asyncio.ensure_future(desk.serve(*await asyncio.open_unix_connection(sock=visitor))))


if __name__ == "__main__":
    asyncio.run(main())
