"""The addresses of encryption over real sockets: who may ask, what is never stored, files, acts that come twice."""

import logging
from urllib.parse import quote

import pytest

from lobby.core.views import Backup, Standing, VerificationPhase
from lobby.ui import forms
from tests.lobby.ui.memory_encryption import PASSPHRASE, RECOVERY_KEY, SESSION
from tests.lobby.ui.test_forms import multipart
from tests.shells.test_page_server import Answer, Served
from tests.shells.test_page_server import served as served

SECURITY = f"/chat/{quote('!r:demo.localhost', safe='')}/security"
OFFER = "/verification/" + quote("$offer/1", safe="")


async def upload(
    served: Served, file: bytes, passphrase: str = PASSPHRASE, headers: dict[str, str] | None = None
) -> Answer:
    body, kind = multipart({"csrf": await served.csrf(), "passphrase": passphrase}, file)
    return await served.ask("POST", "/encryption/load", {"Content-Type": kind, **(headers or {})}, body.decode())


@pytest.mark.contract("X01")
@pytest.mark.parametrize("path", ["/encryption", OFFER, SECURITY])
async def test_without_a_session_nothing_is_shown(served: Served, path: str) -> None:
    served.messenger.keys.offer()
    answer = await served.ask("GET", path)
    assert answer.status == 401 and "LOBBYDEVICE" not in answer.body and "Element" not in answer.body


@pytest.mark.contract("X01")
@pytest.mark.parametrize("act", ["create", "begin-anew", "recover", "save", "load", "later", "verify", "look"])
async def test_no_act_without_the_form_token(served: Served, act: str) -> None:
    await served.enter()
    served.messenger.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    answer = await served.ask("POST", f"/encryption/{act}", {}, "passphrase=a&again=a&recovery_key=b")
    assert answer.status == 403 and "Nothing was changed" in answer.body
    body, kind = multipart({"csrf": "0" * 64, "passphrase": PASSPHRASE}, b"keys")
    answer = await served.ask("POST", f"/encryption/{act}", {"Content-Type": kind}, body.decode())
    assert answer.status == 403
    assert served.messenger.keys.shown == [] and served.messenger.keys.imported == []


async def test_nothing_of_encryption_is_stored_by_the_browser(served: Served) -> None:
    await served.enter()
    served.messenger.keys.offer()
    served.messenger.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    answers = [
        await served.ask("GET", "/encryption"),
        await served.ask("GET", OFFER),
        await served.ask("GET", SECURITY),
        await served.post("/encryption/create"),
        await served.post("/encryption/save", passphrase="a", again="a"),
        await served.post("/encryption/recover", recovery_key="wrong"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 200, 422]
    assert all(answer.headers["cache-control"] == "no-store" for answer in answers)
    assert answers[4].headers["content-disposition"] == 'attachment; filename="lobby-keys.txt"'


async def test_the_recovery_key_is_in_one_answer_and_in_no_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    await served.enter()
    caplog.set_level(logging.DEBUG)
    served.messenger.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    made = await served.post("/encryption/create")
    assert made.status == 200 and "EsTc" in made.body
    again = await served.post("/encryption/create")
    assert again.status == 422 and "shown once" in again.body and "EsTc" not in again.body
    for answer in (await served.ask("GET", "/encryption/create"), await served.ask("GET", "/encryption")):
        assert answer.status in (200, 303) and "EsTc" not in answer.body + answer.headers.get("location", "")
    assert served.messenger.keys.shown == [RECOVERY_KEY] and "EsTc" not in caplog.text


async def test_a_lost_recovery_key_is_replaced_when_that_is_said(served: Served) -> None:
    await served.enter()
    keys = served.messenger.keys
    assert "Make a new recovery key" in (await served.ask("GET", "/encryption")).body
    keys.password = "right"
    asked = await served.post("/encryption/create", anew="yes")
    assert asked.status == 200 and 'name="anew" value="yes"' in asked.body and keys.shown == []
    assert "EsTc" in (await served.post("/encryption/create", anew="yes", password="right")).body
    assert keys.shown == [RECOVERY_KEY]


async def test_who_has_lost_everything_begins_anew_once_and_only_when_sure(served: Served) -> None:
    await served.enter()
    keys = served.messenger.keys
    keys.become(standing=Standing.UNVERIFIED, backup=Backup.LOCKED)
    page = (await served.ask("GET", "/encryption")).body
    assert "stay unreadable" in page and "have to verify you again" in page
    answer = await served.post("/encryption/begin-anew")
    assert answer.status == 422 and "Tick the box" in answer.body and keys.begun_anew == 0
    keys.password = "right"
    asked = await served.post("/encryption/begin-anew", sure="yes")
    assert asked.status == 200 and 'action="/encryption/begin-anew"' in asked.body and 'name="sure"' in asked.body
    wrong = await served.post("/encryption/begin-anew", sure="yes", password="wrong")
    assert wrong.status == 422 and "not the password" in wrong.body and keys.begun_anew == 0
    assert "EsTc" in (await served.post("/encryption/begin-anew", sure="yes", password="right")).body
    again = await served.post("/encryption/begin-anew", sure="yes", password="right")
    assert again.status == 422 and "shown once" in again.body and keys.begun_anew == 1


async def test_who_has_no_password_signs_on_again_to_begin_anew(served: Served) -> None:
    await served.enter()
    keys = served.messenger.keys
    keys.become(standing=Standing.UNVERIFIED, backup=Backup.LOCKED)
    keys.sign_on = "https://matrix.example/sign-on?session=1&more"
    asked = await served.post("/encryption/begin-anew", sure="yes")
    assert asked.status == 200 and "https://matrix.example/sign-on?session=1&amp;more" in asked.body
    assert f'name="session" value="{SESSION}"' in asked.body
    early = await served.post("/encryption/begin-anew", sure="yes", session=SESSION)
    assert early.status == 422 and "not finished yet" in early.body and keys.begun_anew == 0
    early = await served.post("/encryption/begin-anew", {"Lobby-Fragment": "pane"}, sure="yes", session=SESSION)
    assert early.status == 409 and early.body.startswith("That sign-on is not finished yet.")
    keys.signed_on = True
    assert "EsTc" in (await served.post("/encryption/begin-anew", sure="yes", session=SESSION)).body


async def test_what_was_typed_is_never_sent_back(served: Served) -> None:
    await served.enter()
    served.messenger.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    served.messenger.keys.password = "right"
    for path, fields in (
        ("/encryption/recover", {"recovery_key": "s3cret"}),
        ("/encryption/save", {"passphrase": "s3cret", "again": "else"}),
        ("/encryption/create", {"password": "s3cret"}),
    ):
        for headers in ({}, {"Lobby-Fragment": "pane"}):
            answer = await served.post(path, headers, **fields)
            assert answer.status in (409, 422) and "s3cret" not in answer.body
            assert (answer.headers["content-type"] == "text/plain; charset=utf-8") == bool(headers)
    answer = await upload(served, b"keys", "s3cret")
    assert answer.status == 422 and "s3cret" not in answer.body and "does not fit" in answer.body


async def test_files_are_bounded_and_must_be_chosen(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    await served.enter()
    large = b"k" * 300_000
    answer = await upload(served, large)
    assert (answer.status, answer.headers["location"]) == (303, f"/encryption?loaded={len(large)}")
    assert "300,000 new keys were taken in" in (await served.ask("GET", answer.headers["location"])).body
    answer = await upload(served, b"")
    assert answer.status == 422 and "Choose a file" in answer.body
    monkeypatch.setattr(forms, "LARGEST_FILE", 1000)
    for headers in ({}, {"Lobby-Fragment": "pane"}):
        answer = await upload(served, b"k" * 2000, headers=headers)
        assert answer.status == 409 and "Nothing was changed" in answer.body
    assert [len(file) for file, _ in served.messenger.keys.imported] == [len(large)]
    for loaded, words in (("0", "had all keys"), ("1", "One new key"), ("-1", ""), ("x", ""), ("9" * 50, "")):
        page = (await served.ask("GET", f"/encryption?loaded={loaded}")).body
        assert words in page and ("keys were taken in" not in page)


async def test_a_verification_goes_on_by_its_address(served: Served) -> None:
    await served.enter()
    keys = served.messenger.keys
    keys.offer()
    for act, phase in (("accept", VerificationPhase.BEGINNING), ("confirm", VerificationPhase.CONFIRMED)):
        answer = await served.post(f"{OFFER}/{act}")
        assert (answer.status, answer.headers["location"], keys.phase("$offer/1")) == (303, OFFER, phase)
    assert (await served.post(f"{OFFER}/nonsense")).status in (404, 405)
    await served.post(f"{OFFER}/mismatch")
    assert "do not match" in (await served.ask("GET", OFFER)).body
    assert (await served.ask("GET", "/verification/unknown")).headers["location"] == "/encryption"
    assert (await served.ask("GET", "/chat/!elsewhere:x/security")).status == 404


async def test_nobody_logged_in_is_sent_to_the_login(served: Served) -> None:
    await served.enter()
    csrf = await served.csrf()
    await served.post("/logout")
    assert csrf == await served.csrf()
    for path in ("/encryption", OFFER, SECURITY):
        assert (await served.ask("GET", path)).headers["location"] == "/"
    assert (await served.post("/encryption/create")).headers["location"] == "/"
