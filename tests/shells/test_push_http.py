"""The sender's side over real sockets: RFC 8030 as another library speaks it, refusals with their numbers."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import http_ece  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from multidict import CIMultiDict
from pywebpush import webpush as send_web_push  # type: ignore[import-untyped]

from frontdesk.push import main as service
from frontdesk.push.shell import http
from frontdesk.wire import base64url
from tests.shells.push_service import KEYS, desk, nobody_connected, running

BODY = {"TTL": "60", "Content-Encoding": "aes128gcm"}


@pytest.mark.contract("P01")
async def test_any_sender_can_use_the_endpoint_and_the_keys(tmp_path: Path) -> None:
    """Sent by one other implementation, received by a second, decrypted by a third."""
    async with running(tmp_path) as url, desk(url) as receiver:
        endpoint = await receiver.register()
        subscription = {"endpoint": endpoint, "keys": {"p256dh": KEYS.p256dh, "auth": KEYS.auth}}
        answer: Any = await asyncio.to_thread(send_web_push, subscription, "good morning", ttl=60)
        assert answer.status_code == 201
        assert answer.headers["TTL"] == "60"
        assert answer.headers["Location"].startswith(f"{url}/m/")
        arrival = await receiver.hear()
        assert arrival["headers"] == {"encoding": "aes128gcm"}
        assert 0 < arrival["ttl"] <= 60
        private = int.from_bytes(base64url.decode(KEYS.private, "private"), "big")
        plain = http_ece.decrypt(
            base64url.decode(arrival["data"], "data"),
            private_key=ec.derive_private_key(private, ec.SECP256R1()),
            auth_secret=base64url.decode(KEYS.auth, "auth"),
        )
        assert plain == b"good morning"


async def test_an_endpoint_cannot_be_guessed(tmp_path: Path) -> None:
    async with running(tmp_path) as url, desk(url) as receiver:
        tokens = {(await receiver.register()).rpartition("/")[2] for _ in range(5)}
        assert len(tokens) == 5
        assert all(len(base64url.decode(token, "token")) == 32 for token in tokens)


@pytest.mark.contract("P11")
async def test_refusals_have_a_status_and_a_number(tmp_path: Path) -> None:
    async with running(tmp_path) as url, desk(url) as receiver, aiohttp.ClientSession() as sender:
        endpoint = await receiver.register("5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e")

        async def post(address: str, headers: Mapping[str, str], body: bytes = b"") -> tuple[int, int]:
            async with sender.post(address, headers=headers, data=body) as answer:
                shown = await answer.json()
                assert answer.status == shown["code"]
                if answer.status == 410:
                    assert answer.headers["Cache-Control"] == "max-age=86400"
                return answer.status, shown["errno"]

        assert await post(endpoint, {}) == (400, 111)
        assert await post(endpoint, {"TTL": "soon"}) == (400, 114)
        assert await post(endpoint, {"TTL": "1"}, b"plain text") == (400, 110)
        assert await post(endpoint, {"TTL": "1", "Content-Encoding": "gzip"}, b"no gzip") == (400, 110)
        assert await post(endpoint, BODY | {"Topic": "a topic"}, b"x") == (400, 113)
        assert await post(endpoint, BODY, bytes(4097)) == (413, 104)
        for twice, errno in (("TTL", 114), ("Urgency", 1001), ("Topic", 113)):
            headers = [("TTL", "1"), (twice, "1"), (twice, "2")]
            assert await post(endpoint, CIMultiDict(headers)) == (400, errno)
        assert await post(f"{url}/push/nobody", {"TTL": "1"}) == (404, 102)
        await receiver.unregister("5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e")
        assert await post(endpoint, {"TTL": "1"}) == (410, 106)
        await receiver.settled()


@pytest.mark.contract("P11")
async def test_an_endless_body_is_cut_off(tmp_path: Path) -> None:
    async def endless() -> Any:
        for _ in range(10_000):
            yield bytes(1000)

    async with running(tmp_path) as url, desk(url) as receiver, aiohttp.ClientSession() as sender:
        endpoint = await receiver.register()
        try:
            async with sender.post(endpoint, headers=BODY, data=endless()) as answer:
                assert answer.status == 413
        except aiohttp.ClientOSError:
            pass  # the connection was closed while we were still sending: that is the cut
        await receiver.settled()


async def test_a_body_that_never_comes_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BODY_WITHIN", 0.2)
    async with running(tmp_path) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /push/x HTTP/1.1\r\nHost: x\r\nTTL: 1\r\nContent-Length: 10\r\n\r\nfive.")
        assert b"408" in await reader.readline()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("said", [b"", b"POST /push/x HTTP/1.1\r\nHost: x\r\nTTL"])
async def test_who_connects_and_never_asks_is_not_kept(
    tmp_path: Path, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "IDLE", 0.2)
    async with running(tmp_path) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(said)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.contract("P11")
async def test_four_thousand_and_ninety_six_bytes_go_through(tmp_path: Path) -> None:
    async with running(tmp_path) as url, desk(url) as receiver, aiohttp.ClientSession() as sender:
        endpoint = await receiver.register()
        body = bytes(range(256)) * 16
        async with sender.post(endpoint, headers=BODY, data=body) as answer:
            assert answer.status == 201
        assert base64url.decode((await receiver.hear())["data"], "data") == body


async def test_a_sender_can_take_a_message_back(tmp_path: Path) -> None:
    async with running(tmp_path) as url, aiohttp.ClientSession() as sender:
        async with desk(url) as receiver:
            endpoint = await receiver.register()
        async with sender.post(endpoint, headers={"TTL": "60"}) as first:
            location = first.headers["Location"]
        async with sender.post(endpoint, headers={"TTL": "60"}) as second:
            kept = second.headers["Location"].rpartition("/")[2]
        for _ in range(2):
            async with sender.delete(location) as answer:
                assert answer.status == 204
        async with desk(url, receiver.uaid) as again:
            assert (await again.hear())["version"] == kept
            await again.settled()


@pytest.mark.contract("P08")
async def test_now_or_never_reaches_only_who_is_there(tmp_path: Path) -> None:
    async with running(tmp_path) as url, aiohttp.ClientSession() as sender:
        async with desk(url) as receiver:
            endpoint = await receiver.register()
            async with sender.post(endpoint, headers={"TTL": "0"}) as answer:
                assert (answer.status, answer.headers["TTL"]) == (201, "0")
            assert (await receiver.hear())["ttl"] == 0
        await nobody_connected(url)
        async with sender.post(endpoint, headers={"TTL": "0"}) as answer:
            assert answer.status == 201
        async with desk(url, receiver.uaid) as again:
            await again.settled()


async def test_a_full_file_is_said_to_senders_and_the_service_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path, largest=150_000) as url, aiohttp.ClientSession() as sender:
        async with desk(url) as receiver:
            endpoint = await receiver.register()
        accepted = 0
        while True:
            async with sender.post(endpoint, headers=BODY, data=bytes(4000)) as answer:
                if answer.status != 201:
                    break
                accepted += 1
        assert accepted > 10
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "60"
        async with sender.get(f"{url}/health") as health:
            assert health.status == 503
            assert "full" in (await health.json())["trouble"]
        async with desk(url, receiver.uaid) as again:
            for _ in range(accepted):
                await again.ack(await again.hear())
            await again.settled()
            async with sender.post(endpoint, headers=BODY, data=bytes(4000)) as answer:
                assert answer.status == 201
        async with sender.get(f"{url}/health") as health:
            assert health.status == 200


async def test_many_senders_share_commits(tmp_path: Path) -> None:
    async with running(tmp_path) as url, aiohttp.ClientSession() as sender, desk(url) as receiver:
        endpoint = await receiver.register()

        async def commits() -> int:
            async with sender.get(f"{url}/health") as health:
                return int((await health.json())["commits"])

        async def post() -> int:
            async with sender.post(endpoint, headers={"TTL": "60"}) as answer:
                return answer.status

        before = await commits()
        assert await asyncio.gather(*(post() for _ in range(90))) == [201] * 90
        assert await commits() - before < 90


async def test_locations_and_endpoints_start_with_the_public_url(tmp_path: Path) -> None:
    async with running(tmp_path, port_file=tmp_path / "port", public_url="https://push.example/fd/") as public:
        assert public == "https://push.example/fd"
        local = f"http://127.0.0.1:{(tmp_path / 'port').read_text().strip()}"
        async with desk(local) as receiver, aiohttp.ClientSession() as sender:
            endpoint = await receiver.register()
            assert endpoint.startswith("https://push.example/fd/push/")
            address = endpoint.replace("https://push.example/fd", local)
            async with sender.post(address, headers={"TTL": "60"}) as answer:
                assert answer.headers["Location"].startswith("https://push.example/fd/m/")
