"""The demo's homeserver: it starts, keeps its accounts and its address, and leaves no process behind."""

import os
from pathlib import Path

import aiohttp
import pytest

from demo.synapse import Synapse


async def log_in(synapse: Synapse, user: str, password: str) -> int:
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{synapse.url}/_matrix/client/v3/login", json=body) as answer,
    ):
        return answer.status


@pytest.mark.timeout(300)
async def test_second_start_finds_accounts_and_address_again(tmp_path: Path) -> None:
    first = Synapse(tmp_path)
    await first.start()
    try:
        assert await first.register("left", "secret", "Left")
        pid = first.pid
    finally:
        await first.stop()
    assert first.pid == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)

    second = Synapse(tmp_path)
    await second.start()
    try:
        assert second.url == first.url
        assert not await second.register("left", "other", "Left"), "the account was there already"
        assert await log_in(second, "left", "secret") == 200
        assert await log_in(second, "left", "wrong") == 403
    finally:
        await second.stop()


async def test_secrets_are_for_the_owner_only(tmp_path: Path) -> None:
    synapse = Synapse(tmp_path / "synapse")
    await synapse.start()
    await synapse.stop()
    assert open_to_others(tmp_path / "synapse") == set()


def open_to_others(folder: Path) -> set[str]:
    """What somebody else could read: nothing, where the folder is closed and the secrets are too."""
    private = {
        file for file in folder.iterdir() if file.suffix in {".secret", ".key"} or file.name == "homeserver.yaml"
    }
    assert {file.name for file in private} >= {"registration.secret", "signing.key", "homeserver.yaml"}
    return {file.name for file in {folder, *private} if file.stat().st_mode & 0o077}
