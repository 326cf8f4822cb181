"""To whom secrets are given: to devices that the identity has signed, as of the last answer, with the very keys signed.

Real keys and files; the homeserver is the test, and shows one thing to one question and another to the next.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from lobby.core import identity as identities
from lobby.core import unpadded
from lobby.core.identity import SELF_SIGNING, Seeds, secret_name
from lobby.core.key_news import ToDevice
from lobby.core.secret_sharing import REQUEST, SEND
from lobby.core.signed_json import public_key
from lobby.encryption.cross_signing import CrossSigning
from lobby.encryption.engine import Engine
from lobby.encryption.key_backup import KeyBackup
from lobby.encryption.key_store import KeyStore
from lobby.encryption.machine import Machine
from lobby.encryption.own_secrets import OwnSecrets
from lobby.encryption.recovery_store import RecoveryStore
from lobby.errors import RecoveryRefused
from lobby.home import Login
from lobby.matrix.session import Session

ME, STRANGER = "@me:x", "@stranger:x"
HERE, OTHER = "HERE", "OTHER"
SEEDS = Seeds(b"m" * 32, b"s" * 32, b"u" * 32)

Json = dict[str, Any]


class Homeserver:
    """Shows ``devices`` of the account; keeps what is ``given`` to them, and what this one ``wished`` for.

    Stands where ``Session`` does.
    """

    def __init__(self, device_id: str) -> None:
        self.login = Login("http://x", ME, device_id, "token")
        self.devices: dict[str, Json] = {}
        self.one_time: Json = {}
        self.given: list[Json] = []
        self.wished: list[Json] = []
        self.asked = asyncio.Event()
        self.late: asyncio.Event | None = None
        """The next answer about devices is on its way until this is set."""

    async def request(self, method: str, path: str, body: Json) -> Json:
        if path == "/keys/upload":
            self.one_time = dict([body["one_time_keys"].popitem()])
            return {"one_time_key_counts": {"signed_curve25519": 50}}
        if path == "/keys/query":
            shown = identities.published(ME, SEEDS)
            keys = {f"{usage}_keys": {ME: shown[f"{usage}_key"]} for usage in identities.USAGES}
            answer, late, self.late = {"device_keys": {ME: self.devices}, **keys}, self.late, None
            self.asked.set()
            if late is not None:
                await late.wait()
            return answer
        if path == "/keys/claim":
            return {"one_time_keys": {ME: {OTHER: self.one_time}}}
        if path.startswith("/sendToDevice/m.room.encrypted/"):
            self.given.append(body["messages"])
        if path.startswith("/sendToDevice/m.secret.request/"):
            self.wished.append(body["messages"][ME]["*"])
        return {}


@dataclass
class Here:
    """This device, which holds all secrets of the account."""

    homeserver: Homeserver
    engine: Engine
    store: RecoveryStore
    cross_signing: CrossSigning
    secrets: OwnSecrets


class Other:
    """A device that calls itself OTHER; ``shown``: its keys, signed by the identity or not."""

    def __init__(self, engine: Engine, homeserver: Homeserver) -> None:
        self.engine = engine
        self.homeserver = homeserver

    def shown(self, signed: bool = True) -> Json:
        keys = self.engine.device_keys()
        made = identities.device_signature(keys, ME, SEEDS)["signatures"][ME] if signed else {}
        return {**keys, "signatures": {ME: {**keys["signatures"][ME], **made}}}


@pytest.fixture
def files(tmp_path: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def here(tmp_path: Path, files: ExitStack) -> Here:
    homeserver = Homeserver(HERE)
    session = cast(Session, homeserver)
    engine = Engine(KeyStore(tmp_path / "keys", ME, HERE), Machine, session, lambda: 0.0)
    store = RecoveryStore(tmp_path / "recovery", ME)
    files.callback(engine.close)
    files.callback(store.close)
    store.keep_seeds(SEEDS)
    store.trust_master(public_key(SEEDS.master))
    cross_signing = CrossSigning(engine, session, store)
    engine.trusted_devices = cross_signing.other_verified_devices
    backup = KeyBackup(engine, session, store, lambda: 0.0, lambda: None)
    own_secrets = OwnSecrets(engine, cross_signing, backup, lambda: 0.0, lambda name: None)
    return Here(homeserver, engine, store, cross_signing, own_secrets)


async def other(folder: Path, files: ExitStack, name: str) -> Other:
    homeserver = Homeserver(OTHER)
    engine = Engine(KeyStore(folder / name, ME, OTHER), Machine, cast(Session, homeserver), lambda: 0.0)
    files.callback(engine.close)
    await engine.upkeep()
    return Other(engine, homeserver)


def asks(name: str = secret_name(SELF_SIGNING)) -> ToDevice:
    content = {"action": "request", "name": name, "request_id": "1", "requesting_device_id": OTHER}
    return ToDevice(REQUEST, ME, content)


async def test_a_device_that_the_identity_has_signed_is_given_what_it_asks_for(
    here: Here, tmp_path: Path, files: ExitStack
) -> None:
    good = await other(tmp_path, files, "good")
    here.homeserver.one_time = good.homeserver.one_time
    here.homeserver.devices = {OTHER: good.shown()}
    await here.secrets.hear(asks())
    assert [set(messages[ME]) for messages in here.homeserver.given] == [{OTHER}]
    assert here.cross_signing.other_verified_devices() == {OTHER}


async def test_one_that_is_not_signed_gets_nothing(here: Here, tmp_path: Path, files: ExitStack) -> None:
    stranger = await other(tmp_path, files, "stranger")
    here.homeserver.one_time = stranger.homeserver.one_time
    here.homeserver.devices = {OTHER: stranger.shown(signed=False)}
    await here.secrets.hear(asks())
    assert here.homeserver.given == []


async def test_a_homeserver_that_shows_keys_of_its_own_under_the_name_of_a_signed_device_gets_nothing(
    here: Here, tmp_path: Path, files: ExitStack
) -> None:
    good, evil = await other(tmp_path, files, "good"), await other(tmp_path, files, "evil")
    here.homeserver.devices = {OTHER: evil.shown(signed=False)}
    await here.engine.upkeep()
    here.homeserver.one_time = evil.homeserver.one_time
    here.homeserver.devices = {OTHER: good.shown()}
    await here.secrets.hear(asks())
    assert here.homeserver.given == []
    assert here.cross_signing.other_verified_devices() == set()


@pytest.mark.parametrize(
    ("sender", "encrypted", "signed", "secret", "taken"),
    [
        (ME, True, True, SEEDS.user_signing, True),
        (STRANGER, True, True, SEEDS.user_signing, False),
        (ME, False, True, SEEDS.user_signing, False),
        (ME, True, False, SEEDS.user_signing, False),
        (ME, True, True, b"x" * 32, False),
    ],
    ids=["verified", "a stranger's device of that name", "readable for the homeserver", "not verified", "another's"],
)
async def test_a_secret_is_taken_from_a_verified_device_only_and_only_the_right_one(
    here: Here, tmp_path: Path, files: ExitStack, sender: str, encrypted: bool, signed: bool, secret: bytes, taken: bool
) -> None:
    good = await other(tmp_path, files, "good")
    here.homeserver.devices = {OTHER: good.shown(signed)}
    here.store.keep_seeds(Seeds(SEEDS.master, SEEDS.self_signing))
    await here.engine.upkeep()
    await here.cross_signing.look()
    await here.secrets.ask()
    [wish] = here.homeserver.wished
    content = {"request_id": wish["request_id"], "secret": unpadded.encode(secret)}
    await here.secrets.hear(ToDevice(SEND, sender, content, OTHER, encrypted, good.engine.identity_key))
    assert here.store.seeds() == (SEEDS if taken else Seeds(SEEDS.master, SEEDS.self_signing))


async def test_while_an_identity_waits_to_be_published_no_other_is_trusted_in_its_place(here: Here) -> None:
    here.store.trust_master("an earlier one")
    here.store.keep_next_seeds(Seeds(b"n" * 32, b"e" * 32, b"x" * 32))
    await here.cross_signing.look()
    assert here.store.trusted_master == "an earlier one" and here.cross_signing.trusted is None
    here.store.keep_next_seeds(SEEDS)
    await here.cross_signing.look()
    assert here.store.trusted_master == public_key(SEEDS.master) and here.store.next_seeds() == Seeds(b"", b"")


async def test_no_signature_for_keys_that_the_device_itself_has_not_signed(
    here: Here, tmp_path: Path, files: ExitStack
) -> None:
    good, evil = await other(tmp_path, files, "good"), await other(tmp_path, files, "evil")
    here.homeserver.devices = {OTHER: good.shown(signed=False)}
    await here.engine.upkeep()
    mixed = good.shown(signed=False)
    mixed["keys"] = {**mixed["keys"], f"curve25519:{OTHER}": evil.engine.identity_key}
    here.homeserver.devices = {OTHER: mixed}
    await here.cross_signing.look()
    with pytest.raises(RecoveryRefused, match="another key of that device"):
        here.cross_signing.insist_on_key(OTHER, good.engine.fingerprint_key)


async def test_an_answer_that_was_long_on_its_way_is_not_taken_after_a_later_one(
    here: Here, tmp_path: Path, files: ExitStack
) -> None:
    good = await other(tmp_path, files, "good")
    comes = here.homeserver.late = asyncio.Event()
    first = asyncio.create_task(here.cross_signing.look())
    await here.homeserver.asked.wait()
    here.homeserver.devices = {OTHER: good.shown()}
    second = asyncio.create_task(here.cross_signing.look())
    for _ in range(10):
        await asyncio.sleep(0)  # Enough for the second to be answered, if it is asked at once.
    comes.set()
    await asyncio.gather(first, second)
    assert here.cross_signing.verified_devices() == {OTHER}
