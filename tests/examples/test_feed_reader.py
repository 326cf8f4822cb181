"""The feed reader has its news before the person looks, and asks for it again each time."""

from pathlib import Path

import pytest

from frontdesk import Condition, Obstacle
from frontdesk.testing import InMemoryDesk

MANIFEST = Path(__file__).parents[2] / "examples" / "feed_reader" / "feed_reader.toml"
REFRESH = "org.example.FeedReader.refresh"
RSS = "<rss><channel><title>A</title><item><title>Rain</title></item><item><title>Sun</title></item></channel></rss>"
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><title>Snow</title></entry></feed>'
HOUR = 3600.0


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The feed, a file here; the headlines are written beside it."""
    monkeypatch.setenv("FEED", (tmp_path / "feed.xml").as_uri())
    monkeypatch.setenv("NEWS", str(tmp_path / "news.txt"))
    (tmp_path / "feed.xml").write_text(RSS)
    return tmp_path / "feed.xml"


def news(feed: Path) -> list[str]:
    return feed.with_name("news.txt").read_text().splitlines()


@pytest.mark.contract("S05", "S14")
async def test_the_news_is_there_shortly_before_the_person_looks(feed: Path) -> None:
    async with InMemoryDesk(start=1_800_000_000.0) as desk:  # 08:00
        app = desk.install(MANIFEST)
        await desk.open(app)
        for _ in range(14):
            await desk.advance(hours=24)
            await desk.open(app)
        feed.with_name("news.txt").unlink()
        feed.write_text(ATOM)
        await desk.advance(hours=23)
        assert not feed.with_name("news.txt").exists(), desk.explain(REFRESH)
        await desk.advance(hours=1)
        assert news(feed) == ["Snow"], desk.explain(REFRESH)


async def test_a_feed_that_is_broken_is_fetched_again(feed: Path) -> None:
    feed.write_text("<not a feed")
    async with InMemoryDesk() as desk:
        app = desk.install(MANIFEST)
        await desk.open(app)
        await desk.simulate_launch(REFRESH)
        assert not feed.with_name("news.txt").exists()
        feed.write_text(RSS)
        [pending] = desk.pending(app)
        assert pending.request.identifier == REFRESH
        await desk.simulate_launch(REFRESH)
        assert news(feed) == ["Rain", "Sun"]


@pytest.mark.contract("S10", "S16")
async def test_without_network_it_says_what_it_waits_for(feed: Path) -> None:
    async with InMemoryDesk() as desk:
        app = desk.install(MANIFEST)
        await desk.set_condition(Condition.NETWORK, "offline")
        await desk.open(app)
        [why] = desk.explain(REFRESH)
        assert Obstacle.NO_NETWORK in [reason.obstacle for reason in why.reasons]
