"""The Matrix gateway over real sockets: encrypted pushes out, the truth back, no way into private networks."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from frontdesk.wire import base64url, webpush
from tests.shells.push_service import KEYS, desk, nobody_connected, running

NOTIFY = "/_matrix/push/v1/notify"
CHANNEL = "5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e"


def notification(endpoint: str, event_id: str = "$1", **more: Any) -> dict[str, Any]:
    device = {
        "app_id": "org.frontdesk.lobby",
        "pushkey": KEYS.p256dh,
        "data": {"format": "event_id_only", "endpoint": endpoint, "auth": KEYS.auth},
    }
    return {"notification": {"event_id": event_id, "room_id": "!r", "prio": "high", **more, "devices": [device]}}


async def notify(url: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as homeserver, homeserver.post(url + NOTIFY, json=body) as answer:
        return answer.status, await answer.json()


class Elsewhere:
    """Somebody else's push service: notes what is posted, answers as told."""

    def __init__(self) -> None:
        self.status = 201
        self.headers: dict[str, str] = {}
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.posts.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers)


@contextlib.asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    other = Elsewhere()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", other.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    other.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        yield other
    finally:
        await runner.cleanup()


async def test_a_homeservers_notification_reaches_the_desk_encrypted(tmp_path: Path) -> None:
    async with running(tmp_path) as url, desk(url) as receiver:
        endpoint = await receiver.register(CHANNEL)
        assert await notify(url, notification(endpoint)) == (200, {"rejected": []})
        arrival = await receiver.hear()
        assert arrival["channelID"] == CHANNEL
        plain = webpush.decrypt(base64url.decode(arrival["data"], "data"), KEYS)
        assert json.loads(plain) == {"event_id": "$1", "room_id": "!r", "prio": "high"}


async def test_a_notification_for_a_sleeping_desk_waits(tmp_path: Path) -> None:
    async with running(tmp_path) as url:
        async with desk(url) as receiver:
            endpoint = await receiver.register()
        await nobody_connected(url)
        assert (await notify(url, notification(endpoint)))[0] == 200
        async with desk(url, receiver.uaid) as again:
            assert (await again.hear())["messageType"] == "notification"


async def test_a_repeat_is_answered_and_not_delivered_again(tmp_path: Path) -> None:
    async with running(tmp_path) as url, desk(url) as receiver:
        endpoint = await receiver.register()
        for _ in range(3):
            assert await notify(url, notification(endpoint)) == (200, {"rejected": []})
        await receiver.hear()
        await receiver.settled()


async def test_a_dead_subscription_is_rejected(tmp_path: Path) -> None:
    async with running(tmp_path) as url, desk(url) as receiver:
        endpoint = await receiver.register(CHANNEL)
        await receiver.unregister(CHANNEL)
        assert await notify(url, notification(endpoint)) == (200, {"rejected": [KEYS.p256dh]})
        assert await notify(url, notification(f"{url}/push/never-was")) == (200, {"rejected": [KEYS.p256dh]})


async def test_somebody_elses_push_service_is_used_as_the_rfc_says(tmp_path: Path) -> None:
    async with running(tmp_path) as url, elsewhere() as other:
        assert await notify(url, notification(f"{other.url}/their/endpoint")) == (200, {"rejected": []})
        badge = notification(f"{other.url}/their/endpoint", counts={"unread": 2})
        del badge["notification"]["event_id"]
        assert await notify(url, badge) == (200, {"rejected": []})
        (path, headers, body), (_, badge_headers, _) = other.posts
        assert path == "/their/endpoint"
        assert (headers["TTL"], headers["Urgency"], headers["Content-Encoding"]) == ("86400", "high", "aes128gcm")
        assert "Topic" not in headers
        assert json.loads(webpush.decrypt(body, KEYS))["event_id"] == "$1"
        assert (badge_headers["Urgency"], badge_headers["Topic"]) == ("low", "badge")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (410, (200, [KEYS.p256dh])),
        (404, (200, [KEYS.p256dh])),
        (403, (200, [KEYS.p256dh])),
        (500, (502, None)),
        (503, (502, None)),
        (429, (502, None)),
    ],
)
async def test_the_homeserver_is_told_the_truth(tmp_path: Path, status: int, answer: tuple[int, Any]) -> None:
    async with running(tmp_path) as url, elsewhere() as other:
        other.status = status
        found, body = await notify(url, notification(f"{other.url}/x"))
        assert (found, body.get("rejected")) == answer


async def test_a_delivery_that_failed_for_now_succeeds_when_asked_again(tmp_path: Path) -> None:
    async with running(tmp_path) as url, elsewhere() as other:
        other.status = 503
        assert (await notify(url, notification(f"{other.url}/x")))[0] == 502
        other.status = 201
        assert (await notify(url, notification(f"{other.url}/x")))[0] == 200
        assert len(other.posts) == 2


async def test_an_endpoint_whose_server_is_down_makes_the_homeserver_ask_again(tmp_path: Path) -> None:
    async with elsewhere() as other:
        pass
    async with running(tmp_path) as url:
        status, body = await notify(url, notification(f"{other.url}/x"))
        assert (status, body["errcode"]) == (502, "M_UNKNOWN")


async def test_too_large_for_another_service_is_tried_again_with_less(tmp_path: Path) -> None:
    async with running(tmp_path) as url, elsewhere() as other:
        other.status = 413
        long = notification(f"{other.url}/x", content={"body": "x" * 500})
        del long["notification"]["devices"][0]["data"]["format"]
        assert await notify(url, long) == (200, {"rejected": [KEYS.p256dh]})
        larger, smaller = (len(body) for _, _, body in other.posts)
        assert smaller < larger - 400


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with running(tmp_path) as url, elsewhere() as other, elsewhere() as target:
        other.status, other.headers = 307, {"Location": f"{target.url}/inside"}
        assert await notify(url, notification(f"{other.url}/x")) == (200, {"rejected": [KEYS.p256dh]})
        assert len(other.posts) == 1
        assert target.posts == []


async def test_a_name_that_leads_into_a_private_network_is_not_connected_to_and_not_given_up(tmp_path: Path) -> None:
    """Names can be wrong for a moment; the homeserver would forget a living device for good."""
    async with running(tmp_path, allow_private=()) as url, elsewhere() as other:
        port = other.url.rpartition(":")[2]
        for scheme in ("http", "https"):
            body = notification(f"{scheme}://localhost:{port}/x", event_id=scheme)
            assert (await notify(url, body))[0] == 502
        assert other.posts == []
    async with running(tmp_path) as url, elsewhere() as other:
        assert (await notify(url, notification(f"http://localhost:{other.url.rpartition(':')[2]}/x")))[0] == 200
        assert len(other.posts) == 1


async def test_one_request_cannot_cause_thousands(tmp_path: Path) -> None:
    async with running(tmp_path) as url, elsewhere() as other:
        body = notification(f"{other.url}/x")
        (device,) = body["notification"]["devices"]
        device["data"]["p256dh"] = KEYS.p256dh
        body["notification"]["devices"] = [device | {"pushkey": str(number)} for number in range(250)]
        assert [(await notify(url, body))[0] for _ in range(3)] == [502, 502, 200]
        assert len(other.posts) == 250


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1", "0.0.0.0"])
async def test_a_private_address_is_never_connected_to(tmp_path: Path, host: str) -> None:
    async with running(tmp_path, allow_private=()) as url, elsewhere() as other:
        for scheme in ("http", "https"):
            endpoint = f"{scheme}://{host}:{other.url.rpartition(':')[2]}/x"
            assert await notify(url, notification(endpoint, event_id=scheme)) == (200, {"rejected": [KEYS.p256dh]})
        assert other.posts == []


async def test_a_public_address_without_tls_is_not_used(tmp_path: Path) -> None:
    async with running(tmp_path, allow_private=()) as url:
        assert await notify(url, notification("http://192.0.78.9/x")) == (200, {"rejected": [KEYS.p256dh]})


@pytest.mark.parametrize("endpoint", ["", "not a url", "ftp://127.0.0.1/x", "http://", "http://[::1/x", "file:///etc"])
async def test_what_is_no_address_is_rejected(tmp_path: Path, endpoint: str) -> None:
    async with running(tmp_path) as url:
        assert await notify(url, notification(endpoint)) == (200, {"rejected": [KEYS.p256dh]})


@pytest.mark.contract("P11")
async def test_what_is_no_notification_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as url, aiohttp.ClientSession() as homeserver:
        for body, status, errcode in (
            (b"nonsense", 400, "M_BAD_JSON"),
            (b"{}", 400, "M_BAD_JSON"),
            (b" " * (512 * 1024 + 1), 413, "M_TOO_LARGE"),
        ):
            async with homeserver.post(url + NOTIFY, data=body) as answer:
                assert (answer.status, (await answer.json())["errcode"]) == (status, errcode)


async def test_apps_can_see_that_there_is_a_gateway(tmp_path: Path) -> None:
    async with running(tmp_path) as url, aiohttp.ClientSession() as app, app.get(url + NOTIFY) as answer:
        assert (await answer.json())["unifiedpush"] == {"gateway": "matrix"}


async def test_a_disk_that_cannot_be_written_makes_the_homeserver_ask_again(tmp_path: Path) -> None:
    async with running(tmp_path, largest=60_000) as url:
        async with desk(url) as receiver:
            endpoint = await receiver.register()
        for number in range(200):
            status, _ = await notify(url, notification(endpoint, event_id=f"${number}"))
            if status != 200:
                break
        assert status == 502
