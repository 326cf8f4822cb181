"""What a browser is answered instead of what it asked for: a page, or a sentence, that says what to do next."""

from aiohttp import web

from lobby.ui.answers import html, is_fragment
from lobby.ui.codes import CodeRefusal
from lobby.ui.guard import GuardRefusal
from lobby.ui.render import Renderer
from lobby.ui.scenes import Scene

_TROUBLE = {
    400: (
        "Not understood",
        "The browser sent something Lobby cannot read. Nothing was changed. Go back and try again.",
    ),
    404: ("Not here", "There is no such page in Lobby. The chat may have been left, on this computer or another."),
    405: ("Not here", "There is no such page in Lobby. Nothing was changed."),
    413: ("Too long", "That is longer than Lobby can take. Nothing was changed; send it in parts."),
    500: ("Something broke", "Lobby could not do that. What it had kept before is safe. Its log says more."),
}

_CODES = {
    CodeRefusal.USED: "An address with a code opens Lobby once, and this one was used before.",
    CodeRefusal.EXPIRED: "An address with a code is good for a minute, and this one is older.",
    CodeRefusal.FORGED: "This code was not made by this Lobby.",
    CodeRefusal.MALFORMED: "This address is not complete.",
}


class Refusals:
    """The answers."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def locked(self, why: CodeRefusal | None = None) -> web.Response:
        """To a browser that was not let in; ``why``: what was wrong with its code, None: it had none."""
        text = "Your chats open with an address that Lobby gives you. In a terminal, run:"
        page = self._renderer.trouble(
            "Lobby is closed to this browser", f"{_CODES[why]} {text}" if why else text, command="lobby"
        )
        return html(page, status=403 if why else 401)

    def guarded(self, refusal: GuardRefusal) -> web.Response:
        """To a request that no open page of this Lobby has made."""
        if refusal is GuardRefusal.WRONG_HOST:
            text = "This is not the address of this Lobby. Nothing was changed. Open it again with, in a terminal:"
            return html(self._renderer.trouble("Wrong address", text, command="lobby"), status=421)
        text = "The request did not come from an open page of this Lobby. Nothing was changed. Load the page again."
        return html(self._renderer.trouble("Not done", text, back="/"), status=403)

    def trouble(self, status: int, around: Scene | None = None) -> web.Response:
        """To a request that could not be understood or carried out at all; ``around``: what stands around a page that
        is not there."""
        title, text = _TROUBLE.get(status, ("Not done", "Lobby does not do that. Nothing was changed."))
        if around is not None:
            return html(self._renderer.not_here(around, text), status=status)
        return html(self._renderer.trouble(title, text, back="/"), status=status)

    def broken(self, request: web.Request) -> web.Response:
        """After a failure of Lobby itself."""
        return self.failed(request, _TROUBLE[500][1]) if is_fragment(request) else self.trouble(500)

    def failed(self, request: web.Request, text: str) -> web.Response:
        """What could not be done, in the error's own words; the page's module shows plain text in its place."""
        if is_fragment(request):
            return web.Response(text=text, status=409)
        return html(self._renderer.trouble("Not done", text, back="/"), status=409)
