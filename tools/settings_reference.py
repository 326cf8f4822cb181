"""Writes docs/settings.md from the code that reads the settings: `make settings-reference`."""

import ast
import inspect as source
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import inspect

from frontdesk.agent.core.limits import Limits
from frontdesk.agent.shell.app_server import HELLO_WITHIN, MOST_CONNECTIONS, MOST_WAITING
from frontdesk.agent.shell.settings import Settings, what_it_can_be
from frontdesk.terms import Retry
from frontdesk.wire.frames import MOST_BYTES

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

_HEAD = """# Settings of a desk

`settings.toml` in `~/.config/frontdesk` (`$XDG_CONFIG_HOME/frontdesk`, or `config` in `$FRONTDESK_HOME`), read when the
desk starts. Every setting is optional. A wrong one stops the desk, which names its line, its value and what it can be;
nothing is guessed. The numbers are those of [the contract](contract.md), whose rule stands beside each.

This page is written by `make settings-reference`; its text stands beside each setting in the code.

```toml
push_service = "wss://push.example.org/"
background_off = ["org.example.notes"]

[limits]
background = 40
critical_battery = 15

[memory]
"org.example.photos" = "768 MiB"
```
"""

_RULES = re.compile(r" \(((?:[A-Z]\d\d)(?:, [A-Z]\d\d)*)\)")

_SECTIONS = {
    "L": "Life cycle",
    "A": "Background tasks",
    "S": "Scheduled tasks",
    "P": "Pushes",
    "X": "Between apps",
    "": "Others",
}
"""By the first letter of the rules, as in the contract."""

_IN_WORDS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


@dataclass(frozen=True)
class Setting:
    """One field of a section, with what its docstring says."""

    name: str
    kind: inspect.Type
    default: object
    rules: tuple[str, ...]
    meaning: str


def settings_of(section: type[msgspec.Struct]) -> Iterator[Setting]:
    """In the order of the code. ``ValueError``: one has no docstring."""
    (tree,) = ast.parse(textwrap.dedent(source.getsource(section))).body
    assert isinstance(tree, ast.ClassDef)
    said = {
        field.target.id: doc.value.value
        for field, doc in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant)
    }
    for field in inspect.type_info(section).fields:  # type: ignore[attr-defined]
        if isinstance(field.type, inspect.StructType):
            continue
        if field.name not in said:
            raise ValueError(f"{section.__name__}.{field.name} has no docstring; it says what the setting means.")
        text = " ".join(str(said[field.name]).split()).replace("``", "`")
        rules = tuple(rule for found in _RULES.findall(text) for rule in found.split(", "))
        default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        yield Setting(field.name, field.type, default, rules, _RULES.sub("", text))


def page() -> str:
    """The whole page."""
    parts = [_HEAD, "## At the top of the file\n", *_table(settings_of(Settings), "Can be")]
    parts += ["\n## In `[limits]`\n"]
    limits = list(settings_of(Limits))
    for letter, title in _SECTIONS.items():
        of_section = [each for each in limits if (each.rules[0][0] if each.rules else "") == letter]
        if of_section:
            parts += [f"### {title}\n", *_table(of_section, "Unit"), ""]
    parts += ["### Units\n", "| Unit | What can stand there |", "|---|---|"]
    kinds = {_unit(each.kind): what_it_can_be(each.kind) for each in limits}
    parts += [f"| {unit} | {can_be} |" for unit, can_be in sorted(kinds.items())]
    parts += ["\n## Numbers that are no settings\n", "| Number | Rule | Why it is fixed |", "|---|---|---|"]
    parts += [f"| {number} | {rule} | {why} |" for number, rule, why in _FIXED]
    return "\n".join(parts) + "\n"


def _table(settings: Iterable[Setting], third: str) -> list[str]:
    lines = [f"| Setting | Default | {third} | Rule | Meaning |", "|---|---|---|---|---|"]
    for each in settings:
        what = _unit(each.kind) if third == "Unit" else what_it_can_be(each.kind)
        rules = ", ".join(each.rules) or "–"
        lines.append(f"| `{each.name}` | {_default(each)} | {what} | {rules} | {each.meaning} |")
    return lines


def _unit(kind: inspect.Type) -> str:
    assert isinstance(kind, inspect.Metadata) and kind.extra is not None
    return str(kind.extra["unit"])


def _default(setting: Setting) -> str:
    """As it is written in the file; a long time also as a person says it."""
    value = setting.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'`"{value}"`' if value else "empty"
    if not isinstance(value, (int, float)):
        return "none"
    number = f"{value:.15g}"
    unit = _unit(setting.kind)
    if unit == "bytes":
        return f"{number} ({value / 2**20:g} MiB)"
    words = next((f"{value / size:g} {of}" for size, of in _IN_WORDS if value >= size), "")
    return f"{number} ({words})" if unit == "seconds" and words else number


_RETRY = Retry()

_FIXED = (
    (
        f"{MOST_BYTES} bytes ({MOST_BYTES >> 20} MiB) a frame between app and desk",
        "X02",
        "part of the protocol: both ends, of any version, must know the same",
    ),
    (
        f"{MOST_CONNECTIONS} connections of one process",
        "X02",
        "each costs the desk a descriptor, of which it has some 1,000 for everybody",
    ),
    (f"{HELLO_WITHIN:g} s to say who it is", "X02", "the same"),
    (f"{MOST_WAITING >> 20} MiB waiting for a client that does not read", "X02", "it is the desk's own memory"),
    (
        f"a pause of {_RETRY.first:g} s, growing to {_RETRY.most / 3600:g} h, before a task is tried again",
        "S19",
        "each request says its own: `Retry(first, most, growth)`",
    ),
    ("no condition is required", "S10", "each request says its own: `requires_network` and its like"),
    ("suspended within 50 ms of the end of the last task", "A02", "a promise, held by a test"),
    ("the desk is back within 2 s of its death", "L06", "a promise, held by a test"),
)
"""What the contract or the protocol says in numbers and nobody can set: the number, its rule, why."""


def main() -> int:
    """Write the page; says whether there was anything to write."""
    text = page()
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        print(f"{PAGE.name} is up to date.")
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(f"{PAGE.name} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
