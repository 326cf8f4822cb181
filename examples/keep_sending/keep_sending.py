"""Finish what was begun: this app's upload is finished although its window is gone (contract A01, A12)."""

import asyncio
from pathlib import Path

import frontdesk

app = frontdesk.App("org.example.KeepSending", manifest=Path(__file__).with_name("keep_sending.toml"))


async def upload(parts: int) -> None:
    """Stands for real work: a part takes a second."""
    for part in range(1, parts + 1):
        await asyncio.sleep(1)
        print(f"part {part} of {parts} is sent, {app.background_time_remaining():.0f} s left", flush=True)


async def main() -> None:
    async with app:
        app.report_background()  # the window is closed …
        try:
            async with app.background_task("upload"):  # … and the desk waits for this
                await upload(parts=5)
        except frontdesk.TaskExpired:
            await app.notify(frontdesk.Notification(id="upload", title="Not everything is sent", body="Open me again."))


if __name__ == "__main__":
    asyncio.run(main())
