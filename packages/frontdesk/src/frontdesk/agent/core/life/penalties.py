"""What an app has to bear for what it did, in a sentence for the person who looks: no penalty is borne in silence."""

from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.obstacles import NotLaunchable, in_words
from frontdesk.terms import Obstacle


def penalty(
    not_launchable: NotLaunchable | None, failures: int, pushes_wait_until: float | None, limits: Limits
) -> tuple[str, float | None]:
    """The sentence, and when it is over; "" and None where nothing is to be borne. The harder one where there are two.

    ``failures``: how often in a row it failed (L07). ``pushes_wait_until``: it was woken as often as it may be (P02).
    """
    if not_launchable is not None and not_launchable[0] is Obstacle.APP_FAILED:
        often = f"{failures} times in a row" if failures > 1 else "when it last ran"
        return f"It is not launched unseen: it failed {often}.", not_launchable[1]
    if pushes_wait_until is not None:
        often = f"{limits.push_wakes} times within {in_words(limits.push_wakes_in)}"
        return f"Its pushes wait: it was woken for pushes {often}, which is the most there may be.", pushes_wait_until
    return "", None
