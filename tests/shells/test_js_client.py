"""The other end itself: two devices of matrix-js-sdk do with each other what the interoperability tests ask of them."""

from tests.homeserver import PASSWORD, Homeserver, homeserver
from tests.js_client import JsClient, js_client

__all__ = ["homeserver", "js_client"]


async def test_two_accounts_talk_encrypted(homeserver: Homeserver, js_client: JsClient) -> None:
    left, right = [
        await js_client.log_in(homeserver.url, await homeserver.account(name), PASSWORD) for name in ("Left", "Right")
    ]
    room_id = await left.create_room(right.user_id)
    await right.invited(room_id)
    await right.join(room_id)
    said = await left.send(room_id, "can you read this?")
    heard = await right.text(room_id, "can you read this?")
    assert heard["encrypted"]
    assert heard["sender"] == left.user_id
    await left.edit(room_id, said, "can you read that?")
    edit = await right.text(room_id, "* can you read that?")
    assert edit["content"]["m.new_content"]["body"] == "can you read that?"
    assert [message["event_id"] for message in await right.history(room_id)] == [said, edit["event_id"]]


async def test_a_second_device_recovers_and_reads_what_was_said_before(
    homeserver: Homeserver, js_client: JsClient
) -> None:
    user_id = await homeserver.account("Left")
    first = await js_client.log_in(homeserver.url, user_id, PASSWORD)
    recovery_key = await first.bootstrap()
    room_id = await first.create_room(name="Diary")
    await first.send(room_id, "said before")
    assert await first.backed_up() == 1
    second = await js_client.log_in(homeserver.url, user_id, PASSWORD)
    assert [message["sealed"] for message in await second.history(room_id)] == [True]
    assert await second.recover(recovery_key) == {"imported": 1, "total": 1}
    assert [message["content"]["body"] for message in await second.history(room_id)] == ["said before"]
    assert await first.device(user_id, second.device_id) == {"signed_by_owner": True, "verified": True}


async def test_two_devices_verify_each_other(homeserver: Homeserver, js_client: JsClient) -> None:
    user_id = await homeserver.account("Left")
    first = await js_client.log_in(homeserver.url, user_id, PASSWORD)
    await first.bootstrap()
    second = await js_client.log_in(homeserver.url, user_id, PASSWORD)
    assert not (await second.state())["seeds"]
    asked = await second.verify()
    await first.verification("requested", asked)
    await first.accept(asked)
    await second.verification("ready", asked)
    await second.start(asked)
    emoji = [(await device.verification("started", asked, emoji=True))["emoji"] for device in (first, second)]
    assert emoji[0] == emoji[1]
    await first.confirm(asked)
    await second.confirm(asked)
    for device in (first, second):
        await device.verification("done", asked)
    for one, other in ((first, second), (second, first)):
        await one.device_verified(user_id, other.device_id)
