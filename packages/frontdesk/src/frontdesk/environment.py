"""The environment variables in which frontdesk's processes hand things to those they start: each name in one place."""

LAUNCH_TOKEN = "FRONTDESK_LAUNCH"
"""The token of the launch a process belongs to. What an app starts inherits it, so that the family can be found."""

LAUNCH_TAKEN_BY = "FRONTDESK_LAUNCH_TAKEN_BY"
"""Id of the process that has taken the launch for its own: whoever finds another's there was not launched, it was
started by the launched app."""

PAGE_FD = "FRONTDESK_PAGE_FD"
"""Descriptor of the listening socket that a launched app inherits."""

KEEPER_FD = "FRONTDESK_KEEPER_FD"
"""Descriptor of the desk's channel to its keeper."""

LISTEN_FD = "FRONTDESK_LISTEN_FD"
"""Descriptor of the socket on which the desk listens."""

RECORD = "FRONTDESK_RECORD"
"""``1``: the desk writes its event log, as with ``record = true`` in settings.toml."""

OF_ONE_PROCESS = frozenset({LAUNCH_TOKEN, LAUNCH_TAKEN_BY, PAGE_FD, KEEPER_FD, LISTEN_FD})
"""What was said to one process about itself: another desk or app that inherited it would pass for that one."""
