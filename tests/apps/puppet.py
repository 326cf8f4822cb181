"""A small app on strings: tells the test all it hears from the desk, and does what the test says. Public names only.

It speaks JSON lines over the Unix socket ``strings.sock`` in FRONTDESK_HOME. Its manifest hands it one argument, JSON:
``id``, ``page`` (serve one), ``slow_to_settle`` (never says "ready"), ``resuming_takes`` (seconds in ``on_resumed``),
``starts_behind`` (a named pipe; it speaks to the desk when somebody has written to it), ``tasks`` (identifiers of
scheduled tasks, and how each is done, see ``scheduled``). A push says in its payload how it is to be answered, so that
every run answers alike.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

import frontdesk
from frontdesk import Notification, PushKind


class Puppet:
    """One run of the app."""

    def __init__(self, manner: dict[str, Any]) -> None:
        self.manner = manner
        self.app = frontdesk.App(manner["id"], manifest=manner["manifest"])
        self.strings: asyncio.StreamWriter | None = None
        self.left: set[asyncio.Task[None]] = set()
        app = self.app
        app.on_entered_background = self.entered_background
        app.on_resumed = self.resumed
        app.on_open = self.hears("open")
        app.on_quit = self.hears("quit")
        app.on_action = self.pressed
        app.on_subscription_changed = self.changed
        app.push_handler("messages")(self.push)
        self.at_work: dict[str, frontdesk.ScheduledTask] = {}
        for identifier in manner.get("tasks", {}):
            app.scheduler.register(identifier, self.scheduled)

    def say(self, heard: str, **more: Any) -> None:
        """In one small write: whole or, when the test is gone, not at all."""
        if self.strings is not None:
            line = {"heard": heard, "at": time.time(), "front": self.app.state_is_foreground, **more}
            self.strings.write(json.dumps(line).encode() + b"\n")

    def hears(self, what: str) -> Callable[[], Any]:
        async def say() -> None:
            self.say(what)

        return say

    # --- what the desk says ---------------------------------------------------------------------------------------

    async def entered_background(self) -> None:
        self.say("entered_background")
        if self.manner.get("slow_to_settle"):
            await asyncio.Event().wait()

    async def resumed(self, slept_for: float) -> None:
        self.say("resumed", slept_for=slept_for)
        await asyncio.sleep(self.manner.get("resuming_takes", 0.0))
        self.say("in_order")

    async def pressed(self, notification: str, action: str) -> None:
        self.say("pressed", notification=notification, action=action)

    async def changed(self, subscription: frontdesk.Subscription) -> None:
        self.say("subscription_changed", endpoint=subscription.endpoint)

    async def push(self, push: frontdesk.Push) -> frontdesk.Answer:
        self.say("push", id=push.id, data=push.data.decode())
        wish = json.loads(push.data)
        match wish["answer"]:
            case "this":
                return frontdesk.ShowThis(Notification(id=wish["id"], title="Decrypted", body=wish["body"]))
            case "as it is":
                return frontdesk.SHOW_AS_IT_IS
            case "nothing":
                return frontdesk.SHOW_NOTHING
            case "fail":
                raise ValueError("this handler fails on purpose")
            case "die":
                os._exit(9)
        await asyncio.Event().wait()
        raise AssertionError("an event nobody sets")

    async def scheduled(self, task: frontdesk.ScheduledTask) -> None:
        """``waits`` for the test's word, and completes when expired; ``forgets`` to; ``unguarded``: has no handler."""
        way = self.manner["tasks"][task.identifier]
        self.say("task", task=task.identifier, attempt=task.attempt, left=min(task.time_remaining(), 1e6))
        self.at_work[task.identifier] = task

        def expire() -> None:
            self.say("task_expired", task=task.identifier, left=task.time_remaining())
            if way != "forgets":
                task.set_task_completed(False)

        match way:
            case "completes":
                return
            case "fails":
                raise ValueError("this task fails on purpose")
            case "dies":
                os._exit(9)
            case "repeats":
                await self.app.scheduler.submit(frontdesk.RefreshTask(task.identifier, time.time() + 3600))
                self.say("submitted again")
                return
            case "unguarded":
                pass
            case _:
                task.expiration_handler = expire
        try:
            await asyncio.Event().wait()
        finally:
            self.say("task_over", task=task.identifier)

    # --- what the test says ---------------------------------------------------------------------------------------

    async def do(self, order: dict[str, Any]) -> Any:
        app = self.app
        match order:
            case {"do": "foreground"}:
                app.report_foreground()
            case {"do": "background"}:
                app.report_background()
            case {"do": "begin", "name": name, "handler": handler}:
                return self.begin(name, handler)
            case {"do": "begin many", "count": count, "name": name}:
                for _ in range(count):
                    app.begin_background_task(name)
            case {"do": "end", "task": task}:
                app.end_background_task(task)
            case {"do": "end and begin", "task": task}:
                app.end_background_task(task)
                return self.begin("next", "forgets")
            case {"do": "remaining"}:
                left = app.background_time_remaining()
                return None if left == float("inf") else left
            case {"do": "guard", "name": name, "way": way}:
                working = asyncio.create_task(self.guarded(name, way))
                self.left.add(working)
                working.add_done_callback(self.left.discard)
            case {"do": "cancel guarded"}:
                for working in self.left:
                    working.cancel()
            case {"do": "subscribe", "kind": kind, "fallback": fallback}:
                shown = None if fallback is None else Notification(id="messages", title="Puppet", body=fallback)
                subscription = await app.subscribe("messages", kind=PushKind(kind), fallback=shown)
                return {name: getattr(subscription, name) for name in ("endpoint", "p256dh", "auth")}
            case {"do": "unsubscribe"}:
                await app.unsubscribe("messages")
            case {"do": "notify", "id": id, "title": title}:
                actions = (frontdesk.Action("reply", "Reply"),)
                await app.notify(Notification(id=id, title=title, actions=actions))
            case {"do": "withdraw", "id": id}:
                await app.withdraw(id)
            case {"do": "submit", "task": task, "existing": existing}:
                request: frontdesk.TaskRequest = msgspec.convert(task, frontdesk.TaskRequest)
                await app.scheduler.submit(request, frontdesk.ExistingWork(existing))
            case {"do": "complete", "task": identifier, "success": success}:
                self.at_work[identifier].set_task_completed(success)
            case {"do": "progress", "task": identifier, "done": done}:
                self.at_work[identifier].report_progress(done, 1)
            case {"do": "cancel", "task": identifier}:
                await app.scheduler.cancel(identifier)
            case {"do": "cancel all"}:
                await app.scheduler.cancel_all()
            case {"do": "pending"}:
                return [[each.request.identifier, each.state, each.attempt] for each in await app.scheduler.pending()]
            case {"do": "explain"}:
                told = await app.scheduler.explain()
                return {each.identifier: [reason.obstacle for reason in each.reasons] for each in told}
            case {"do": "budget"}:
                return (await app.scheduler.budget()).left
            case {"do": "background available"}:
                return app.background_available
            case {"do": "show address", "address": address}:
                await app.show_address(address)
            case {"do": "start program", "command": command}:
                # Its environment is ours, as when an app starts another program in the simplest way.
                await asyncio.create_subprocess_exec(*command)
            case {"do": "burn"}:
                return burn()
            case {"do": "hold", "mib": mib}:
                return hold(mib)
            case {"do": "flood", "count": count}:
                for _ in range(count):
                    app.end_background_task(app.begin_background_task("flood"))
            case {"do": "exit", "status": status}:
                os._exit(status)
            case {"do": "hog", "seconds": seconds}:
                self.say("hogging")
                time.sleep(seconds)
            case _:
                raise ValueError(f"no puppet can {order}")
        return None

    def begin(self, name: str, handler: str) -> int:
        """``handler``: "ends" the task, "forgets" to, or "none" at all."""
        task = 0

        def expire() -> None:
            self.say("expired", task=name)
            if handler == "ends":
                self.app.end_background_task(task)

        task = self.app.begin_background_task(name, None if handler == "none" else expire)
        return task

    async def guarded(self, name: str, way: str) -> None:
        try:
            async with self.app.background_task(name) as task:
                self.say("working", task=task)
                if way == "fail":
                    raise ValueError("this work fails on purpose")
                if way == "until told":
                    await asyncio.Event().wait()
        except frontdesk.TaskExpired as error:
            self.say("guarded", how="expired", text=str(error))
        except ValueError:
            self.say("guarded", how="failed")
        except asyncio.CancelledError:
            self.say("guarded", how="cancelled")
            raise
        else:
            self.say("guarded", how="done")

    # --- life -----------------------------------------------------------------------------------------------------

    async def live(self) -> int:
        reader, self.strings = await asyncio.open_unix_connection(
            str(Path(os.environ["FRONTDESK_HOME"]) / "strings.sock")
        )
        port = await self.serve_page() if self.manner.get("page") else 0
        if gate := self.manner.get("starts_behind"):
            Path(gate).read_text(encoding="utf-8")
        try:
            await self.app.start()
        except frontdesk.FrontdeskError as error:
            self.say("not_started", error=type(error).__name__, text=str(error), id=self.app.id, pid=os.getpid())
            await self.strings.drain()
            print(error, file=sys.stderr)
            return 0 if isinstance(error, frontdesk.AlreadyRunning) else 1
        self.say(
            "started",
            id=self.app.id,
            pid=os.getpid(),
            why=self.app.why,
            port=port,
            background=self.app.background_available,
            receipts=[{"reason": each.reason, "text": each.text, "tasks": each.tasks} for each in self.app.receipts],
            task_receipts=[[each.identifier, each.end] for each in self.app.task_receipts],
        )
        obeying = asyncio.create_task(self.obey(reader))
        await self.app.run_until_quit()
        self.say("leaving")
        obeying.cancel()
        await self.app.close()
        return 0

    async def obey(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            order = json.loads(line)
            try:
                self.say("did", order=order["number"], gave=await self.do(order))
            except frontdesk.FrontdeskError as error:
                reason = getattr(error, "reason", "")
                self.say("did", order=order["number"], error=type(error).__name__, reason=reason, text=str(error))

    async def serve_page(self) -> int:
        page = self.app.page_socket()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            body = f"here is {os.getpid()}".encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            writer.close()
            self.say("visited")

        await asyncio.start_server(answer, sock=page)
        port = int(page.getsockname()[1])
        self.app.set_page_address(f"http://127.0.0.1:{port}/")
        return port


def burn() -> list[int]:
    """Two helpers that use all the processor time they get, one of them in a session of its own; their ids."""
    helpers = []
    begun, ready = os.pipe()
    for own_session in (False, True):
        pid = os.fork()
        if pid == 0:
            if own_session:
                os.setsid()
            os.write(ready, b".")
            until = time.process_time() + 20  # should everything else fail, they end by themselves
            while time.process_time() < until:
                pass
            os._exit(0)
        os.read(begun, 1)
        helpers.append(pid)
    os.close(begun)
    os.close(ready)
    return helpers


def hold(mib: int) -> int:
    """A helper in a session of its own that holds so much memory and does nothing; its id."""
    begun, ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        held = bytearray(b"x") * (mib << 20)
        os.write(ready, held[:1])
        signal.pause()
        os._exit(0)
    os.read(begun, 1)
    os.close(begun)
    os.close(ready)
    return pid


if __name__ == "__main__":
    sys.exit(asyncio.run(Puppet(json.loads(sys.argv[1])).live()))
