"""Without a mouse, and for those who hear the page: every control is reached, named, and says what happens."""

import pytest
from playwright.async_api import Page, expect

from tests.journeys.stand import Chat, Person

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

CONTROLS = {"button", "link", "textbox", "checkbox", "DisclosureTriangle", "navigation", "log", "heading", "status"}
UNNAMED_ALLOWED = {"status"}


async def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Presses the key until that element has the focus."""
    for _ in range(25):
        if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        await page.keyboard.press(key)
    raise AssertionError(f"{selector} is not reached with {key}")


async def test_from_the_list_to_a_sent_message_by_keyboard(left: Person, right: Person) -> None:
    page = left.page
    await page.goto(left.origin + "/")
    await tab_to(page, ".skip")
    await tab_to(page, "#account-menu summary")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="Log out")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("link", name="Log out")).to_be_hidden()
    await tab_to(page, "a.chat")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await tab_to(page, "a.chat[href]")
    while "Right" not in await page.evaluate("document.activeElement.querySelector('.name').textContent"):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("textbox", name="Message to Right")).to_be_focused()
    await page.keyboard.type("typed, ")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("not clicked")
    await page.keyboard.press("Enter")
    await left.sees("not clicked", "sent")
    await right.sees("not clicked")
    await expect(right.page.locator("#heard")).to_contain_text("Left: typed")
    await page.keyboard.press("Escape")
    await expect(page.locator(".chat[aria-current]")).to_be_focused()


async def test_every_control_has_a_name(chat: Chat, left: Person) -> None:
    session = await left.context.new_cdp_session(left.page)
    for place in (chat.place, "/", "/new", "/logout"):
        await left.page.goto(left.origin + place)
        tree = await session.send("Accessibility.getFullAXTree")
        found = [node for node in tree["nodes"] if not node.get("ignored") and node["role"]["value"] in CONTROLS]
        assert {"navigation", "link", "heading", "DisclosureTriangle"} <= {node["role"]["value"] for node in found}
        unnamed = [node["role"]["value"] for node in found if not node.get("name", {}).get("value", "").strip()]
        assert set(unnamed) <= UNNAMED_ALLOWED, place
