"""The words in code and the words of the glossary are the same words."""

import ast
import enum
import re
from pathlib import Path

import msgspec
import pytest

from frontdesk import terms

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
IN_CODE = re.compile(r"^\|(?: [^|`]+ \|)? `([A-Za-z_]+)` \|", re.MULTILINE)

CLASSES = {name: found for name, found in vars(terms).items() if isinstance(found, type) and not name.startswith("_")}
ENUMS = {name: found for name, found in CLASSES.items() if issubclass(found, enum.Enum)}


def test_terms_and_glossary_have_the_same_words() -> None:
    in_code = set(CLASSES) | {str(member.value) for found in ENUMS.values() for member in found}
    assert set(IN_CODE.findall(GLOSSARY)) == in_code


def test_no_word_has_two_lines_in_one_table_of_the_glossary() -> None:
    for table in GLOSSARY.split("\n## "):
        words = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
        assert len(words) == len(set(words))


@pytest.mark.parametrize("name", ENUMS)
def test_words_on_the_wire_are_the_names_in_code(name: str) -> None:
    for member in ENUMS[name]:
        assert member.value == member.name.lower()


@pytest.mark.parametrize("name", sorted(set(CLASSES) - set(ENUMS)))
def test_values_are_frozen(name: str) -> None:
    value = CLASSES[name]
    assert issubclass(value, msgspec.Struct)
    assert value.__struct_config__.frozen


@pytest.mark.parametrize("name", CLASSES)
def test_every_word_says_what_it_means(name: str) -> None:
    assert CLASSES[name].__doc__


@pytest.mark.parametrize("kind", [terms.StopReason, terms.TaskEnd, terms.Obstacle])
def test_a_person_reads_words_and_no_two_reasons_have_the_same(
    kind: type[terms.StopReason] | type[terms.TaskEnd] | type[terms.Obstacle],
) -> None:
    words = [member.words for member in kind]
    assert all(words) and len(set(words)) == len(words) and not any("_" in each for each in words)


def test_terms_import_nothing_of_frontdesk() -> None:
    for file in Path(terms.__file__).parent.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        of_frontdesk = [module for module in modules if module.partition(".")[0] == "frontdesk"]
        assert not [module for module in of_frontdesk if not module.startswith("frontdesk.terms.")]


@pytest.mark.parametrize("app_id", ["org.example.notes", "a.b", "org.frontdesk.Lobby", "org.ex-ample.a_b.c1"])
def test_reversed_domain_names_are_app_ids(app_id: str) -> None:
    assert terms.APP_ID.fullmatch(app_id)


@pytest.mark.parametrize(
    "text",
    ["", "notes", "org..notes", ".org.notes", "org.notes.", "1org.notes", "org/notes.x", "org.notes\n", "../x.y"],
)
def test_other_texts_are_no_app_ids(text: str) -> None:
    assert not terms.APP_ID.fullmatch(text)
