"""Whose word on a condition counts, where several sources can tell: the first in order that has one."""

from frontdesk.agent.core import events as ev
from frontdesk.terms import Condition


class Sources:
    """``order``: names of the sources, the one that knows best first; each has told nothing yet."""

    def __init__(self, order: tuple[str, ...]) -> None:
        self._order = order
        self._words: dict[Condition, dict[str, str]] = {}
        self._told: dict[Condition, tuple[str, str]] = {}

    def tell(self, source: str, condition: Condition, value: str) -> ev.ConditionSeen | None:
        """A source has a word on the condition, or none any more (""). What follows for the desk, if anything does."""
        words = self._words.setdefault(condition, {})
        words[source] = value
        says = next((name for name in self._order if words.get(name)), "")
        now = (words.get(says, ""), says)
        if self._told.get(condition, ("", "")) == now:
            return None
        self._told[condition] = now
        return ev.ConditionSeen(condition, *now)
