"""Errands: what fails as expected is logged, what takes too long is broken off, and nothing else is hidden."""

import asyncio
import logging

import pytest

from lobby.errands import Errands


async def test_an_expected_failure_is_logged_and_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    errands, done = Errands(KeyError, level=logging.WARNING), asyncio.Event()

    async def fails() -> None:
        raise KeyError("away")

    async def succeeds() -> None:
        done.set()

    errands.start(fails())
    errands.start(succeeds())
    await errands.finish(10.0)
    assert done.is_set() and [record.message for record in caplog.records] == ["'away'"]


async def test_what_takes_too_long_is_broken_off() -> None:
    errands, broken_off = Errands(level=logging.INFO), asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.set()

    errands.start(endless())
    await errands.finish(0.01)
    assert broken_off.is_set()
    await errands.drop()
