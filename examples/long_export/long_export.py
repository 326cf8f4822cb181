"""Close the window, the export goes on: with progress in a notification, and a button that cancels it (contract S18).

EXPORT names the file that is written, ROWS how long it is, in the environment of the desk that runs it:
frontdesk apps add examples/long_export/long_export.toml
frontdesk open org.example.LongExport
frontdesk status
"""

import asyncio
import os
from pathlib import Path

import frontdesk

EXPORT = "org.example.LongExport.export"
TARGET = Path(os.environ.get("EXPORT", "export.csv"))
ROWS = int(os.environ.get("ROWS", "500"))

app = frontdesk.App("org.example.LongExport")


@app.scheduler.task(EXPORT)
async def export(task: frontdesk.ScheduledTask) -> None:
    part = TARGET.with_name(f"{TARGET.name}.part")
    try:
        with part.open("w") as file:
            for row in range(1, ROWS + 1):
                await asyncio.sleep(0.02)  # stands for work; cancelled here when the person presses the button
                print(row, row * row, sep=",", file=file)
                task.report_progress(row, ROWS, subtitle=f"row {row} of {ROWS}")  # as often as you like
        part.rename(TARGET)
        print(f"{TARGET.name} is there, {ROWS} rows", flush=True)
    finally:
        if part.exists():
            part.unlink()
            print("cancelled; nothing half-written is left", flush=True)


async def clicked() -> None:
    """What a click on "Export" does, and what happens when the window is closed a second later."""
    app.report_foreground()
    await app.scheduler.submit(frontdesk.ContinuedTask(EXPORT, "Export", f"{ROWS} rows"))
    await asyncio.sleep(1)
    app.report_background()


async def main() -> None:
    app.on_open = clicked
    async with app:
        await app.run_until_quit()


if __name__ == "__main__":
    asyncio.run(main())
