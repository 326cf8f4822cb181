"""The push service as a program: killed, stopped, started wrongly, out of disk."""

import asyncio
import resource
import signal
import sqlite3
import sys
from pathlib import Path

import aiohttp
import pytest

from frontdesk.push.main import PushSettings, StartError, parse_arguments, serve
from frontdesk.wire import base64url
from tests.shells.push_service import ServiceProcess, child, desk

BODY = {"TTL": "3600", "Content-Encoding": "aes128gcm"}


async def run_until_it_ends(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "frontdesk.push.main", *arguments), stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def post(service: ServiceProcess, endpoint: str, body: bytes = b"x") -> int:
    async with aiohttp.ClientSession() as sender, sender.post(endpoint, headers=BODY, data=body) as answer:
        return answer.status


@pytest.mark.contract("P09")
async def test_what_was_accepted_survives_a_kill(tmp_path: Path) -> None:
    async with child(tmp_path) as service:
        async with desk(service.url) as receiver:
            endpoint = await receiver.register()
            assert await post(service, endpoint, b"sent, not acknowledged") == 201
            assert (await receiver.hear())["messageType"] == "notification"
        assert await post(service, endpoint, b"never sent") == 201
        await service.kill()
    async with child(tmp_path, service.port) as service:
        async with desk(service.url, receiver.uaid) as again:
            assert again.uaid == receiver.uaid
            first, second = await again.hear(), await again.hear()
            assert first["data"] != second["data"]
            await again.ack(first, second)
            await again.settled()
            assert await post(service, endpoint) == 201
            assert (await again.hear())["version"] not in (first["version"], second["version"])


@pytest.mark.contract("P09")
async def test_every_201_under_load_survives_a_kill(tmp_path: Path) -> None:
    """Killed in the middle of many posts: whatever was answered with 201 is there afterwards."""
    accepted: set[str] = set()
    async with child(tmp_path) as service:
        async with desk(service.url) as receiver:
            endpoint = await receiver.register()
        enough = asyncio.Event()

        async def post_on() -> None:
            async with aiohttp.ClientSession() as sender:
                while True:
                    async with sender.post(endpoint, headers=BODY, data=b"x") as answer:
                        assert answer.status == 201
                        accepted.add(answer.headers["Location"].rpartition("/")[2])
                    if len(accepted) > 100:
                        enough.set()

        senders = [asyncio.create_task(post_on()) for _ in range(8)]
        await enough.wait()
        await service.kill()
        ends = await asyncio.gather(*senders, return_exceptions=True)
        assert all(isinstance(end, aiohttp.ClientError) for end in ends), ends
    with sqlite3.connect(tmp_path / "push.db") as database:
        kept = {row[0] for row in database.execute("SELECT id FROM message")}
    database.close()
    assert accepted <= kept


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_stop_it_stops_with_status_zero(tmp_path: Path, number: signal.Signals) -> None:
    async with child(tmp_path) as service, desk(service.url):
        service.process.send_signal(number)
        async with asyncio.timeout(10):
            await service.process.wait()
        assert service.process.returncode == 0
    assert not (tmp_path / "push.db-wal").exists()


async def test_a_port_in_use_is_one_line_and_status_one(tmp_path: Path) -> None:
    async with child(tmp_path / "one") as service:
        status, said = await run_until_it_ends("--data", str(tmp_path / "two"), "--port", str(service.port))
    assert status == 1
    assert said.count("\n") == 1
    assert f"port {service.port} on 127.0.0.1 is in use" in said


async def test_a_folder_in_use_is_one_line_and_status_one(tmp_path: Path) -> None:
    async with child(tmp_path):
        status, said = await run_until_it_ends("--data", str(tmp_path), "--port", "0")
    assert (status, said.count("\n")) == (1, 1)
    assert "Another push service uses" in said


async def test_logs_name_neither_endpoints_nor_payloads(tmp_path: Path) -> None:
    async with child(tmp_path) as service:
        async with desk(service.url) as receiver:
            endpoint = await receiver.register()
        assert await post(service, endpoint, b"a secret") == 201
        service.process.terminate()
        _, said = await service.process.communicate()
    assert b"event=accepted" in said
    assert endpoint.rpartition("/")[2].encode() not in said
    assert b"secret" not in said


async def test_what_is_no_request_is_one_line_in_the_log_without_the_endpoint(tmp_path: Path) -> None:
    async with child(tmp_path) as service:
        async with desk(service.url) as receiver:
            token = (await receiver.register()).rpartition("/")[2].encode()
        start = b"POST /push/" + token
        for rest in (b"\x00\xff HTTP/1.1\r\n\r\n", b" HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(start + rest)
            assert b" 400 " in await reader.readline()
            writer.close()
        service.process.terminate()
        _, said = await service.process.communicate()
    assert said.count(b"event=bad_request") == 2
    assert b"Traceback" not in said
    assert token not in said


async def test_a_service_may_open_as_many_files_as_the_machine_allows(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    try:
        async with child(tmp_path) as service:
            assert resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_full_disk_is_refused_and_survived(tmp_path: Path) -> None:
    """The operating system refuses to let the file grow, for a while."""
    async with child(tmp_path) as service:
        async with desk(service.url) as receiver:
            endpoint = await receiver.register()
        unlimited = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (200_000, unlimited[1]))
        accepted = 0
        while (status := await post(service, endpoint, bytes(4000))) == 201:
            accepted += 1
        assert (status, accepted > 5) == (503, True)
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, unlimited)
        assert await post(service, endpoint, bytes(4000)) == 201
        async with desk(service.url, receiver.uaid) as again:
            for _ in range(accepted + 1):
                await again.ack(await again.hear())
            await again.settled()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"allow_private": ("localhost",)}, "--allow-private"),
        ({"port": 99999}, "99999 is not a port"),
        ({"host": "192.0.2.1"}, "cannot listen on 192.0.2.1"),
        ({"host": "a" * 70}, "that is no host name"),
        ({"host": ""}, "an empty host"),
        ({"public_url": "push.example.org"}, "--public-url"),
        ({"largest": 0}, "--largest: 0 bytes"),
        ({"port_file": Path("/nowhere/port")}, "/nowhere/port cannot be written"),
    ],
)
async def test_settings_that_cannot_work_are_named(tmp_path: Path, settings: dict[str, object], said: str) -> None:
    chosen = PushSettings(**({"data": tmp_path, "port": 0} | settings))  # type: ignore[arg-type]
    with pytest.raises(StartError, match=said):
        await serve(chosen, asyncio.Event())


def test_the_command_line_says_all_settings() -> None:
    arguments = (
        "--data /d --host ::1 --port 1 --public-url https://p --allow-private 10.0.0.0/8 --allow-private ::1 "
        "--port-file /p --largest 5"
    )
    assert parse_arguments(arguments.split()) == PushSettings(
        data=Path("/d"),
        host="::1",
        port=1,
        public_url="https://p",
        allow_private=("10.0.0.0/8", "::1"),
        port_file=Path("/p"),
        largest=5,
    )
    assert parse_arguments(["--data", "/d"]) == PushSettings(data=Path("/d"))


@pytest.mark.contract("P08")
async def test_what_went_out_of_date_while_the_service_was_down_is_never_delivered(tmp_path: Path) -> None:
    async with child(tmp_path) as service:
        async with desk(service.url) as receiver:
            endpoint = await receiver.register()
        for body in (b"old", b"new"):
            assert await post(service, endpoint, body) == 201
        await service.kill()
    with sqlite3.connect(tmp_path / "push.db") as database:  # as if two hours had passed, for the first of the two
        database.execute("UPDATE message SET expires_at = expires_at - 7200 WHERE number = 1")
    database.close()
    async with child(tmp_path) as service:
        async with desk(service.url, receiver.uaid) as again:
            arrival = await again.hear()
            assert base64url.decode(arrival["data"], "data") == b"new"
            await again.ack(arrival)
            await again.settled()
        service.process.terminate()
        await service.process.communicate()
    with sqlite3.connect(tmp_path / "push.db") as database:
        assert database.execute("SELECT count(*) FROM message").fetchone() == (0,)
    database.close()
