"""Plays the tour: sets the world up with short limits in a fresh folder, plays the story, and tells how it went."""

import dataclasses
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from demo import world
from demo.folder import Folder
from demo.tour import story
from demo.tour.steps import STORY, Cast
from demo.tour.witness import Witness

LIMITS = {"background": 8.5, "expiry_lead": 2.5, "suspended": 7.0}
"""Limits of both desks in seconds, shortened so that the story fits into a minute."""


async def run(as_json: bool, keep: Path | None) -> int:
    """Plays the tour and prints it; exit status 0 when every step was ok, else 1."""
    began = time.monotonic()
    path = keep.absolute() if keep else Path(tempfile.mkdtemp(prefix="tour-"))
    told = sys.stderr if as_json else sys.stdout
    limits = ", ".join(f"{name} {seconds:g} s" for name, seconds in LIMITS.items())
    print(f"Limits shortened for this tour: {limits}. Parts start in {path}", file=told, flush=True)
    try:
        outcomes = await _play(path, lambda text: print(text, file=told, flush=True))
    finally:
        if not keep:
            shutil.rmtree(path, ignore_errors=True)
    seconds = time.monotonic() - began
    ok = all(outcome.ok for outcome in outcomes)
    if as_json:
        steps = [dataclasses.asdict(outcome) for outcome in outcomes]
        print(json.dumps({"ok": ok, "seconds": round(seconds, 1), "limits": LIMITS, "steps": steps}, indent=2))
    else:
        failed = sum(not outcome.ok for outcome in outcomes)
        verdict = "Every step ok" if ok else f"{failed} of {len(outcomes)} steps failed"
        print(f"{verdict}, {seconds:.1f} s in all." + ("" if ok or keep else " Logs: again with --keep FOLDER."))
    return 0 if ok else 1


async def _play(path: Path, say: story.Say) -> list[story.Outcome]:
    with Folder(path) as held:
        ready = world.running(held, "", LIMITS, lambda what, took: say(f"   {what:<16} {took:5.1f} s"))
        async with ready as stand, Witness(stand.synapse.url, "right", world.PASSWORD) as witness:
            cast = Cast(stand, witness)
            try:
                return await story.play(STORY, cast, lambda outcome: say(story.line(outcome)))
            finally:
                await cast.close()
