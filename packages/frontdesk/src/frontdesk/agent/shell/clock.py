"""The desk's clock: seconds since 1970 that never jump while the desk lives, whatever is done to the wall clock."""

import time


class Clock:
    """Wall time at the start of the desk plus time since then, a sleeping machine's time included."""

    def __init__(self) -> None:
        self._offset = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    def now(self) -> float:
        return self._offset + time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Another one after every boot: process ids of an earlier boot name nobody."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
