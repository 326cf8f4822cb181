"""How the commands word what they print: durations, texts of strangers, lines for a narrow terminal."""

import textwrap


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``5 h``, ``2 d``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def printable(text: str) -> str:
    """Without control characters: titles and names come from strangers, and a terminal would obey them."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def wrapped(line: str, columns: int) -> list[str]:
    """``line`` in lines of as many characters, the second and later ones set in. ``columns``: at least 1."""
    indent = "  " if columns > 10 else ""
    return textwrap.wrap(line, columns, subsequent_indent=indent, break_on_hyphens=False) or [""]
