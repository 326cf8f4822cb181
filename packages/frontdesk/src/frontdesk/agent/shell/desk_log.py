"""Writes down where the desk failed, for who mends it: into the desk's log, whoever reads what the desk prints."""

import logging
import traceback

from frontdesk import places
from frontdesk.agent.shell.spawn import open_log
from frontdesk.errors import FrontdeskError

log = logging.getLogger("frontdesk.desk")


def write_down(error: BaseException) -> None:
    """The place in the code, to ``places.log_file("desk")``. Whoever calls it says in words what follows from it."""
    try:
        with open(open_log(places.log_file("desk")), "w", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(error, file=file)
    except (OSError, FrontdeskError) as trouble:
        log.error("Where it failed could not be written down: %s", trouble)
