"""Run in a network of its own: changes it step by step, and prints what ``Routes`` told after each, a line a step."""

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

from frontdesk.agent.shell.routes import Routes

VERSION_6 = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
"""Its routes go with a cable, and tell of it; where there are none, the interface has to."""

STEPS = (
    "link add there type veth peer name here; address add 198.51.100.2/24 dev here; link set here up;"
    " link set there up; route add default via 198.51.100.1",
    "link set there down",  # the cable is out; the route stays
    "link set there up",
    "route del default",
    "-6 address add 2001:db8::2/64 dev here nodad; -6 route add default via 2001:db8::1",
    "link del here",
)


async def main() -> None:
    told = asyncio.Queue[str]()
    words = [""]

    def tell(source: str, condition: str, value: str) -> None:
        if value != words[-1]:
            words.append(value)
            told.put_nowait(value)

    routes = Routes(tell)
    routes.start()
    print(await told.get(), flush=True)
    for step in STEPS:
        with contextlib.suppress(OSError):  # a container may not; then there is one more who tells
            VERSION_6.write_text("0" if "-6" in step else "1")
        for command in step.split(";"):
            subprocess.run(["ip", *command.split()], check=True)
        print(await told.get(), flush=True)
    routes.stop()
    print(await told.get() or "unknown", flush=True)


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(), float(sys.argv[1])))
