"""Who is killed when: the cells of the matrix, and the moment that a seed draws for each. Pure, and the same for ever.

Rule of this file: no I/O, no clock, and no dice but those that the seed throws.
"""

import dataclasses
import enum
import random
from collections.abc import Sequence


class Victim(enum.StrEnum):
    """A part of the system that dies; the words are those of the command line."""

    KEEPER = "keeper"
    DESK = "desk"
    PUSH = "push"
    SYNAPSE = "synapse"
    LOBBY = "lobby"
    """In the step of the forgetful app it is that one: the app on whose life the step is."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """A stretch of a step in which the victim may die: from when the story comes to it, for `span` seconds."""

    name: str
    span: float


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of the tour as the matrix knows it, or one of its own. `people`: on whose machines it plays."""

    title: str
    people: tuple[str, ...]
    moments: tuple[Moment, ...]


STEPS = (
    Step(
        "Left writes, Right sees it",
        ("left", "right"),
        (Moment("windows are opened", 1.5), Moment("a message is sent", 0.6), Moment("it is there", 0.5)),
    ),
    Step(
        "Right closes the window: asleep, later stopped",
        ("right",),
        (
            Moment("the window is closed", 3.0),
            Moment("Lobby is told of it", 0.4),
            Moment("Lobby sleeps", 2.0),
            Moment("Lobby is about to be stopped", 1.5),
        ),
    ),
    Step(
        "Left writes: Right's Lobby is launched, then thawed",
        ("right",),
        (
            Moment("a message is sent to a stopped Lobby", 1.5),
            Moment("Lobby is launched for it", 1.2),
            Moment("a message is sent to a sleeping Lobby", 0.8),
            Moment("Lobby is thawed for it", 0.4),
        ),
    ),
    Step(
        "Slow network: Left sends and leaves",
        ("left",),
        (Moment("the message is on its way", 8.0), Moment("Left is back", 1.0)),
    ),
    Step(
        "No network: told “not sent”, resend",
        ("left",),
        (
            Moment("the message cannot leave", 8.0),
            Moment("time is up", 1.0),
            Moment("Left is back", 1.0),
            Moment("it is sent again", 0.6),
        ),
    ),
    Step(
        "A forgetful app is stopped, and told why",
        ("left",),
        (Moment("it is launched", 0.8), Moment("it holds its task", 8.0), Moment("it is opened again", 0.8)),
    ),
    Step(
        "Right's desk is killed while Lobby sleeps",
        ("right",),
        (Moment("the desk was killed", 0.6), Moment("a message is sent", 0.8)),
    ),
    Step(
        "Right opens the page of a sleeping Lobby",
        ("right",),
        (Moment("Lobby is suspended", 0.3), Moment("Lobby is stopped", 0.3)),
    ),
)
"""In the order of the tour; the last one is the matrix's own: somebody who comes in the moment of a death."""

_AWAY = {Victim.KEEPER: (0.1, 1.5), Victim.PUSH: (0.2, 3.0), Victim.SYNAPSE: (0.2, 2.0)}
"""Between how many seconds the one who restarts it takes; desk and Lobby come back by what the system itself does."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One field of the matrix: `victim` dies in step `number` (1 to 8)."""

    victim: Victim
    number: int

    @property
    def step(self) -> Step:
        return STEPS[self.number - 1]

    def __str__(self) -> str:
        return f"{self.victim}:{self.number}"


@dataclasses.dataclass(frozen=True)
class Blow:
    """What a seed makes of a cell. `person`: whose keeper, desk or Lobby it is, empty for push service and Synapse.

    It falls `delay` seconds after the story has come to `moment`, and the victim is started again `away` seconds later.
    """

    victim: Victim
    person: str
    moment: str
    delay: float
    away: float

    def __str__(self) -> str:
        whose = f"{self.person.capitalize()}'s {self.victim}" if self.person else f"{self.victim}"
        return f"{whose}, {self.delay:.2f} s after “{self.moment}”"


def matrix() -> tuple[Cell, ...]:
    """Every cell, step by step."""
    return tuple(Cell(victim, number) for number in range(1, len(STEPS) + 1) for victim in Victim)


def blow(cell: Cell, seed: int) -> Blow:
    """The moment that `seed` draws for this cell; the same for ever, whichever other cells are played."""
    dice = random.Random(f"{seed} {cell}")
    moment = dice.choice(cell.step.moments)
    person = "" if cell.victim in (Victim.PUSH, Victim.SYNAPSE) else dice.choice(cell.step.people)
    delay = dice.uniform(0.0, moment.span)
    away = dice.uniform(*_AWAY.get(cell.victim, (0.0, 0.0)))
    return Blow(cell.victim, person, moment.name, delay, away)


def read_cells(words: Sequence[str]) -> tuple[Cell, ...]:
    """The cells that words such as `desk:3`, `desk` or `3` name, in the order of the matrix; none given: all.

    Raises ValueError with a sentence that names the word.
    """
    wanted: set[Cell] = set() if words else set(matrix())
    for word in words:
        named = [cell for cell in matrix() if word in (str(cell), cell.victim, str(cell.number))]
        if not named:
            victims = ", ".join(Victim)
            raise ValueError(f"{word!r} is no cell. One is VICTIM:STEP, VICTIM or STEP: {victims}; 1 to {len(STEPS)}.")
        wanted.update(named)
    return tuple(cell for cell in matrix() if cell in wanted)
