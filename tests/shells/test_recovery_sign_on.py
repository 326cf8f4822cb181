"""A recovery key where the homeserver wants single sign-on for it: a real Synapse with a sign-on of the test's own."""

import re
from contextlib import AsyncExitStack
from html import unescape
from pathlib import Path

import aiohttp
import pytest

from lobby.core.views import Backup, Standing
from lobby.errors import SignOnNeeded
from lobby.matrix.login import log_in_by_token, sign_on_address
from tests.devices import looked, state
from tests.people import Person
from tests.shells.test_sign_on import WithSignOn, synapse, through_sign_on

__all__ = ["synapse"]

BACK = "http://lobby-x.localhost:1/sign-on/state"


async def signed_on(stack: AsyncExitStack, synapse: WithSignOn, folder: Path) -> Person:
    """A new device of the one who signs on."""
    person = await stack.enter_async_context(Person(folder, "@signer:sso.localhost", synapse.url))
    token = (await through_sign_on(sign_on_address(synapse.url, "cas", BACK), BACK)).rpartition("=")[2]
    await person.lobby.admit(await log_in_by_token(synapse.url, token))
    person.lobby.foreground()
    await person.until(lambda: looked(person))
    return person


async def sign_on_again(address: str) -> None:
    """What a person does in the browser: from the homeserver's page to whoever vouches for them, and back."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        for beginning in ("http://", "http://", ""):
            async with browser.get(address) as page:
                assert page.status == 200
                found = re.search(rf'href="({re.escape(beginning)}[^"]+)"', await page.text())
            if beginning:
                assert found is not None
                address = unescape(found[1])


@pytest.mark.timeout(120)
async def test_who_has_no_password_signs_on_again(synapse: WithSignOn, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first = await signed_on(stack, synapse, tmp_path / "1")
        await first.lobby.encryption.create_recovery()
        second = await signed_on(stack, synapse, tmp_path / "2")
        with pytest.raises(SignOnNeeded) as needed:
            await second.lobby.encryption.begin_anew()
        session = needed.value.session
        with pytest.raises(SignOnNeeded) as early:
            await second.lobby.encryption.begin_anew(session=session)
        assert early.value.session == session and state(second).standing is Standing.UNVERIFIED
        await sign_on_again(needed.value.address)
        await second.lobby.encryption.begin_anew(session=session)
        assert (state(second).standing, state(second).backup) == (Standing.VERIFIED, Backup.IN_USE)
        await first.until(lambda: state(first).standing is Standing.UNVERIFIED)
