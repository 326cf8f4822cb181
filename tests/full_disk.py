"""A disk that takes no more bytes, for tests of what happens then."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

OURSELVES = 0


@contextmanager
def no_room(pid: int = OURSELVES) -> Iterator[None]:
    """No file that this process writes may grow, as on a full disk, as long as the block lasts or the process does."""
    most, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))
