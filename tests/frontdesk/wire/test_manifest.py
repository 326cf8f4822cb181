"""Manifests: what may stand in one, what is refused with its place, and any text at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import ManifestError
from frontdesk.terms import APP_ID, APP_ID_MOST, Manifest, Refusal
from frontdesk.wire.manifest import parse_manifest, resolved

GOOD = 'id = "org.example.notes"\nname = "Notes"\ncommand = ["notes", "--background"]\n'


def test_the_least_and_the_most_that_may_stand_in_one() -> None:
    assert parse_manifest(GOOD.encode(), "n.toml") == Manifest(
        "org.example.notes", "Notes", ("notes", "--background"), False, (), ()
    )
    more = GOOD + 'page = true\nbackground = ["push"]\ntasks = ["org.example.notes.refresh"]\n'
    full = parse_manifest(more.encode(), "n.toml")
    assert full.page and full.background == ("push",) and full.tasks == ("org.example.notes.refresh",)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (('id = "org.example.notes"', 'id = "notes"'), "reversed domain name"),
        (('id = "org.example.notes"', 'id = "../../etc/passwd"'), "reversed domain name"),
        (('id = "org.example.notes"', 'id = "org.example/notes"'), "reversed domain name"),
        (('id = "org.example.notes"', f'id = "org.{"x" * 100}"'), "reversed domain name"),
        (('id = "org.example.notes"', 'id = "org.example.notes\\n"'), "reversed domain name"),
        (('id = "org.example.notes"', ""), "id"),
        (('"Notes"', '"  "'), "name is empty"),
        (('"Notes"', "3"), "name"),
        (('["notes", "--background"]', "[]"), "command is empty"),
        (('["notes", "--background"]', '[""]'), "command is empty"),
        (('["notes", "--background"]', '"notes"'), "command"),
        (('"--background"', '"a\\u0000b"'), "zero byte"),
        (("command", "comand"), "comand"),
        (("command", 'background = ["fly"]\ncommand'), "'fly'"),
        (("command", "page = 1\ncommand"), "page"),
        (("command = ", "command = = "), "line 3"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_place(change: tuple[str, str], named: str) -> None:
    with pytest.raises(ManifestError) as wrong:
        parse_manifest(GOOD.replace(*change).encode(), "folder/n.toml")
    text = str(wrong.value)
    assert text.startswith("folder/n.toml: ") and named in text and "Nothing was registered" in text
    assert wrong.value.reason is Refusal.BAD_MANIFEST


@pytest.mark.parametrize(
    ("command", "became"),
    [
        (("python3", "./a.py"), ("/bin/py", "/f/a.py")),
        (("python", "-m", "a"), ("/bin/py", "-m", "a")),
        (("./a", "../b", ".c", "d/./e"), ("/f/a", "/b", ".c", "d/./e")),
        (("notes", "python3"), ("notes", "python3")),
        (("/usr/bin/python3",), ("/usr/bin/python3",)),
    ],
)
def test_a_registered_command_is_good_from_anywhere(command: tuple[str, ...], became: tuple[str, ...]) -> None:
    manifest = Manifest("org.example.notes", "Notes", command)
    assert resolved(manifest, "/f", "/bin/py").command == became
    assert resolved(resolved(manifest, "/f", "/bin/py"), "/elsewhere", "/bin/other").command == became
    assert resolved(manifest, "/f", "").command[1:] == became[1:]


words = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=20)


@given(
    st.from_regex(APP_ID, fullmatch=True).filter(lambda id: len(id) <= APP_ID_MOST), words, st.lists(words, min_size=1)
)
def test_what_is_written_is_read(id: str, name: str, command: list[str]) -> None:
    if not name.strip():
        name += "x"
    # JSON's strings are TOML's, but for the delete character and halves of pairs.
    text = f"id = {json.dumps(id)}\nname = {_toml(name)}\ncommand = [{', '.join(map(_toml, command))}]\n"
    assert parse_manifest(text.encode(), "n.toml") == Manifest(id, name, tuple(command))


def _toml(text: str) -> str:
    return '"' + "".join(f"\\U{ord(letter):08x}" for letter in text) + '"'


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.builds(
        lambda at, junk: (GOOD[:at] + junk + GOOD[at:]).encode(), st.integers(0, len(GOOD)), st.text(max_size=10)
    )
)
def test_any_text_is_a_manifest_or_is_refused(text: bytes) -> None:
    try:
        manifest = parse_manifest(text, "n.toml")
    except ManifestError as wrong:
        assert str(wrong).startswith("n.toml: ")
    else:
        assert APP_ID.fullmatch(manifest.id) and manifest.command and manifest.name.strip()
