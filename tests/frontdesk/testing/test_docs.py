"""The example in docs/testing.md is run, so that it stays true."""

import re
from pathlib import Path
from typing import Any

import pytest

from frontdesk.testing import InMemoryDesk

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "testing.md").read_text()


async def test_the_example_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NEWS", str(tmp_path / "news.txt"))
    (tmp_path / "feed.xml").write_text("<rss><channel><item><title>Rain</title></item></channel></rss>")
    monkeypatch.setenv("FEED", (tmp_path / "feed.xml").as_uri())
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/testing.md", "exec"), names)
    await names["test_it_fetches_the_news_when_there_is_network"]()
    assert (tmp_path / "news.txt").read_text() == "Rain\n"


def test_every_method_is_named() -> None:
    public = {name for name in vars(InMemoryDesk) if not name.startswith("_")}
    missing = {name for name in public if not re.search(rf"\b{name}\b", PAGE)}
    assert not missing
