"""What the addresses of encryption do: recovery key, verification by emoji, keys in files, what a chat's lock means.

Neither a recovery key nor a passphrase is ever part of an address, and none that was typed is sent back. A form that
the page's module posts (header ``Lobby-Fragment``) is refused with the error's text, so that what was typed stays.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from lobby.core.views import Backup, Standing, Verification
from lobby.messenger import KeysRefused, LobbyError, PasswordNeeded, RecoveryRefused, SignOnNeeded
from lobby.ui.answers import html, is_fragment, part, see
from lobby.ui.forms import TAKES_FILE, read_file, read_form
from lobby.ui.render import Asked, Renderer
from lobby.ui.scenes import Scene, Scenes
from lobby.ui.visits import Visits

NOT_SURE = "Tick the box if you want to begin anew. Nothing was changed."

UNFINISHED = "That sign-on is not finished yet. Finish it in the other window, then go on."

SHOWN_ONCE = (
    "A recovery key was made already and shown once; it opens everything. If you have not kept it, make a new one "
    "under Key backup. Nothing was changed."
)

OPENED = "That was the right key."

KEYS_FILE = "lobby-keys.txt"

KeyMaker = Callable[[str, str], Awaitable[str]]
"""What makes a recovery key, given the password and the session of a sign-on, if any."""


class EncryptionRoutes:
    """The handlers. ``scenes``: where it is noted what the person does not want to be reminded of."""

    def __init__(self, renderer: Renderer, scenes: Scenes, visits: Visits) -> None:
        self._renderer = renderer
        self._scenes = scenes
        self._visits = visits

    def table(self) -> list[web.RouteDef]:
        """The addresses of one account."""
        return [
            web.get("/encryption", self._page),
            web.post("/encryption/look", self._look),
            web.get("/encryption/{act:create|begin-anew|recover|save|load|look|later|verify}", self._back),
            web.post("/encryption/create", self._create),
            web.post("/encryption/begin-anew", self._begin_anew),
            web.post("/encryption/recover", self._recover),
            web.post("/encryption/save", self._save),
            web.post(TAKES_FILE, self._load),
            web.post("/encryption/later", self._later),
            web.post("/encryption/verify", self._verify),
            web.get("/verification/{id}", self._verification),
            web.post("/verification/{id}/{act:accept|confirm|mismatch|cancel}", self._act),
            web.get("/chat/{room_id}/security", self._security),
        ]

    async def _page(self, request: web.Request) -> web.StreamResponse:
        done = _loaded(request.query.get("loaded", "")) or (OPENED if "opened" in request.query else "")
        return html(self._renderer.encryption(self._visits.scene(request), done=done))

    async def _back(self, request: web.Request) -> web.StreamResponse:
        """The address of an act, loaded again: the page that the act is on."""
        return see(f"{self._visits.scene(request).base}/encryption")

    async def _look(self, request: web.Request) -> web.StreamResponse:
        return await self._done(request, self._visits.messenger(request).encryption.look())

    async def _create(self, request: web.Request) -> web.StreamResponse:
        scene, form = self._visits.scene(request), await read_form(request)
        state = scene.encryption
        if "anew" not in form and state and state.standing is Standing.VERIFIED and state.backup is not Backup.NONE:
            # The form came twice (the page was loaded again): a second key would make the first one worthless.
            return self._refused(request, RecoveryRefused(SHOWN_ONCE))
        asked = Asked("create", anew="anew" in form)
        return await self._make_key(request, self._visits.messenger(request).encryption.create_recovery, asked)

    async def _begin_anew(self, request: web.Request) -> web.StreamResponse:
        scene, form = self._visits.scene(request), await read_form(request)
        state = scene.encryption
        if state and state.standing is Standing.VERIFIED and state.backup is Backup.IN_USE:
            return self._refused(request, RecoveryRefused(SHOWN_ONCE))
        if "sure" not in form:
            return self._refused(request, RecoveryRefused(NOT_SURE))
        asked = Asked("begin-anew")
        return await self._make_key(request, self._visits.messenger(request).encryption.begin_anew, asked)

    async def _make_key(self, request: web.Request, make: KeyMaker, asked: Asked) -> web.StreamResponse:
        """Make a recovery key and show it, this once; or ask for the proof that the homeserver wants first."""
        scene, form = self._visits.scene(request), await read_form(request)
        password, session = form.get("password", ""), form.get("session", "")
        try:
            key = await make(password, session)
        except PasswordNeeded as needed:
            if password and is_fragment(request):
                raise
            page = self._renderer.recovery_password(scene, asked, str(needed) if password else "")
            return html(page, status=422 if password else 200)
        except SignOnNeeded as needed:
            if session and is_fragment(request):
                raise RecoveryRefused(UNFINISHED) from needed
            page = self._renderer.recovery_sign_on(scene, asked, needed, UNFINISHED if session else "")
            return html(page, status=422 if session else 200)
        except LobbyError as error:
            return self._refused(request, error)
        return html(self._renderer.recovery_key(self._visits.scene(request), key))

    async def _recover(self, request: web.Request) -> web.StreamResponse:
        key = (await read_form(request)).get("recovery_key", "").strip()
        if not key:
            return self._refused(request, RecoveryRefused("Enter the recovery key first. Nothing was changed."))
        return await self._done(request, self._visits.messenger(request).encryption.recover(key), "?opened")

    async def _save(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        passphrase = form.get("passphrase", "")
        try:
            if not passphrase or passphrase != form.get("again", ""):
                raise KeysRefused("The two passphrases are not the same. No file was made; type them again.")
            file = await self._visits.messenger(request).encryption.export_keys(passphrase)
        except LobbyError as error:
            return self._refused(request, error)
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{KEYS_FILE}"'}
        return web.Response(body=file, content_type="text/plain", headers=headers)

    async def _load(self, request: web.Request) -> web.StreamResponse:
        passphrase = (await read_form(request)).get("passphrase", "")
        try:
            file = await read_file(request, "file")
            if not file:
                raise KeysRefused("Choose a file of keys first. Nothing was changed.")
            count = await self._visits.messenger(request).encryption.import_keys(file, passphrase)
        except LobbyError as error:
            return self._refused(request, error)
        return see(f"{self._visits.scene(request).base}/encryption?loaded={count}")

    async def _later(self, request: web.Request) -> web.StreamResponse:
        scene = self._visits.scene(request)
        self._scenes.put_off(scene.account.user_id)
        return see(f"{scene.base}/")

    async def _verify(self, request: web.Request) -> web.StreamResponse:
        scene, form = self._visits.scene(request), await read_form(request)
        user_id, device_id = form.get("user", "") or scene.account.user_id, form.get("device", "")
        try:
            id = await self._visits.messenger(request).encryption.verify(user_id, device_id)
        except LobbyError as error:
            return self._refused(request, error)
        return see(_address(scene, id))

    async def _verification(self, request: web.Request) -> web.StreamResponse:
        scene = self._visits.scene(request)
        found = _find(scene, request.match_info["id"])
        if found is None:
            return see(f"{scene.base}/encryption")
        return html(self._renderer.verification(scene, found))

    async def _act(self, request: web.Request) -> web.StreamResponse:
        id, act = request.match_info["id"], request.match_info["act"]
        encryption = self._visits.messenger(request).encryption
        try:
            if act == "accept":
                await encryption.accept_verification(id)
            elif act == "confirm":
                await encryption.confirm_verification(id)
            else:
                await encryption.cancel_verification(id, mismatch=act == "mismatch")
        except LobbyError as error:
            scene = self._visits.scene(request)
            found = _find(scene, id)
            if is_fragment(request) or found is None:
                raise
            return html(self._renderer.verification(scene, found, str(error)), status=409)
        return see(_address(self._visits.scene(request), id))

    async def _security(self, request: web.Request) -> web.StreamResponse:
        chat = self._visits.messenger(request).chat(request.match_info["room_id"])
        if chat is None:
            raise web.HTTPNotFound
        return html(self._renderer.security(self._visits.scene(request), chat))

    async def _done(self, request: web.Request, act: Awaitable[None], query: str = "") -> web.StreamResponse:
        """Do it, then the page anew."""
        try:
            await act
        except LobbyError as error:
            return self._refused(request, error)
        return see(f"{self._visits.scene(request).base}/encryption{query}")

    def _refused(self, request: web.Request, error: LobbyError) -> web.StreamResponse:
        """The page once more with what went wrong; nothing that was typed is in it."""
        if is_fragment(request):
            raise error
        return html(self._renderer.encryption(self._visits.scene(request), str(error)), status=422)


def _address(scene: Scene, id: str) -> str:
    return f"{scene.base}/verification/{part(id)}"


def _find(scene: Scene, id: str) -> Verification | None:
    return next((one for one in scene.verifications if one.id == id), None)


def _loaded(count: str) -> str:
    """The sentence for that many keys, as the address says it; empty: it says nothing."""
    if not (count.isascii() and count.isdigit() and len(count) < 10):
        return ""
    if int(count) == 0:
        return "This computer had all keys of that file already."
    return "One new key was taken in." if int(count) == 1 else f"{int(count):,} new keys were taken in."
