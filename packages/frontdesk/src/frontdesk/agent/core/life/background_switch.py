"""Whether the person lets apps run in the background: one switch for each app, and one for all (contract L10)."""

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev

MACHINE = "background_switch"
"""Under this word switches that were moved are saved."""

ALL = "*"
"""The switch for all apps. An app runs in the background while this one and its own are on."""

Out = list[do.Effect | ev.Signal]


class BackgroundSwitch:
    """The machine. ``off`` names what ``settings.toml`` has off; what the person switched since counts instead.

    What follows for an app that runs unseen just then is decided by the lifecycle, the background tasks, and so on.
    """

    def __init__(self, off: frozenset[str] = frozenset()) -> None:
        self._off_at_first = off
        self._switched: dict[str, bool] = {}

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.BackgroundSwitched(app=app, on=on):
                self._switched[app] = on
                whose = "" if app == ALL else app
                text = f"running in the background switched {'on' if on else 'off'}{' for all apps' * (app == ALL)}"
                what = "background_on" if on else "background_off"
                return [do.Save(MACHINE, app, msgspec.msgpack.encode(on)), do.Note(whose, what, text)]
            case ev.AppRemoved(app=app) if self._switched.pop(app, None) is not None:
                return [do.Save(MACHINE, app, None)]
        return []

    def next_wake(self) -> float | None:
        """Never: nothing here depends on time."""
        return None

    def saves(self) -> list[do.Effect]:
        """Nothing: saved as it is switched."""
        return []

    def restore(self, key: str, value: bytes) -> None:
        """Take back one switch."""
        self._switched[key] = msgspec.msgpack.decode(value, type=bool)

    # --- looking at it --------------------------------------------------------------------------------------------

    def allows(self, app: str) -> bool:
        """The app may run in the background."""
        return self._is_on(ALL) and self._is_on(app)

    def _is_on(self, switch: str) -> bool:
        return self._switched.get(switch, switch not in self._off_at_first)
