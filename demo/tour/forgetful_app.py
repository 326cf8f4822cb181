"""An app that begins a background task and never ends it, to see what the desk does about that (A06, L05).

In its next run it says by a notification what it was told of the last one.
"""

import asyncio
import json
import sys
from pathlib import Path

import frontdesk

APP_ID = "org.frontdesk.Forgetful"
TASK = "never ended"


def manifest(folder: Path) -> Path:
    """Writes the app's manifest into `folder` and gives its place."""
    place = folder / "forgetful.toml"
    # A list of strings is written alike in JSON and in TOML.
    command = json.dumps([sys.executable, __file__, str(place)])
    place.write_text(f'id = "{APP_ID}"\nname = "Forgetful"\ncommand = {command}\n')
    return place


async def run(place: Path) -> None:
    """The app's life: seen for a moment, then in the background with a task it forgets."""
    app = frontdesk.App(APP_ID, manifest=place)
    async with app:
        app.report_foreground()
        for receipt in app.receipts:
            await app.notify(
                frontdesk.Notification(
                    id="told", title=f"Last time: {receipt.reason.words}", body=", ".join(receipt.tasks)
                )
            )
        if not app.receipts:
            # A handler of its own, or the task would be ended for it when time is almost up.
            app.begin_background_task(TASK, expiration_handler=lambda: print("Time is almost up, and I forget."))
        app.report_background()
        await app.run_until_quit()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
