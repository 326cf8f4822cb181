"""The registered apps: a folder of manifests, ``config/apps/ID.toml``. Survives whatever happens to the database."""

import contextlib
import os
from pathlib import Path

from frontdesk import places
from frontdesk.errors import FrontdeskError, ManifestError
from frontdesk.terms import Manifest, Refusal
from frontdesk.wire.manifest import parse_manifest

_MOST_BYTES = 64 * 1024


class Registry:
    """Reads and writes the folder; holds nothing."""

    def __init__(self) -> None:
        self._folder = places.config_folder() / "apps"
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def load(self) -> tuple[list[Manifest], list[str]]:
        """All manifests that can be used, and a sentence for each that cannot."""
        manifests, troubles = [], []
        for file in sorted(self._folder.glob("*.toml")):
            try:
                manifests.append(_read(file))
            except ManifestError as error:
                troubles.append(str(error))
        return manifests, troubles

    def read(self, file: Path) -> Manifest:
        """The manifest in ``file``; ``ManifestError`` when it cannot be used. Registers nothing."""
        return _read(file)

    def add(self, file: Path) -> Manifest:
        """Take a copy of the manifest, in place of an earlier one of the same id. ``ManifestError``."""
        manifest = _read(file)
        kept = self._folder / f"{manifest.id}.toml"
        half = kept.with_suffix(".part")
        try:
            with open(half, "wb") as out:
                out.write(file.read_bytes())
                out.flush()
                os.fsync(out.fileno())
            half.replace(kept)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise FrontdeskError(f"{kept} cannot be written ({error.strerror}). Nothing was registered.") from error
        return manifest

    def remove(self, app: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self._folder / f"{app}.toml").unlink()


def _read(file: Path) -> Manifest:
    try:
        with open(file, "rb") as manifest:
            text = manifest.read(_MOST_BYTES + 1)
    except OSError as error:
        why = f"{file} cannot be read ({error.strerror}). Nothing was registered or changed."
        raise ManifestError(Refusal.BAD_MANIFEST, why) from error
    if len(text) > _MOST_BYTES:
        raise ManifestError(Refusal.BAD_MANIFEST, f"{file} is larger than {_MOST_BYTES} bytes: no manifest.")
    return parse_manifest(text, str(file))
