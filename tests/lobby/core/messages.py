"""A message as a homeserver shows it."""

from typing import Any


def message(event_id: str = "$1", body: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "sender": "@you:x",
        "type": "m.room.message",
        "origin_server_ts": 1_500,
        "content": {"msgtype": "m.text", "body": body},
        **more,
    }
