"""The kernel's timers as files (timerfd_create(2)): on any clock, those that count the machine's sleep included.

Python has them from 3.13 on. ``OSError`` where a system has none.
"""

import ctypes
import errno
import functools
import os
from collections.abc import Callable

CANCEL_ON_SET = 2
"""``TFD_TIMER_CANCEL_ON_SET``: a timer on the wall clock ends with ``ClockSet`` when somebody sets that."""

_ABSOLUTE = 1
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC


class ClockSet(Exception):
    """The clock that the timer goes by was set."""


class _Moment(ctypes.Structure):
    """``struct timespec``; where time_t is longer than long the C library has other entry points, not used here."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Timer(ctypes.Structure):
    """``struct itimerspec``."""

    _fields_ = (("every", _Moment), ("at", _Moment))


def create(clock: int) -> int:
    """A new timer on this clock (``time.CLOCK_…``), not running; its file becomes readable when it is time."""
    return _call("timerfd_create", clock, _FLAGS)


def arm(fd: int, at: float | None, flags: int = 0) -> None:
    """Ring at this moment of its clock, at once when it is past; None: not at all."""
    seconds = min(at, _LAST) if at is not None else 0.0
    whole = int(max(0.0, seconds))
    # All zero would switch it off.
    part = max(1, int((seconds - whole) * 1e9)) if at is not None else 0
    timer = _Timer(_Moment(0, 0), _Moment(whole, part))
    _call("timerfd_settime", fd, _ABSOLUTE | flags, ctypes.byref(timer), None)


def rang(fd: int) -> bool:
    """It rang since it was armed or asked; ``ClockSet`` when it was armed to tell of that."""
    try:
        return bool(os.read(fd, 8))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno == errno.ECANCELED:
            raise ClockSet from error
        raise


_LAST = float(2 ** (8 * ctypes.sizeof(ctypes.c_long) - 2))
"""Farther in time than any clock goes."""


def _call(name: str, *arguments: object) -> int:
    result = int(_function(name)(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


@functools.cache
def _function(name: str) -> Callable[..., int]:
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None, use_errno=True), name)
    except AttributeError as error:
        raise OSError(errno.ENOSYS, f"this system has no {name}") from error
    return function
