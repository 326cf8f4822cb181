"""What a desk is set up with: given that, the same events lead to the same decisions (so a log begins with it)."""

import msgspec

from frontdesk.agent.core.limits import Limits


class Setup(msgspec.Struct, frozen=True):
    """Of one run of the desk."""

    limits: Limits = Limits()
    desk_version: str = "0"
    background_off: tuple[str, ...] = ()
    """Apps, or ``*``, that may not run in the background until the person switches it on (L10)."""
    push_service_set: bool = True
    memory: dict[str, int] = {}
    """Bytes that single apps may use; for the others ``limits.memory`` counts (L09)."""
