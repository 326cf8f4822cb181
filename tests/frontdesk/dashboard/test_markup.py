"""Whatever comes from outside is text in a page, never HTML."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from frontdesk.dashboard.markup import Markup, joined, tag


class Reader(HTMLParser):
    """Notes what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_attributes() -> None:
    made = tag("button", "go", class_="big", aria_hidden="true", hidden=True, disabled=False, title=None)
    assert made == '<button class="big" aria-hidden="true" hidden>go</button>'
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert joined("<", Markup("<b>"), ["&", tag("i")]) == "&lt;<b>&amp;<i></i>"


@given(st.text(), st.text())
def test_nothing_gets_out_of_its_place(text: str, attribute: str) -> None:
    reader = Reader()
    reader.feed(tag("p", text, title=attribute))
    reader.close()
    assert reader.tags == ["p"]
    assert [name for name, _ in reader.attributes] == ["title"]
