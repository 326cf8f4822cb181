"""Finish what was begun: the upload goes on although the window is closed (contract A01, A12).

frontdesk apps add examples/keep_sending/keep_sending.toml
frontdesk open org.example.KeepSending
frontdesk status
"""

import asyncio
import math

import frontdesk

app = frontdesk.App("org.example.KeepSending")


async def upload(parts: int) -> None:
    """Stands for real work: a part takes a second."""
    for part in range(1, parts + 1):
        await asyncio.sleep(1)
        left = app.background_time_remaining()  # infinite while the window is open
        print(f"part {part} of {parts} is sent" + (f", {left:.0f} s left" if left < math.inf else ""), flush=True)


async def send() -> None:
    """What a click on "Send" does."""
    try:
        async with app.background_task("upload"):
            await upload(parts=5)
    except frontdesk.TaskExpired:
        await app.notify(frontdesk.Notification(id="upload", title="Not everything is sent", body="Open me again."))


async def main() -> None:
    async with app:
        app.report_foreground()  # a real app does this when its window shows …
        sending = asyncio.create_task(send())
        await asyncio.sleep(1)
        app.report_background()  # … and this when it is closed: here, in the middle of sending
        await sending  # once it is done the desk suspends this app, right here, until somebody needs it
        await app.run_until_quit()


if __name__ == "__main__":
    asyncio.run(main())
