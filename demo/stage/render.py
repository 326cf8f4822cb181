"""Makes the stage's HTML from scenes. Everything is escaped; no address with a secret is ever put in."""

import hashlib
from pathlib import Path

import jinja2
import markupsafe

from demo.stage import conditions
from demo.stage.guide import ACTS, Guide
from demo.stage.scene import Scene
from frontdesk.dashboard import live, scheduled_tasks, time_line

STATIC = Path(__file__).parent / "static"
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def _tasks_of(scene: Scene) -> markupsafe.Markup:
    """The app's scheduled tasks, and what each waits for."""
    return markupsafe.Markup(scheduled_tasks(scene.app, scene.strip.now) if scene.app is not None else "")


_TEMPLATES.globals.update(
    tasks_of=_tasks_of,
    condition_switches=conditions.SWITCHES,
    in_words=conditions.in_words,
    is_simulated=conditions.simulated,
)


def page(scenes: tuple[Scene, Scene], guide: Guide, csrf: str) -> str:
    """The whole page as it stands now."""
    version = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in STATIC.iterdir()}
    line = time_line([scene.strip for scene in scenes], "What both desks saw and did")
    return _TEMPLATES.get_template("page.html").render(
        scenes=scenes, acts=ACTS, done=guide.done, csrf=csrf, version=version, time_line=markupsafe.Markup(line)
    )


def live_parts(scene: Scene) -> str:
    """The parts of a machine that change by themselves, each an element with an id that the page has too."""
    return _TEMPLATES.get_template("live.html").render(scene=scene)


def lanes(scene: Scene, before: Scene | None) -> str:
    """What is new in a machine's time line since `before`, for the module that comes with it."""
    return live(scene.strip, before.strip if before else None)


def acts(guide: Guide) -> str:
    """The acts with their ticks."""
    return _TEMPLATES.get_template("acts.html").render(acts=ACTS, done=guide.done)


def sentence(title: str, text: str) -> str:
    """A page that says one thing, such as why there is nothing to see."""
    return _TEMPLATES.get_template("sentence.html").render(title=title, text=text)
