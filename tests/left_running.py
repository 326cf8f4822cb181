"""Which processes a program that was to stop all it had started has left behind."""

from pathlib import Path


def processes_of(folder: Path) -> list[Path]:
    """The entries in /proc of processes that name this folder in their command or environment."""
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and _mentions(entry, folder)]


def _mentions(entry: Path, folder: Path) -> bool:
    try:
        return str(folder).encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
    except OSError:
        return False
