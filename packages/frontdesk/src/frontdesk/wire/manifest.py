"""An app's manifest: TOML text ↔ ``terms.Manifest``, and what may stand in one. No I/O."""

import posixpath

import msgspec

from frontdesk.errors import ManifestError
from frontdesk.terms import APP_ID, APP_ID_MOST, Manifest, Refusal

MODES = frozenset({"push", "refresh", "processing", "continued"})
"""Background modes there are."""


def parse_manifest(text: bytes, where: str) -> Manifest:
    """``ManifestError`` names ``where`` (a file), the place in it, and what should stand there."""
    try:
        manifest = msgspec.toml.decode(text, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(where, str(error)) from error
    if len(manifest.id) > APP_ID_MOST or not APP_ID.fullmatch(manifest.id):
        raise _wrong(where, f"id {manifest.id!r} is not a reversed domain name such as org.example.notes")
    if not manifest.name.strip():
        raise _wrong(where, "name is empty; it is what people see")
    if not manifest.command or not manifest.command[0]:
        raise _wrong(where, 'command is empty; it is the program and its arguments, such as ["notes", "--background"]')
    if any("\0" in word for word in (manifest.name, *manifest.command)):
        raise _wrong(where, "a zero byte stands in it")
    unknown = sorted(set(manifest.background) - MODES)
    if unknown:
        raise _wrong(where, f"background mode {unknown[0]!r} is unknown; there are: {', '.join(sorted(MODES))}")
    return manifest


def resolved(manifest: Manifest, folder: str, python: str) -> Manifest:
    """The manifest as it is registered, good from anywhere.

    In its command, words that begin with ``./`` or ``../`` are paths from the manifest's ``folder``, and ``python3``
    or ``python`` at the start is the Python (absolute; "" keeps the word) that registers the app.
    """
    words = [
        posixpath.normpath(posixpath.join(folder, word)) if word.startswith(("./", "../")) else word
        for word in manifest.command
    ]
    if words[0] in ("python3", "python") and python:
        words[0] = python
    return msgspec.structs.replace(manifest, command=tuple(words))


def _wrong(where: str, what: str) -> ManifestError:
    return ManifestError(Refusal.BAD_MANIFEST, f"{where}: {what}. Nothing was registered or changed.")
