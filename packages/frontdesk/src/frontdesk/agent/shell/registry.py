"""The registered apps: ``config/apps/ID.json``, made from their manifests. Survives what happens to the database."""

import os
from pathlib import Path

import msgspec

from frontdesk import places
from frontdesk.errors import FrontdeskError, ManifestError, spelled_out
from frontdesk.terms import Manifest, Refusal
from frontdesk.wire.manifest import parse_manifest, resolved

_MOST_BYTES = 64 * 1024


class Registry:
    """Reads and writes the folder; holds nothing."""

    def __init__(self) -> None:
        self._folder = places.config_folder() / "apps"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise FrontdeskError(
                f"{self._folder} cannot be made ({error.strerror}). Correct that, then start the desk."
            ) from error

    def load(self) -> tuple[list[Manifest], list[str]]:
        """All registered manifests that can be used, and a sentence for each that cannot."""
        manifests, troubles = [], []
        for file in sorted(self._folder.glob("*.json")):
            try:
                manifests.append(msgspec.json.decode(file.read_bytes(), type=Manifest))
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
                then = "Register that app again (frontdesk apps add), or remove the file."
                troubles.append(spelled_out(f"{file} cannot be used ({_reason(error)}). {then}"))
        return manifests, troubles

    def read(self, file: Path, python: str) -> Manifest:
        """The manifest in ``file`` as it would be registered; ``ManifestError`` when it cannot be used."""
        try:
            # Whether it is a file is asked first: opening a pipe would wait for a writer, and the desk with it.
            if file.exists() and not file.is_file():
                raise OSError("it is no file")
            with open(file, "rb") as manifest:
                text = manifest.read(_MOST_BYTES + 1)
        except (OSError, ValueError) as error:
            why = f"{str(file)!r} cannot be read ({_reason(error)}). Nothing was registered or changed."
            raise ManifestError(Refusal.BAD_MANIFEST, why) from error
        if len(text) > _MOST_BYTES:
            raise ManifestError(Refusal.BAD_MANIFEST, f"{file} is larger than {_MOST_BYTES} bytes: no manifest.")
        return resolved(parse_manifest(text, str(file)), str(file.parent), python)

    def add(self, file: Path, python: str) -> Manifest:
        """Register what ``file`` says, in place of an earlier manifest of the same id. ``ManifestError``."""
        manifest = self.read(file, python)
        kept = self._folder / f"{manifest.id}.json"
        half = kept.with_suffix(".part")
        try:
            with open(half, "wb") as out:
                out.write(msgspec.json.format(msgspec.json.encode(manifest)))
                out.flush()
                os.fsync(out.fileno())
            half.replace(kept)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise FrontdeskError(f"{kept} cannot be written ({error.strerror}). Nothing was registered.") from error
        return manifest

    def remove(self, app: str) -> None:
        """``FrontdeskError`` when it stays."""
        kept = self._folder / f"{app}.json"
        try:
            kept.unlink(missing_ok=True)
        except OSError as error:
            raise FrontdeskError(f"{kept} cannot be removed ({error.strerror}). Nothing was changed.") from error


def _reason(error: Exception) -> str:
    """Without the number and the path that Python adds."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
