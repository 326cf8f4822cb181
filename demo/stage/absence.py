"""How long a desk was gone: the one event of which it cannot tell itself. Pure: time is handed in."""

from frontdesk import Happening
from frontdesk.dashboard import Gap

_MOST = 5


class Absence:
    """Follows one desk by the number of its process; `noted` are its absences, the newest last."""

    def __init__(self) -> None:
        self.noted: tuple[Happening, ...] = ()
        self._over: tuple[Gap, ...] = ()
        self._pid = 0
        self._gone_at: float | None = None
        self._killed = False

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The same for the time line; the last one may last."""
        return self._over if self._gone_at is None else (*self._over, Gap(self._gone_at, None))

    def killed(self, now: float) -> None:
        """The visitor has killed it just now; `now` in seconds since 1970."""
        self._killed = True
        self.away(now)

    def away(self, now: float) -> None:
        """No desk answers."""
        if self._pid and self._gone_at is None:
            self._gone_at = now

    def there(self, pid: int, now: float) -> None:
        """A desk answers: another process than before ends an absence, the same one was only hard to reach."""
        if self._pid and pid != self._pid:
            how = "killed" if self._killed else "gone"
            seconds = now - (now if self._gone_at is None else self._gone_at)
            line = Happening(now, "", "desk_back", f"the desk was {how}; back after {max(0.0, seconds):.1f} s")
            self.noted = (*self.noted, line)[-_MOST:]
            if seconds > 0:
                self._over = (*self._over, Gap(now - seconds, now))[-_MOST:]
        if pid != self._pid or not self._killed:
            self._pid, self._gone_at, self._killed = pid, None, False
