"""What the documents say of the code is so: paths and links exist, the import rules are those that are held."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")})
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
LOBBY = ROOT / "docs" / "inside-lobby.md"
FRONTDESK = ROOT / "packages" / "frontdesk" / "src" / "frontdesk"
PATH = re.compile(r"`([\w./-]+(?:/|\.(?:py|js|md)))`")


@pytest.mark.parametrize(
    ("document", "below"),
    [
        (ARCHITECTURE, (ROOT, FRONTDESK, FRONTDESK / "agent" / "core", ROOT / "packages" / "lobby" / "src")),
        (LOBBY, (ROOT, ROOT / "packages" / "lobby" / "src" / "lobby")),
    ],
    ids=lambda given: given.name if isinstance(given, Path) else "",
)
def test_every_path_that_is_named_exists(document: Path, below: tuple[Path, ...]) -> None:
    named = set(PATH.findall(document.read_text(encoding="utf-8")))
    core = {file.name for file in (FRONTDESK / "agent" / "core").rglob("*.py")}
    assert len(named) > 20
    assert [path for path in sorted(named) if path not in core and not any((at / path).exists() for at in below)] == []


def test_the_architecture_is_one_page() -> None:
    assert len(ARCHITECTURE.read_text(encoding="utf-8").splitlines()) <= 100


def test_the_import_rules_are_those_of_the_import_linter() -> None:
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter", encoding="utf-8")
    layers = [section["layers"] for section in map(rules.__getitem__, rules.sections()) if "layers" in section]
    assert len(layers) == 4
    said = ARCHITECTURE.read_text(encoding="utf-8")
    for each in layers:
        above_each_other = [line.replace("(", "").replace(")", "") for line in each.split("\n") if line]
        words = " → ".join("the rest" if " : " in line else line for line in above_each_other)
        assert f"`{words}`" in said


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
