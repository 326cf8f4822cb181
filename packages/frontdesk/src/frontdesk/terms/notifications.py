"""What the person is shown, and how much it may disturb."""

import enum

import msgspec


class Level(enum.StrEnum):
    """How much a notification may disturb (N01)."""

    PASSIVE = "passive"
    ACTIVE = "active"
    TIME_SENSITIVE = "time_sensitive"
    CRITICAL = "critical"


class Action(msgspec.Struct, frozen=True):
    """A button of a notification. ``id`` comes back to the app when it is pressed (N04)."""

    id: str
    title: str


class Notification(msgspec.Struct, frozen=True):
    """What the person is shown. Same ``id`` as one that is shown: replaces it (N03)."""

    id: str
    title: str
    body: str = ""
    level: Level = Level.ACTIVE
    actions: tuple[Action, ...] = ()


class Shown(msgspec.Struct, frozen=True):
    """A notification in the desk's own list (N05)."""

    app: str
    at: float
    notification: Notification
