"""Test an app with no desk running: ``InMemoryDesk`` has the desk's own core, the author's own app, and time in hand.

    async def test_feed_is_fetched_before_breakfast():
        async with InMemoryDesk() as desk:
            app = desk.install(Path("feed_reader.toml"))
            await desk.open(app)
            await desk.advance(hours=20)
            assert ...

No file in the person's home is touched, no socket is opened, and a day passes in milliseconds (docs/testing.md).
"""

from frontdesk.testing.desk import AT_FIRST, START, InMemoryDesk
from frontdesk.testing.hand_clock import StillBusy

__all__ = ["AT_FIRST", "START", "InMemoryDesk", "StillBusy"]
