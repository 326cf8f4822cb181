"""A real keeper, desk and push service for tests, and small real apps on strings; all ended by process id."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest_asyncio

from frontdesk import AppState, AppStatus, Condition, DeskControl, DeskStatus, DeskUnavailable, TaskState
from frontdesk.agent.core.recorded.recording import read
from frontdesk.agent.core.recorded.replaying import FAILS, differences

PUPPET = Path(__file__).parent / "apps" / "puppet.py"
APP = "org.example.Puppet"
PATIENCE = 30.0
"""Seconds after which something awaited is taken for missing; a busy machine is slow."""

MODES = ("continued", "processing", "push", "refresh")
"""What a puppet may do in the background."""

GOOD = {
    Condition.POWER: "external",
    Condition.BATTERY: "100",
    Condition.POWER_SAVER: "off",
    Condition.NETWORK: "online",
    Condition.METERED: "no",
    Condition.IDLE: "yes",
}
"""Conditions under which everything may run, whatever the computer of the tests is like."""

Heard = dict[str, Any]


class Strings:
    """One run of a puppet: what it hears, and orders for it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[Heard]) -> None:
        self.first = heard[-1]
        """``started``, with its id, pid, why …; or ``not_started``, with the error."""
        self.pid: int = self.first["pid"]
        self.all = heard
        """All it ever heard, in order."""
        self.gone = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._taken = 0
        self._news = asyncio.Condition()

    async def hears(self, what: str, *, within: float = PATIENCE) -> Heard:
        """The next thing of this name that was not asked for before; what came in between is passed over."""

        def found() -> bool:
            return any(each["heard"] == what for each in self.all[self._taken :]) or self.gone.is_set()

        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(found)
        except TimeoutError:
            raise AssertionError(f"not heard within {within} s: {what}; only {self.words()}") from None
        for place, each in enumerate(self.all[self._taken :], self._taken):
            if each["heard"] == what:
                self._taken = place + 1
                return each
        raise AssertionError(f"the puppet has ended and never heard {what}; only {self.words()}")

    def words(self) -> list[str]:
        return [each["heard"] for each in self.all]

    def count(self, what: str) -> int:
        return self.words().count(what)

    async def do(self, what: str, **more: Any) -> Any:
        """Have it do something; what that gave."""
        done = await self.tell(what, **more)
        assert "error" not in done, done
        return done["gave"]

    async def fails(self, what: str, **more: Any) -> Heard:
        """Have it do something that the desk refuses: ``error``, ``reason`` and ``text`` of that."""
        done = await self.tell(what, **more)
        assert "error" in done, done
        return done

    async def tell(self, what: str, **more: Any) -> Heard:
        number = self.order(what, **more)

        def found() -> list[Heard]:
            return [each for each in self.all if each["heard"] == "did" and each["order"] == number]

        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: found() or self.gone.is_set())
        assert found(), f"the puppet ended over {what}"
        return found()[0]

    def order(self, what: str, **more: Any) -> int:
        """Hand it an order and do not wait; a sleeping puppet finds it when it is awake."""
        number = next(self._numbers)
        self._writer.write(json.dumps({"do": what, "number": number, **more}).encode() + b"\n")
        return number

    async def follow(self) -> None:
        """Until it ends."""
        try:
            while line := await self._reader.readline():
                async with self._news:
                    self.all.append(json.loads(line))
                    self._news.notify_all()
        except ConnectionError:
            pass  # it was killed: the end, as below
        finally:
            self._writer.close()
            async with self._news:
                self.gone.set()
                self._news.notify_all()


class DeskHome:
    """One person's desk in a folder of its own."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.environment = dict(environment)
        self.keeper: asyncio.subprocess.Process | None = None
        self.by_hand: list[asyncio.subprocess.Process] = []
        self._control: DeskControl | None = None
        self._came: dict[str, asyncio.Queue[Strings]] = {}
        self._following: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    # --- the desk -------------------------------------------------------------------------------------------------

    def settings(self, text: str = "", **limits: float) -> None:
        """Write ``settings.toml``; takes effect when the desk starts."""
        folder = self.home / "config"
        folder.mkdir(mode=0o700, exist_ok=True)
        lines = [text, "[limits]", *(f"{name} = {value}" for name, value in limits.items())]
        (folder / "settings.toml").write_text("\n".join(lines) + "\n")

    async def open_strings(self) -> None:
        self._server = await asyncio.start_unix_server(self._puppet_came, self.home / "strings.sock")

    async def start(self) -> None:
        """Keeper and desk; returns when the desk answers."""
        with open(self.home / "keeper.out", "ab") as out:
            self.keeper = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "frontdesk.cli.main", "agent"],
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        await self.connect()

    async def connect(self) -> None:
        """Control over the desk that is there, or about to be."""
        until = time.monotonic() + PATIENCE
        while self._control is None:
            control = DeskControl(self.home)
            try:
                self._control = await control.__aenter__()
            except DeskUnavailable:
                assert time.monotonic() < until, f"no desk came: {self.log()}"
                await asyncio.sleep(0.02)  # a socket that is not there yet tells nobody when it is

    async def disconnect(self) -> None:
        if self._control is not None:
            await self._control.__aexit__(None, None, None)
            self._control = None

    @property
    def control(self) -> DeskControl:
        assert self._control is not None
        return self._control

    async def status(self) -> DeskStatus:
        return await self.control.status()

    async def row(self, app: str = APP) -> AppStatus:
        return row_of(await self.status(), app)

    async def until(
        self, so: Callable[[DeskStatus], object], *, within: float = PATIENCE, control: DeskControl | None = None
    ) -> DeskStatus:
        """The first status of which ``so`` is true. Told by the desk at every change; nothing is asked again."""
        latest: DeskStatus | None = None
        watching = (control or self.control).watch()
        try:
            async with asyncio.timeout(within):
                async for latest in watching:
                    if so(latest):
                        return latest
        except TimeoutError:
            rows = latest and [(row.app, row.state, row.holds, row.last_receipt) for row in latest.apps]
            raise AssertionError(f"did not come about within {within} s; last seen: {rows}; {self.log()}") from None
        finally:
            await watching.aclose()  # type: ignore[attr-defined]
        raise AssertionError("watching never ends by itself")

    async def until_state(self, state: AppState, app: str = APP, *, within: float = PATIENCE) -> AppStatus:
        return row_of(await self.until(lambda status: row_of(status, app).state is state, within=within), app)

    async def happened(self, what: str, app: str = APP, *, since: float = 0.0, within: float = PATIENCE) -> str:
        """The text of the newest happening of that name, after ``since``; awaited."""

        def found(status: DeskStatus) -> list[str]:
            return [each.text for each in status.happenings if (each.app, each.what) == (app, what) and each.at > since]

        return found(await self.until(found, within=within))[-1]

    async def titles(self) -> list[str]:
        """Of the notifications in the desk's list, newest first."""
        return [each.notification.title for each in (await self.status()).shown]

    async def kill_desk(self) -> float:
        """SIGKILL to the desk, not the keeper; the moment (monotonic) at which it was gone."""
        return await self.kill_process((await self.status()).pid)

    async def kill_process(self, pid: int) -> float:
        handle = os.pidfd_open(pid)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(handle, ended.set)
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            await asyncio.wait_for(ended.wait(), PATIENCE)
            return time.monotonic()
        finally:
            asyncio.get_running_loop().remove_reader(handle)
            os.close(handle)

    def log(self) -> str:
        """What keeper and desk have printed, its end."""
        out = self.home / "keeper.out"
        return out.read_text()[-3000:] if out.exists() else ""

    # --- apps -----------------------------------------------------------------------------------------------------

    def manifest(self, app: str = APP, *, page: bool = False, **manner: Any) -> Path:
        """A puppet's manifest, written. It declares the scheduled tasks that the ``manner`` names, and every mode."""
        file = self.home / f"{app}.toml"
        argument = json.dumps({"id": app, "page": page, "manifest": str(file), **manner})
        command = json.dumps([sys.executable, str(PUPPET), argument])  # a list of strings is written alike in TOML
        lines = [f'id = "{app}"', f'name = "{app.rpartition(".")[2]}"', f"command = {command}"]
        lines += [f"page = {str(page).lower()}", f"background = {json.dumps(MODES)}"]
        file.write_text("\n".join([*lines, f"tasks = {json.dumps([*manner.get('tasks', {})])}"]) + "\n")
        return file

    async def start_reachable(self, push_service: "RunningPushService", **limits: float) -> None:
        """A desk that pushes reach, with these limits, and one app."""
        self.settings(push_service.setting, **limits)
        await self.start()
        await self.install()

    async def install(self, app: str = APP, *, page: bool = False, **manner: Any) -> None:
        await self.control.add_app(self.manifest(app, page=page, **manner))

    async def launch(self, app: str = APP) -> Strings:
        """Opened by the person, its window there."""
        await self.control.open(app)
        puppet = await self.puppet(app)
        assert puppet.first["heard"] == "started", puppet.first
        await puppet.hears("open")
        await puppet.do("foreground")
        await self.until_state(AppState.FOREGROUND, app)
        return puppet

    async def asleep(self, app: str = APP) -> Strings:
        """Opened, closed, suspended."""
        puppet = await self.launch(app)
        puppet.order("background")
        await self.until_state(AppState.SUSPENDED, app)
        return puppet

    async def puppet(self, app: str = APP, *, within: float = PATIENCE) -> Strings:
        """The next run of the app that comes to the strings."""
        try:
            return await asyncio.wait_for(self._queue(app).get(), within)
        except TimeoutError:
            raise AssertionError(f"no run of {app} came within {within} s; {self.log()}") from None

    async def no_puppet(self, app: str = APP) -> bool:
        return self._queue(app).empty()

    async def start_by_hand(self, app: str = APP, **environment: str) -> asyncio.subprocess.Process:
        """The app's command, as a person types it."""
        manifest = frontdesk_manifest(self.home / f"{app}.toml")
        process = await asyncio.create_subprocess_exec(
            *manifest,
            env=self.environment | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self.by_hand.append(process)
        return process

    async def command(self, *words: str) -> tuple[int, str, str]:
        """``frontdesk WORDS…``: exit status, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "frontdesk.cli.main", *words],
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def says_why_tasks_wait(self) -> None:
        """Every request that the desk keeps has an answer to why it does not run now (S16)."""
        if self._control is None:
            return
        try:
            await self.status()
        except DeskUnavailable:
            return  # some tests end without a desk
        await self.until(lambda status: sum(len(row.tasks) for row in status.apps) == self._kept_requests())
        for each in await self.control.explain():
            answered = each.reasons or each.state is TaskState.RUNNING or each.text == "Starts at once."
            assert answered and each.text, f"no reason is given for {each}"

    def _kept_requests(self) -> int:
        """As they lie in the desk's database."""
        with contextlib.closing(sqlite3.connect(self.home / "state" / "desk.sqlite3")) as database:
            query = "SELECT count(*) FROM kept WHERE machine IN ('scheduler', 'continued')"
            return int(database.execute(query).fetchone()[0])

    # --- the end --------------------------------------------------------------------------------------------------

    async def kill_keeper(self) -> None:
        """SIGKILL, and wait until it is gone; `start` brings the next."""
        assert self.keeper is not None
        self.keeper.kill()
        await asyncio.wait_for(self.keeper.wait(), PATIENCE)
        await self.disconnect()

    async def stop(self) -> None:
        """SIGTERM to the keeper: the desk and all apps end with it."""
        await self.disconnect()
        if self.keeper is not None and self.keeper.returncode is None:
            self.keeper.terminate()
            await asyncio.wait_for(self.keeper.wait(), PATIENCE)

    async def end(self) -> list[str]:
        """End all that is left; gives what the keeper should have ended and did not."""
        await self.stop()
        for process in self.by_hand:
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            await process.communicate()
        left = processes_of(self.home)
        words = [_command(pid) for pid in left]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._following)
        return words

    def _queue(self, app: str) -> "asyncio.Queue[Strings]":
        return self._came.setdefault(app, asyncio.Queue())

    async def _puppet_came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[Heard] = []
        while not heard or heard[-1]["heard"] not in ("started", "not_started"):
            line = await reader.readline()
            if not line:  # killed before it had started
                writer.close()
                return
            heard.append(json.loads(line))
        puppet = Strings(reader, writer, heard)
        following = asyncio.create_task(puppet.follow())
        self._following.add(following)
        following.add_done_callback(self._following.discard)
        self._queue(puppet.first["id"]).put_nowait(puppet)


def decided_otherwise(home: Path) -> list[str]:
    """Where a new core decides otherwise than the desks of this home did, by what they recorded."""
    logs = sorted((home / "state").glob("events.log*"))
    assert logs or not (home / "state" / "desk.sqlite3").exists(), "a desk has recorded nothing"
    found = [each for log in logs for each in differences(read(log.read_bytes()))]
    # A fault that a test planted is in the desk that recorded, and not in the core that decides again.
    planted = (home / "faults").is_dir()
    return [f"{each}" for each in found if not (planted and each.expected == FAILS)]


def row_of(status: DeskStatus, app: str = APP) -> AppStatus:
    return next(row for row in status.apps if row.app == app)


def frontdesk_manifest(file: Path) -> list[str]:
    """The command in a manifest that a test wrote."""
    line = next(line for line in file.read_text().splitlines() if line.startswith("command = "))
    command: list[str] = json.loads(line.removeprefix("command = "))
    return command


def processes_of(home: Path) -> list[int]:
    """All processes that live with this FRONTDESK_HOME."""
    mark = f"FRONTDESK_HOME={home}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                ours = mark in (entry / "environ").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(") ")[2][:1]
            except OSError:
                continue  # it ended while we looked
            if ours and state != "Z":
                found.append(int(entry.name))
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "(gone)"


def environment_for(home: Path) -> dict[str, str]:
    """As a person has it, without what ties a program to this computer; compiled code is kept, it halves the time."""
    from_outside = ("FRONTDESK_", "LOBBY_", "DBUS_", "XDG_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(from_outside)}
    no_bus = f"unix:path={home}/no-system-bus"  # the computer's own could tell it to sleep, or what its battery has
    ours = {"FRONTDESK_HOME": str(home), "FRONTDESK_LOG": "info", "FRONTDESK_RECORD": "1", "PYTHONUNBUFFERED": "1"}
    return kept | ours | {"DBUS_SYSTEM_BUS_ADDRESS": no_bus}


@asynccontextmanager
async def desk_home() -> AsyncIterator[DeskHome]:
    """A folder with a short path (Unix sockets have little room), and no process left of it afterwards."""
    home = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    desk = DeskHome(home, environment_for(home))
    await desk.open_strings()
    try:
        yield desk
        await desk.says_why_tasks_wait()
        left = await desk.end()
        assert not left, f"the keeper left behind: {left}"
        otherwise = decided_otherwise(home)
        assert not otherwise, f"replayed, this is decided otherwise: {otherwise[:3]}"
    finally:
        await desk.end()
        shutil.rmtree(home, ignore_errors=True)


@pytest_asyncio.fixture
async def home() -> AsyncIterator[DeskHome]:
    """A desk's folder, the desk not started: for tests that write settings or start it in a way of their own."""
    async with desk_home() as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(home: DeskHome) -> DeskHome:
    """A running desk with the contract's limits, and one app installed."""
    await home.start()
    await home.install()
    return home


# --- the push service -------------------------------------------------------------------------------------------------


class RunningPushService:
    """``frontdesk.push`` in a process of its own, at one port for as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.process: asyncio.subprocess.Process | None = None

    @property
    def setting(self) -> str:
        """What stands in a desk's settings for it."""
        return f'push_service = "ws://127.0.0.1:{self.port}/"'

    async def start(self) -> None:
        told = self.folder / "port"
        told.unlink(missing_ok=True)
        with open(self.folder / "out", "ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "frontdesk.push.main", "--port", str(self.port), "--port-file", str(told)],
                *["--data", str(self.folder / "data")],
                env=environment_for(self.folder),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        until = time.monotonic() + PATIENCE
        while not told.exists():
            assert self.process.returncode is None and time.monotonic() < until, (self.folder / "out").read_text()
            await asyncio.sleep(0.02)  # the file is how it tells
        self.port = int(told.read_text())

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), PATIENCE)

    async def forget_everything(self) -> None:
        """As a service does that lost its database: desks and subscriptions are unknown to it afterwards."""
        await self.stop()
        shutil.rmtree(self.folder / "data")
        await self.start()


@pytest_asyncio.fixture
async def push_service() -> AsyncIterator[RunningPushService]:
    """A push service for desks and senders on this machine."""
    service = RunningPushService(Path(tempfile.mkdtemp(prefix="fd-push-", dir="/tmp")))
    try:
        await service.start()
        yield service
    finally:
        await service.stop()
        shutil.rmtree(service.folder, ignore_errors=True)
