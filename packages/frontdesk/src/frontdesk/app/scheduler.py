"""``app.scheduler``: have this app do something later, when it is due and the machine allows it (S01 – S19)."""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from frontdesk.app.connection import DeskConnection
from frontdesk.app.runs import ScheduledRuns, TaskHandler
from frontdesk.errors import ManifestError, RefusedError
from frontdesk.terms import (
    Budget,
    ContinuedTask,
    ExistingWork,
    Explanation,
    Manifest,
    PendingTask,
    ProcessingTask,
    RefreshTask,
    Refusal,
    TaskRequest,
)
from frontdesk.wire import desk as wire
from frontdesk.wire.manifest import parse_manifest

log = logging.getLogger("frontdesk")


class TaskScheduler:
    """Handlers are registered before the app starts, requests submitted at any time; names as in iOS.

    One request is one launch: to repeat, submit again, typically first thing in the handler (S05). What is submitted
    survives the app, the desk and a reboot (S07).
    """

    def __init__(
        self, runs: ScheduledRuns, manifest: str, started: Callable[[], bool], asking: Callable[[], DeskConnection]
    ) -> None:
        self._runs = runs
        self._manifest = manifest
        self._started = started
        self._asking = asking
        self._in_file: Manifest | None = None

    # --- handlers ---------------------------------------------------------------------------------------------------

    def register(self, identifier: str, handler: TaskHandler) -> None:
        """``handler``, an ``async`` function, does the task of that name each time the desk gives it.

        ``org.example.export.*``, declared like this, is for every identifier that begins so. ``RefusedError``: with
        ``not_permitted`` after ``start`` (S02), or when the manifest does not declare it (S01; an app that names no
        manifest hears of that from ``start``); with ``bad_request`` when it has a handler already (S02).
        ``ManifestError``: the manifest cannot be read. ``TypeError``: one of the two is nothing of the kind.
        """
        _check_kinds(identifier, handler)
        if self._started():
            text = f"{identifier!r} is registered too late: register every handler before start(), at each launch."
            raise RefusedError(Refusal.NOT_PERMITTED, text)
        if identifier in self._runs.handlers:
            text = f"{identifier!r} has a handler already, which stays. Register one for each identifier."
            raise RefusedError(Refusal.BAD_REQUEST, text)
        if self._manifest:
            self._refuse_undeclared((identifier,), self._read_manifest().tasks, self._manifest)
        self._runs.handlers[identifier] = handler

    def task(self, identifier: str) -> Callable[[TaskHandler], TaskHandler]:
        """Decorator form of ``register``."""

        def keep(handler: TaskHandler) -> TaskHandler:
            self.register(identifier, handler)
            return handler

        return keep

    def check_declared(self, declared: tuple[str, ...]) -> None:
        """By the desk's word, for an app that names no manifest. ``RefusedError`` as from ``register``."""
        if not self._manifest:
            self._refuse_undeclared(tuple(self._runs.handlers), declared, "its registered manifest")

    # --- requests ---------------------------------------------------------------------------------------------------

    async def submit(self, request: TaskRequest, existing: ExistingWork = ExistingWork.REPLACE) -> None:
        """Returns when the desk has kept the request. A pending one of the same identifier is replaced (S04).

        ``existing`` = ``keep``: what is pending stays as it is and this one is dropped (S19). ``RefusedError``, and
        nothing was changed: ``not_permitted`` (identifier or mode is not in the manifest, S01),
        ``too_many_pending_requests`` (S03), ``unavailable`` (the person switched background running off, L10),
        ``bad_request`` (numbers that cannot be), for continued tasks ``not_in_foreground`` and ``cannot_start_now``
        (S18), ``store_unavailable``. ``VersionMismatch``: the desk is older than scheduled tasks. ``TypeError``,
        ``ValueError``: a field, or ``existing``, is nothing of the kind; the desk was not asked.
        """
        _check_fields(request)
        existing = ExistingWork(existing)
        submission = secrets.token_hex(8)
        try:
            await self._asking().ask(lambda number: wire.SubmitTask(number, request, existing, submission), wire.Done)
        except RefusedError as error:
            if error.reason is Refusal.NOT_PERMITTED and self._permits(request):
                again = f"The desk knows an earlier manifest; register it again: frontdesk apps add {self._manifest}"
                raise RefusedError(error.reason, f"{error} {again}") from error
            raise
        if self._runs.handler(request.identifier) is None:
            log.warning("No handler is registered for %r: launched, it fails.", request.identifier)

    async def cancel(self, identifier: str) -> None:
        """Withdraw the request, if there is one; a run of it is expired (S13)."""
        await self._asking().ask(lambda number: wire.CancelTasks(number, (identifier,)), wire.Done)

    async def cancel_all(self) -> None:
        """As ``cancel``, for everything this app has submitted (S13)."""
        await self._asking().ask(wire.CancelTasks, wire.Done)

    async def pending(self) -> tuple[PendingTask, ...]:
        """What the desk keeps of this app, that which runs now included (S13)."""
        return (await self._asking().ask(wire.ListTasks, wire.TasksAre)).tasks

    async def explain(self) -> tuple[Explanation, ...]:
        """For each of these, why it does not run now, and when it is looked at next (S16)."""
        return (await self._asking().ask(wire.ExplainTasks, wire.ExplanationsAre)).explanations

    async def budget(self) -> Budget:
        """Launches for refresh that are left (S15). ``RefusedError``: the manifest has no mode ``refresh``."""
        return (await self._asking().ask(wire.GetBudget, wire.BudgetIs)).budget

    # --- inside -----------------------------------------------------------------------------------------------------

    def _permits(self, request: TaskRequest) -> bool:
        """The manifest as it is now does, whatever the registered one says."""
        if not self._manifest:
            return False
        try:
            manifest = self._read_manifest()
        except ManifestError:
            return False
        return request.kind in manifest.background and _is_declared(request.identifier, manifest.tasks)

    def _read_manifest(self) -> Manifest:
        if self._in_file is None:
            try:
                text = Path(self._manifest).read_bytes()
            except OSError as error:
                why = f"{self._manifest} cannot be read ({error.strerror}). No handler was registered."
                raise ManifestError(Refusal.BAD_MANIFEST, why) from error
            self._in_file = parse_manifest(text, self._manifest)
        return self._in_file

    def _refuse_undeclared(self, identifiers: tuple[str, ...], declared: tuple[str, ...], where: str) -> None:
        for identifier in identifiers:
            if not _is_declared(identifier, declared):
                text = f"{identifier!r} is not declared: add it to `tasks` in {where}. Its handler was not registered."
                raise RefusedError(Refusal.NOT_PERMITTED, text)


def _check_kinds(identifier: object, handler: object) -> None:
    if not (isinstance(identifier, str) and callable(handler)):
        raise TypeError(f"an identifier and an async function are registered, not {identifier!r} and {handler!r}")


def _check_fields(request: TaskRequest) -> None:
    """A date for ``earliest_begin``, say, is named here: the desk ends a connection over what it cannot read (X02)."""
    if not isinstance(request, RefreshTask | ProcessingTask | ContinuedTask):
        raise TypeError(f"a RefreshTask, ProcessingTask or ContinuedTask is submitted, not {request!r}")
    try:
        msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=type(request))
    except (msgspec.ValidationError, TypeError) as error:
        text = f"{type(request).__name__} {request.identifier!r} has a wrong field: {error}. Nothing was submitted."
        raise TypeError(text) from error


def _is_declared(identifier: str, declared: tuple[str, ...]) -> bool:
    beginnings = tuple(name[:-1] for name in declared if name.endswith(".*"))
    return identifier in declared or identifier.startswith(beginnings)
