"""Which requests to verify the person is told of: those that are open, of which no page of Lobby has shown anything."""

from collections.abc import Collection, Iterable, Sequence

from lobby.core.alerts import Alert, verification_alert
from lobby.core.telling import Show, Withdraw
from lobby.core.views import Verification, VerificationPhase


class Offers:
    """The machine, for one account. ``told``: ids of alerts that an earlier run has shown; it knew the requests.

    ``verifications`` are those of now, the newest first; ``seen``: a page that the person sees shows them.
    """

    def __init__(self, told: Iterable[str] = ()) -> None:
        self._told = dict.fromkeys(told, "")
        """Alert id → the request that it is about."""
        self._seen: set[str] = set()
        """Open requests that a page has shown."""

    @property
    def told(self) -> tuple[str, ...]:
        """The ids of the alerts that stand; to be kept for the next run."""
        return tuple(self._told)

    def look(
        self, verifications: Sequence[Verification], seen: bool, pushed: Collection[str] = ()
    ) -> list[Show | Withdraw]:
        """What changes; ``pushed``: requests of which a push is about to be answered with ``answer``."""
        untold = self._untold(verifications, seen)
        gone = [alert_id for alert_id in self._told if alert_id not in untold]
        for alert_id in gone:
            del self._told[alert_id]
        new = {alert_id: one for alert_id, one in untold.items() if self._told.get(alert_id) != one.id}
        shown = {alert_id: one for alert_id, one in new.items() if one.id not in pushed}
        self._told |= {alert_id: one.id for alert_id, one in shown.items()}
        return [*(Withdraw(alert_id) for alert_id in gone), *(Show(verification_alert(one)) for one in shown.values())]

    def answer(self, request_id: str, verifications: Sequence[Verification], seen: bool) -> Alert | None:
        """What to show for the push about that request; None: it is over, seen, told already, or was none."""
        for alert_id, one in self._untold(verifications, seen).items():
            if one.id == request_id and self._told.get(alert_id) != request_id:
                self._told[alert_id] = request_id
                return verification_alert(one)
        return None

    def _untold(self, verifications: Sequence[Verification], seen: bool) -> dict[str, Verification]:
        """Alert id → the newest open request with it that no page has shown."""
        open = {one.id: one for one in verifications if one.phase is VerificationPhase.OFFERED}
        self._seen &= open.keys()
        if seen:
            self._seen |= open.keys()
        return {verification_alert(one).id: one for id, one in reversed(open.items()) if id not in self._seen}
