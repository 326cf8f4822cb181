"""What the desk in memory keeps for good: it survives ``restart``, as the database does."""

from collections.abc import Iterator, Sequence

from frontdesk.agent.core import effects as do
from frontdesk.terms import Receipt, TaskReceipt


class MemoryStore:
    """As ``agent.shell.store.Store``, without a file."""

    def __init__(self) -> None:
        self.trouble = ""
        self.traces = False
        self._kept: dict[tuple[str, str], bytes] = {}
        self._receipts: list[Receipt | TaskReceipt] = []

    def saved(self) -> Iterator[tuple[str, str, bytes]]:
        """All that is kept, as (machine, key, value)."""
        yield from [(machine, key, value) for (machine, key), value in self._kept.items()]

    def commit(self, saves: Sequence[do.Save], receipts: Sequence[do.KeepReceipt | do.KeepTaskReceipt]) -> None:
        for save in saves:
            if save.value is None:
                self._kept.pop((save.machine, save.key), None)
            else:
                self._kept[save.machine, save.key] = save.value
        self._receipts += [keep.receipt for keep in receipts]

    def empty_log(self) -> None:
        """There is none."""

    def receipts(self, app: str) -> tuple[Receipt, ...]:
        """Newest first."""
        return tuple(each for each in reversed(self._receipts) if isinstance(each, Receipt) and each.app == app)

    def task_receipts(self, app: str) -> tuple[TaskReceipt, ...]:
        """Newest first."""
        return tuple(each for each in reversed(self._receipts) if isinstance(each, TaskReceipt) and each.app == app)
