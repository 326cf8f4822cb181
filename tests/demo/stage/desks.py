"""Hand-made words of a desk, for tests of what the stage shows."""

from frontdesk import AppState, AppStatus, DeskStatus, Happening, Hold, Notification, Reading, Shown

APP = "org.frontdesk.Lobby"
NOW = 1_700_000_000.0


def status(
    state: AppState = AppState.SUSPENDED,
    *,
    quit: bool = False,
    left: float | None = None,
    holds: tuple[Hold, ...] = (),
    shown: tuple[Notification, ...] = (),
    happenings: tuple[Happening, ...] = (),
    conditions: tuple[Reading, ...] = (),
) -> DeskStatus:
    app = AppStatus(app=APP, name="Lobby", state=state, since=NOW, quit=quit, pid=7, seconds_left=left, holds=holds)
    listed = tuple(Shown(APP, NOW + at, one) for at, one in enumerate(shown))
    return DeskStatus(NOW, 4242, "1", (app,), listed, happenings, push_state="connected", conditions=conditions)
