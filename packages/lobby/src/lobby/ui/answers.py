"""How the page's addresses answer: with a page or fragment, or by sending the browser on."""

from urllib.parse import quote

from aiohttp import web


def html(text: str, status: int = 200) -> web.Response:
    """A page or fragment. Never stored by the browser: it holds private messages, and is always fresh."""
    body = text.encode("utf-8", "replace")
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=headers)


def is_fragment(request: web.Request) -> bool:
    """Whether the page's module asks, and not the browser itself."""
    return "Lobby-Fragment" in request.headers


def see(place: str) -> web.Response:
    """The browser goes on to ``place`` and asks for it with GET."""
    return web.Response(status=303, headers={"Location": place})


def part(text: str) -> str:
    """``text`` as one part of an address, whatever is in it."""
    return quote(text.encode("utf-8", "replace"), safe="")


def see_chat(room_id: str, base: str = "") -> web.Response:
    """The browser goes on to that chat. ``base``: what the addresses of its account begin with."""
    return see(f"{base}/chat/{part(room_id)}")
