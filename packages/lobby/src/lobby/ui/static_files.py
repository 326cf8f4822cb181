"""The page's own style sheet, module and icon: read once, served with an address that changes with their content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class StaticFile:
    """A file as it is served. ``tag`` names its content."""

    name: str
    body: bytes
    kind: str
    tag: str

    @property
    def address(self) -> str:
        """Browsers may keep this address for ever: other content has another."""
        return f"/static/{self.name}?v={self.tag}"


def load() -> dict[str, StaticFile]:
    """All static files by name."""
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _KINDS:
            body = path.read_bytes()
            tag = hashlib.sha256(body).hexdigest()[:16]
            found[path.name] = StaticFile(path.name, body, _KINDS[path.suffix], tag)
    return found
