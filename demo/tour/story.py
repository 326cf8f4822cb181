"""Plays a list of steps: times each, catches what goes wrong, and goes on with the next."""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import aiohttp

from demo.errors import DemoError
from frontdesk import FrontdeskError

STEP_PATIENCE = 45.0
"""Seconds that a step may take before it counts as failed."""


Cast = TypeVar("Cast")

Say = Callable[[str], None]
"""Prints a line for a person."""


@dataclasses.dataclass(frozen=True)
class Step(Generic[Cast]):
    """One step: its title, and a function that plays it and gives a word on what was seen.

    The function raises DemoError (or fails with an error of the desk or the network) when a check fails.
    """

    title: str
    play: Callable[[Cast], Awaitable[str]]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a step went. `note`: what was seen, or what went wrong."""

    number: int
    title: str
    ok: bool
    seconds: float
    note: str


async def play(steps: Sequence[Step[Cast]], cast: Cast, told: Callable[[Outcome], None]) -> list[Outcome]:
    """Plays all steps in order; `told` hears of each as it ends. A failed step does not keep the next from trying."""
    outcomes = []
    for number, step in enumerate(steps, start=1):
        before = time.monotonic()
        try:
            async with asyncio.timeout(STEP_PATIENCE):
                note, ok = await step.play(cast), True
        except TimeoutError:
            note, ok = f"Not done after {STEP_PATIENCE:g} s.", False
        except (DemoError, FrontdeskError, aiohttp.ClientError, OSError) as reason:
            note, ok = str(reason) or repr(reason), False
        outcome = Outcome(number, step.title, ok, time.monotonic() - before, note)
        outcomes.append(outcome)
        told(outcome)
    return outcomes


def line(outcome: Outcome) -> str:
    """One line for a person."""
    head = f"{outcome.number}  {outcome.title}"
    return f"{head:<62} {outcome.seconds:5.1f} s  {'ok' if outcome.ok else 'FAILED'}\n     {outcome.note}"
