"""How long a desk was gone: the one thing of which it cannot tell itself. Pure: time is handed in."""

from frontdesk.dashboard.core.lanes import Gap

_MOST = 20


class Away:
    """Follows one desk by the number of its process: the time between two that answered is a gap.

    A desk of another process that nobody missed left no gap anyone could measure; its own mark tells of it.
    """

    def __init__(self) -> None:
        self.gaps: tuple[Gap, ...] = ()
        self._pid = 0

    @property
    def is_away(self) -> bool:
        return bool(self.gaps) and self.gaps[-1].until is None

    def gone(self, now: float) -> None:
        """No desk answers; ``now`` in seconds since 1970."""
        if self._pid and not self.is_away:
            self.gaps = (*self.gaps, Gap(now, None))[-_MOST:]

    def there(self, pid: int, now: float) -> None:
        """A desk answers: the same process as before was only hard to reach."""
        if self.is_away:
            begun = self.gaps[-1].since
            kept = () if pid == self._pid or now <= begun else (Gap(begun, now),)
            self.gaps = (*self.gaps[:-1], *kept)
        self._pid = pid
