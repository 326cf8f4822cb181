"""The homeserver goes away and comes back while somebody looks: said on the page, nothing lost, nothing sent twice."""

import pytest
from playwright.async_api import expect

from tests.journeys.stand import Chat, Person, Stand

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


async def test_what_is_written_meanwhile_is_sent_once_it_is_back(
    stand: Stand, chat: Chat, left: Person, right: Person
) -> None:
    await left.writes("all is well")
    await right.sees("all is well")
    before = await stand.homeserver.sent(chat.room_id, left.user_id)
    strip = left.page.locator("#strip")
    await expect(strip).not_to_contain_text("No connection")
    await stand.synapse.stop()
    try:
        await expect(strip).to_contain_text("No connection. What you write waits")
        for text in ("written into the silence", "and another"):
            await left.writes(text)
            await left.sees(text, "sending")
        await left.page.reload()
        await left.sees("and another", "sending")
    finally:
        await stand.synapse.start()
    await left.sees("written into the silence", "sent", within=40)
    await left.sees("and another", "sent", within=40)
    await expect(strip).not_to_contain_text("No connection", timeout=40_000)
    await right.sees("and another", within=40)
    new = (await stand.homeserver.sent(chat.room_id, left.user_id)).keys() - before.keys()
    assert len(new) == 2, "each once"
    texts = await right.page.locator("#bubbles [data-mark] .text").all_inner_texts()
    assert texts[-3:] == ["all is well", "written into the silence", "and another"], "in the order of writing"
