"""Fresh before you look: fetches its feed shortly before the hour at which you usually open it (contract S08, S14).

FEED names an RSS or Atom feed, NEWS the file to which its headlines are written; of the desk that runs it:
frontdesk apps add examples/feed_reader/feed_reader.toml
frontdesk open org.example.FeedReader
frontdesk explain org.example.FeedReader
"""

import asyncio
import os
import urllib.request
import xml.etree.ElementTree as xml
from pathlib import Path

import frontdesk

REFRESH = "org.example.FeedReader.refresh"
FEED = os.environ.get("FEED", "https://planetpython.org/rss20.xml")
NEWS = Path(os.environ.get("NEWS", "news.txt"))

app = frontdesk.App("org.example.FeedReader")


def headlines() -> list[str]:
    """Titles of the feed's entries, whichever of the two formats it has."""
    with urllib.request.urlopen(FEED, timeout=20) as answer:
        tree = xml.fromstring(answer.read(1_000_000))
    entries = [each for each in tree.iter() if each.tag.rpartition("}")[2] in ("item", "entry")]
    return [(each.findtext("{*}title") or each.findtext("title") or "untitled").strip() for each in entries]


@app.scheduler.task(REFRESH)
async def refresh(task: frontdesk.ScheduledTask) -> None:
    # One request is one launch. The next is asked for first: whatever goes wrong now, there will be one.
    await app.scheduler.submit(frontdesk.RefreshTask(REFRESH, app.time() + 3600, requires_network=True))
    found = await asyncio.to_thread(headlines)
    NEWS.write_text("\n".join(found) + "\n")
    print(f"{len(found)} headlines, {task.time_remaining():.0f} s left", flush=True)


async def show() -> None:
    """What a window would do."""
    app.report_foreground()
    print(NEWS.read_text() if NEWS.exists() else "No news yet.", flush=True)
    app.report_background()


async def main() -> None:
    app.on_open = show
    async with app:
        # At each start, and without putting off what is pending.
        await app.scheduler.submit(frontdesk.RefreshTask(REFRESH, requires_network=True), frontdesk.ExistingWork.KEEP)
        await app.run_until_quit()


if __name__ == "__main__":
    asyncio.run(main())
