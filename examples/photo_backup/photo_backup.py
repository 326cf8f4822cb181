"""A backup that costs nothing: copies new photos while the machine is plugged in, unused, and on a free network (S09).

PHOTOS and BACKUP name two folders, in the environment of the desk that runs it:
frontdesk apps add examples/photo_backup/photo_backup.toml
frontdesk open org.example.PhotoBackup
frontdesk explain org.example.PhotoBackup
"""

import asyncio
import os
from pathlib import Path

import frontdesk

COPY = "org.example.PhotoBackup.copy"
PHOTOS, BACKUP = (Path(os.environ.get(name, name.lower())) for name in ("PHOTOS", "BACKUP"))

app = frontdesk.App("org.example.PhotoBackup")


def request(earliest: float | None = None) -> frontdesk.ProcessingTask:
    return frontdesk.ProcessingTask(COPY, earliest, requires_unmetered=True, requires_external_power=True)


async def copy(photo: Path, stop: asyncio.Event) -> None:
    """Piece by piece, going on where an earlier run was stopped."""
    part = BACKUP / f"{photo.name}.part"
    with photo.open("rb") as source, part.open("ab") as target:
        source.seek(target.tell())
        while piece := source.read(1_000_000):
            target.write(piece)
            await asyncio.sleep(0)  # so that the expiration is heard
            if stop.is_set():
                return
    part.rename(BACKUP / photo.name)


@app.scheduler.task(COPY)
async def back_up(task: frontdesk.ScheduledTask) -> None:
    stop = asyncio.Event()
    task.expiration_handler = stop.set  # the person is back, or the time is up: 5 s to come to an end
    BACKUP.mkdir(parents=True, exist_ok=True)
    for photo in sorted(PHOTOS.iterdir()):
        if not stop.is_set() and photo.is_file() and not (BACKUP / photo.name).exists():
            await copy(photo, stop)
            print(f"{photo.name}: {'stopped' if stop.is_set() else 'copied'}", flush=True)
    # The rest as soon as it may be; else what is new in an hour.
    await app.scheduler.submit(request(None if stop.is_set() else app.time() + 3600))
    task.set_task_completed(not stop.is_set())


async def main() -> None:
    async with app:
        await app.scheduler.submit(request(), frontdesk.ExistingWork.KEEP)
        await app.run_until_quit()


if __name__ == "__main__":
    asyncio.run(main())
