"""Lobby's pages of encryption in a real Chromium: by keyboard, live, by reload in the middle, and without scripts."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Dialog, Page, async_playwright, expect

from lobby.core.views import Backup, Standing, VerificationPhase
from lobby.messenger import LobbyError
from lobby.ui.codes import mint
from lobby.ui.server import Page as PageServer
from tests.lobby.ui.memory_accounts import MemoryAccounts
from tests.lobby.ui.memory_encryption import EMOJI, PASSPHRASE, RECOVERY_KEY, MemoryEncryption, other_devices
from tests.lobby.ui.memory_messenger import ME, MemoryMessenger, MemorySessions
from tests.programs import CHROMIUM_FLAGS, chromium

# One Chromium for all tests of this file, each with a context of its own.
pytestmark = pytest.mark.asyncio(loop_scope="module")

expect.set_options(timeout=20_000)

ROOM, RIGHT = "!right:demo.localhost", "@right:demo.localhost"
SECRET = secrets.token_bytes(32)
SEALED = "This message cannot be read yet: its key has not come."


class Lobby:
    """A served page with one encrypted chat."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        port = self.sock.getsockname()[1]
        self.origin = f"http://lobby-test.localhost:{port}"
        self.messenger = MemoryMessenger(time.time)
        self.messenger.put_chat(ROOM, "Right", encrypted=True, partner=RIGHT)
        self.messenger.put(ROOM, "hello", RIGHT, time.time() - 30)
        accounts = MemoryAccounts(self.messenger)
        self.server = PageServer(accounts, MemorySessions(), "lobby-test.localhost", port, SECRET)

    @property
    def keys(self) -> MemoryEncryption:
        return self.messenger.keys

    def enter(self) -> str:
        return f"{self.origin}/enter?code={mint(SECRET, time.time(), secrets.token_urlsafe(16))}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def lobby() -> AsyncIterator[Lobby]:
    lobby = Lobby()
    await lobby.server.serve(lobby.sock)
    yield lobby
    await lobby.server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser, lobby: Lobby) -> AsyncIterator[BrowserContext]:
    """A window of a desktop's size, closed before Lobby stops: a page that just then opens its stream would otherwise
    leave a connection half accepted. What its policy refuses, and any error in it, fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    yield context
    await context.close()
    assert wrong == []


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext, lobby: Lobby) -> Page:
    """Let in, where no chat is open."""
    page = await context.new_page()
    await page.goto(lobby.enter())
    return page


async def open_encryption(page: Page) -> None:
    """By the account menu, as a person finds it."""
    await page.get_by_label("Account of Left").click()
    await page.get_by_role("link", name="Encryption", exact=True).click()
    await expect(page.get_by_role("heading", name="Encryption", level=1)).to_be_focused()


async def test_a_recovery_key_is_made_kept_and_gone(page: Page, lobby: Lobby, context: BrowserContext) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    lobby.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE, not_backed_up=3)
    await expect(page.locator(".advice")).to_contain_text("Without a recovery key")
    await page.get_by_role("link", name="Set up recovery").click()
    await expect(page.locator(".advice")).to_be_hidden()
    await page.get_by_role("button", name="Create a recovery key").click()
    key = page.get_by_label("Recovery key", exact=True)
    await expect(key).to_have_text(RECOVERY_KEY)
    assert "EsTc" not in page.url
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == RECOVERY_KEY
    async with page.expect_download() as begun:
        await page.get_by_role("button", name="Download as text").click()
    download = await begun.value
    assert download.suggested_filename == "recovery-key.txt" and "EsTc" not in download.url
    assert RECOVERY_KEY in Path(await download.path()).read_text()
    # Not ticked: it stays.
    await page.get_by_role("button", name="Done").click()
    await expect(key).to_be_visible()
    await page.get_by_label("I have kept it in a safe place").check()
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("heading", name="This computer is verified")).to_be_visible()
    assert RECOVERY_KEY not in await page.content()
    await page.go_back()
    await expect(page.locator("#new-recovery-key")).to_have_count(0)
    assert lobby.keys.shown == [RECOVERY_KEY]


async def test_nobody_leaves_a_new_recovery_key_by_accident(page: Page, lobby: Lobby) -> None:
    lobby.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    await open_encryption(page)
    await page.get_by_role("button", name="Create a recovery key").click()
    await expect(page.locator("#new-recovery-key")).to_be_visible()
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.get_by_role("link", name="Right").click()
    await expect(page.locator("#new-recovery-key")).to_be_visible()
    assert len(asked) == 1 and "this once only" in asked[0]


async def test_the_password_is_asked_for_only_where_it_is_wanted(page: Page, lobby: Lobby) -> None:
    lobby.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    lobby.keys.password = "right"
    await open_encryption(page)
    await page.get_by_role("button", name="Create a recovery key").click()
    password = page.get_by_label(f"Password of {ME}")
    await expect(password).to_be_focused()
    await page.keyboard.type("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("That is not the password")
    await password.fill("right")
    await page.keyboard.press("Enter")
    await expect(page.locator("#new-recovery-key")).to_have_text(RECOVERY_KEY)
    await page.get_by_label("I have kept it").check()


async def test_who_has_lost_everything_begins_anew_by_signing_on_again(page: Page, lobby: Lobby) -> None:
    lobby.keys.become(standing=Standing.UNVERIFIED, backup=Backup.LOCKED)
    lobby.keys.sign_on = f"{lobby.origin}/static/elsewhere"
    await open_encryption(page)
    await page.get_by_text("Begin anew").first.click()
    await page.get_by_role("button", name="Begin anew").click()
    assert lobby.keys.begun_anew == 0, "the box is not ticked"
    await page.get_by_label("I have lost the recovery key").check()
    await page.get_by_role("button", name="Begin anew").click()
    await expect(page.get_by_role("heading", name="Begin anew", exact=True)).to_be_focused()
    await page.get_by_role("button", name="I have signed on").click()
    await expect(page.get_by_role("alert")).to_contain_text("That sign-on is not finished yet.")
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Sign on at").click()
    elsewhere = await opened.value
    assert elsewhere.url == lobby.keys.sign_on and await elsewhere.evaluate("window.opener") is None
    lobby.keys.signed_on = True
    await elsewhere.close()
    await page.get_by_role("button", name="I have signed on").click()
    await expect(page.locator("#new-recovery-key")).to_have_text(RECOVERY_KEY)
    await page.get_by_label("I have kept it").check()
    assert lobby.keys.begun_anew == 1


async def test_a_wrong_recovery_key_stays_typed_and_a_right_one_opens_everything(page: Page, lobby: Lobby) -> None:
    lobby.keys.become(standing=Standing.UNVERIFIED, backup=Backup.LOCKED, sealed=2)
    await expect(page.locator(".advice")).to_contain_text("may not send this computer their keys")
    await page.get_by_role("link", name="Verify it").click()
    await expect(page.locator("#encryption")).to_contain_text("2 messages cannot be read here yet")
    field = page.get_by_label("Recovery key", exact=True)
    await field.fill("EsTc wrong")
    # Something new on the page takes nothing away from who types.
    lobby.keys.become(sealed=3)
    await expect(page.locator("#encryption")).to_contain_text("3 messages")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("not the recovery key of this account")
    await expect(field).to_have_value("EsTc wrong")
    await field.fill(RECOVERY_KEY)
    await page.get_by_role("button", name="Open with this key").click()
    await expect(page.get_by_role("status").filter(has_text="That was the right key")).to_be_visible()
    await expect(page.get_by_role("heading", name="This computer is verified")).to_be_visible()
    assert "EsTc" not in page.url


async def test_verifying_with_another_device_from_asking_to_done(page: Page, lobby: Lobby) -> None:
    lobby.keys.become(standing=Standing.UNVERIFIED, backup=Backup.LOCKED, others=other_devices())
    await open_encryption(page)
    await page.get_by_role("button", name="Verify with Element on phone").click()
    await expect(page.get_by_role("heading", name="Waiting for Element on phone")).to_be_focused()
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("link", name="Back", exact=True).click()
    await page.get_by_role("button", name="Verify with another of your devices").click()
    await expect(page.get_by_role("heading", name="Waiting for your other devices")).to_be_focused()
    assert lobby.keys.asked == [(ME, "PHONE"), (ME, "")]
    # One of them answers.
    lobby.keys.move("asked-2", VerificationPhase.BEGINNING, name="Element on phone")
    await expect(page.get_by_role("heading", name="Working out the emoji")).to_be_visible()
    lobby.keys.move("asked-2", VerificationPhase.COMPARING)
    await expect(page.get_by_role("list", name="Emoji").get_by_role("listitem")).to_have_count(7)
    assert await page.locator(".emoji small").all_inner_texts() == [name for _, name in EMOJI]
    await page.reload()
    await expect(page.get_by_role("heading", name="Do they match?")).to_be_visible()
    await page.get_by_role("button", name="They match").click()
    await expect(page.get_by_role("heading", name="Waiting for Element on phone")).to_be_visible()
    lobby.keys.become(standing=Standing.VERIFIED)
    lobby.keys.move("asked-2", VerificationPhase.DONE)
    await expect(page.get_by_role("heading", name="Verified")).to_be_visible()
    await page.get_by_role("link", name="Done").click()
    await expect(page.get_by_role("heading", name="This computer is verified")).to_be_visible()


async def test_an_offer_is_seen_on_every_page_and_taken_by_keyboard(page: Page, lobby: Lobby) -> None:
    await page.get_by_role("link", name="Right").click()
    await expect(page.get_by_role("textbox", name="Message to Right")).to_be_focused()
    lobby.keys.offer()
    banner = page.get_by_role("status").filter(has_text="Element on phone wants to verify this computer")
    await expect(banner).to_be_visible()
    await banner.get_by_role("button", name="Accept the verification").press("Enter")
    await expect(page.get_by_role("heading", name="Working out the emoji")).to_be_focused()
    lobby.keys.move("$offer/1", VerificationPhase.COMPARING)
    await page.get_by_role("button", name="They do not match").press("Enter")
    await expect(page.get_by_role("heading", name="Not verified")).to_be_focused()
    await expect(page.locator("#verification")).to_contain_text("do not match")
    # Elsewhere one that goes on is not forgotten.
    lobby.keys.offer("Tablet", id="second")
    lobby.keys.move("second", VerificationPhase.COMPARING)
    await page.get_by_role("link", name="Right").click()
    await page.get_by_role("link", name="Go on with it").click()
    await expect(page.get_by_role("heading", name="Do they match?")).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("heading", name="Not verified")).to_be_visible()


async def test_an_offer_is_turned_down_without_leaving_the_page(page: Page, lobby: Lobby) -> None:
    await page.get_by_role("link", name="Right").click()
    await page.get_by_role("textbox").fill("half a sen")
    lobby.keys.offer()
    await page.get_by_role("button", name="Not now").click()
    await expect(page.locator(".asking")).to_have_count(0)
    await expect(page.get_by_role("textbox")).to_have_value("half a sen")
    assert lobby.keys.phase("$offer/1") is VerificationPhase.CANCELLED


async def test_another_person_is_verified_from_the_lock_in_their_chat(page: Page, lobby: Lobby) -> None:
    await page.get_by_role("link", name="Right").click()
    await page.get_by_role("link", name="Encrypted: only its members can read this chat").click()
    await page.get_by_role("button", name="Verify Right").click()
    await expect(page.get_by_role("heading", name="Waiting for Right")).to_be_visible()
    assert lobby.keys.asked == [(RIGHT, "")]
    lobby.keys.move("asked-1", VerificationPhase.CANCELLED, "Right turned it down.")
    await expect(page.locator("#verification")).to_contain_text("Right turned it down.")


async def test_who_is_verified_is_seen_in_the_chat_and_so_is_a_new_identity(page: Page, lobby: Lobby) -> None:
    await page.get_by_role("link", name="Right").click()
    head = page.locator("#head")
    await expect(head).not_to_contain_text("Verified")
    lobby.keys.become(verified_people=frozenset({RIGHT}))
    await expect(head).to_contain_text("Verified")
    lobby.keys.become(verified_people=frozenset(), changed_people=frozenset({RIGHT}))
    await expect(head).to_contain_text("New identity since you verified Right")
    await page.get_by_role("textbox", name="Message to Right").fill("who are you?")
    await page.keyboard.press("Enter")
    await expect(page.locator("#bubbles")).to_contain_text("who are you?")
    await head.get_by_role("link", name="Verify again").click()
    await expect(page.get_by_role("heading", name="Right has a new identity")).to_be_visible()
    await page.get_by_role("button", name="Verify Right again").click()
    await expect(page.get_by_role("heading", name="Waiting for Right")).to_be_visible()
    lobby.keys.move("asked-1", VerificationPhase.DONE)
    lobby.keys.become(verified_people=frozenset({RIGHT}), changed_people=frozenset())
    await page.get_by_role("link", name="Done").click()
    await expect(head).to_contain_text("Verified")


async def test_a_sealed_message_waits_and_is_replaced_in_place(page: Page, lobby: Lobby) -> None:
    key = lobby.messenger.put(ROOM, SEALED, RIGHT, sealed=True)
    await page.get_by_role("link", name="Right").click()
    row = page.locator(f'#bubbles [data-key="{key}"]')
    await expect(row).to_have_class("row theirs last sealed")
    lobby.messenger.open(ROOM, key, "the words themselves")
    await expect(row.locator(".text")).to_have_text("the words themselves")
    await expect(row).to_have_class("row theirs last")
    await expect(page.locator("#heard")).to_have_text("Right: the words themselves")
    await expect(page.get_by_role("link", name="Right Encrypted")).to_contain_text("the words themselves")


async def test_reminders_are_put_off_where_one_is(page: Page, lobby: Lobby) -> None:
    lobby.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    await page.get_by_role("link", name="Right").click()
    await page.get_by_role("button", name="Later").click()
    await expect(page.locator(".advice")).to_have_count(0)
    await expect(page.get_by_role("textbox", name="Message to Right")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("textbox", name="Message to Right")).to_be_visible()
    await expect(page.locator(".advice")).to_have_count(0)


async def test_keys_are_saved_to_a_file_and_loaded_from_one(page: Page, lobby: Lobby) -> None:
    await open_encryption(page)
    await page.get_by_text("Save message keys to a file").click()
    await page.get_by_label("Passphrase for the file").fill(PASSPHRASE)
    await page.get_by_label("The same once more").fill("something else")
    await page.get_by_role("button", name="Save keys").click()
    await expect(page.get_by_role("alert")).to_contain_text("not the same")
    await page.get_by_label("The same once more").fill(PASSPHRASE)
    async with page.expect_download() as begun:
        await page.get_by_role("button", name="Save keys").click()
    download = await begun.value
    path = Path(await download.path())
    assert download.suggested_filename == "lobby-keys.txt" and path.read_bytes() == f"keys under {PASSPHRASE}".encode()
    await expect(page.get_by_label("Passphrase for the file")).to_have_value("")
    await page.get_by_text("Load keys from a file").click()
    await page.get_by_label("File of keys").set_input_files(path)
    await page.get_by_label("Its passphrase").fill("wrong")
    await page.get_by_role("button", name="Load keys").click()
    await expect(page.get_by_role("alert")).to_contain_text("does not fit this file")
    await page.get_by_label("Its passphrase").fill(PASSPHRASE)
    await page.get_by_role("button", name="Load keys").click()
    count = len(path.read_bytes())
    await expect(page.get_by_role("status").filter(has_text=f"{count} new keys were taken in")).to_be_visible()
    assert lobby.keys.imported == [(path.read_bytes(), PASSPHRASE)]


async def test_trouble_with_the_homeserver_is_a_sentence_beside_what_was_typed(page: Page, lobby: Lobby) -> None:
    lobby.keys.become(standing=Standing.UNVERIFIED, backup=Backup.LOCKED, others=other_devices())
    lobby.keys.trouble = LobbyError("Your homeserver does not answer. Nothing was changed; try again later.")
    await open_encryption(page)
    await page.get_by_label("Recovery key", exact=True).fill(RECOVERY_KEY)
    await page.get_by_role("button", name="Open with this key").click()
    await expect(page.get_by_role("alert")).to_have_text(str(lobby.keys.trouble))
    await expect(page.get_by_label("Recovery key", exact=True)).to_have_value(RECOVERY_KEY)
    await page.get_by_role("button", name="Verify with Element on phone").click()
    await expect(page.locator("#refused")).to_have_text(str(lobby.keys.trouble))
    await lobby.server.stop()
    await page.get_by_role("button", name="Open with this key").click()
    await expect(page.get_by_text("Lobby does not answer. What you typed is still here")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
async def test_everything_has_a_name_and_fits_its_window(page: Page, lobby: Lobby, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 844})
    session = await page.context.new_cdp_session(page)
    lobby.keys.become(standing=Standing.UNVERIFIED, backup=Backup.LOCKED, sealed=1, others=other_devices())
    for id, phase in (("one", VerificationPhase.COMPARING), ("two", VerificationPhase.OFFERED)):
        lobby.keys.offer(id=id)
        lobby.keys.move(id, phase)
    for place in ("/encryption", "/verification/one", "/verification/two", f"/chat/{ROOM}/security", "/new", "/logout"):
        await page.goto(lobby.origin + place)
        tree = await session.send("Accessibility.getFullAXTree")
        controls = {"button", "link", "textbox", "checkbox", "heading"}
        found = [node for node in tree["nodes"] if not node.get("ignored") and node["role"]["value"] in controls]
        unnamed = [node["role"]["value"] for node in found if not node.get("name", {}).get("value", "").strip()]
        assert found and unnamed == [], place
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, place
        assert await page.get_by_role("main").evaluate("pane => pane.scrollWidth <= pane.clientWidth"), place


async def test_all_of_it_works_without_scripts(browser: Browser, lobby: Lobby) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(lobby.enter())
    lobby.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    lobby.keys.password = "right"
    await page.goto(f"{lobby.origin}/encryption")
    await page.get_by_role("button", name="Create a recovery key").click()
    await page.get_by_label(f"Password of {ME}").fill("right")
    await page.get_by_role("button", name="Create a recovery key").click()
    await expect(page.get_by_label("Recovery key", exact=True)).to_have_text(RECOVERY_KEY)
    assert "EsTc" not in page.url
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("shown once")
    assert lobby.keys.shown == [RECOVERY_KEY], "loading the page again makes no second key"
    await page.get_by_text("Save message keys to a file").click()
    await page.get_by_label("Passphrase for the file").fill("a")
    await page.get_by_label("The same once more").fill("a")
    async with page.expect_download() as begun:
        await page.get_by_role("button", name="Save keys").click()
    path = Path(await (await begun.value).path())
    await page.get_by_text("Load keys from a file").click()
    await page.get_by_label("File of keys").set_input_files(path)
    await page.get_by_label("Its passphrase").fill(PASSPHRASE)
    await page.get_by_role("button", name="Load keys").click()
    await expect(page.get_by_role("status").filter(has_text="new keys were taken in")).to_be_visible()
    lobby.keys.offer()
    await page.reload()
    await page.get_by_role("button", name="Accept").click()
    await expect(page.get_by_role("heading", name="Working out the emoji")).to_be_visible()
    lobby.keys.move("$offer/1", VerificationPhase.COMPARING)
    await page.reload()
    await page.get_by_role("button", name="They match").click()
    assert lobby.keys.phase("$offer/1") is VerificationPhase.CONFIRMED
    await context.close()


async def test_a_group_is_encrypted_unless_the_box_is_unticked(page: Page, lobby: Lobby) -> None:
    for name, ticked in (("Hills", True), ("Open house", False)):
        await page.goto(f"{lobby.origin}/new")
        await page.get_by_label("Name of the group").fill(name)
        await page.get_by_label("Encrypted: only its members can read it").set_checked(ticked)
        await page.get_by_role("button", name="Make group").click()
        await expect(page.get_by_role("heading", name=name)).to_be_visible()
        await expect(page.locator("#head")).to_contain_text("" if ticked else "Not encrypted")
        made = next(chat for chat in lobby.messenger.chats() if chat.name == name)
        assert made.encrypted is ticked


async def test_two_windows_show_the_same_verification(context: BrowserContext, page: Page, lobby: Lobby) -> None:
    lobby.keys.offer()
    other = await context.new_page()
    for window in (page, other):
        await window.goto(f"{lobby.origin}/verification/%24offer%2F1")
        await expect(window.get_by_role("heading", name="Element on phone wants to verify")).to_be_visible()
    await page.get_by_role("button", name="Accept").click()
    await expect(other.get_by_role("heading", name="Working out the emoji")).to_be_visible()
    # Its end stays on the page, although it is soon not listed any more.
    lobby.keys.move("$offer/1", VerificationPhase.DONE)
    await expect(other.get_by_role("heading", name="Verified")).to_be_visible()
    await asyncio.gather(*(window.close() for window in (page, other)))
