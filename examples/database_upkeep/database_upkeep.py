"""Upkeep that nobody waits for: a SQLite file is analysed and shrunk, step by step, once a day (contract S09, S19).

DATABASE names the file, in the environment of the desk that runs it:
frontdesk apps add examples/database_upkeep/database_upkeep.toml
frontdesk open org.example.DatabaseUpkeep
frontdesk explain org.example.DatabaseUpkeep
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterator

import frontdesk

TIDY = "org.example.DatabaseUpkeep.tidy"
DATABASE = os.environ.get("DATABASE", "notes.sqlite3")
PAGES = 100

app = frontdesk.App("org.example.DatabaseUpkeep")


def request(earliest: float | None = None) -> frontdesk.ProcessingTask:
    # When it fails, because the file is locked say, the desk tries again after 1, 2, 4 … minutes.
    return frontdesk.ProcessingTask(TIDY, earliest, retry=frontdesk.Retry(first=60.0, most=3600.0))


def steps(database: sqlite3.Connection) -> Iterator[str]:  # each is short, and done for good
    if database.execute("PRAGMA auto_vacuum").fetchone() != (2,):
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("VACUUM")
        yield "written anew: free pages can be given back from now on"
    for schema, name, kind, *_ in database.execute("PRAGMA table_list").fetchall():
        if (schema, kind) == ("main", "table") and not name.startswith("sqlite_"):
            database.execute('ANALYZE "{}"'.format(name.replace('"', '""')))
            yield f"analysed {name}"
    while free := database.execute("PRAGMA freelist_count").fetchone()[0]:
        database.executescript(f"PRAGMA incremental_vacuum({PAGES})")
        yield f"gave back {min(free, PAGES)} pages"


@app.scheduler.task(TIDY)
async def tidy(task: frontdesk.ScheduledTask) -> None:
    with contextlib.closing(sqlite3.connect(DATABASE, isolation_level=None)) as database:
        for done in steps(database):
            print(done, flush=True)
            await asyncio.sleep(0)  # no expiration handler: when time is up this is cancelled here, between two steps
    await app.scheduler.submit(request(app.time() + 86400))


async def main() -> None:
    async with app:
        await app.scheduler.submit(request(), frontdesk.ExistingWork.KEEP)
        await app.run_until_quit()


if __name__ == "__main__":
    asyncio.run(main())
