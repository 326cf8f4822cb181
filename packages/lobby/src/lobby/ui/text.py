"""How the words of a message are shown: addresses become links, a few emoji alone are shown large. Pure."""

import re
import unicodedata

from markupsafe import Markup, escape

_ADDRESS = re.compile(r"https?://[^\s<>\"'`]+", re.IGNORECASE)

_JOINERS = frozenset("\u200d\ufe0e\ufe0f\u20e3")

MOST_LARGE = 3
"""Up to so many emoji alone are shown large."""


def linked(text: str) -> Markup:
    """The text, escaped, with its http and https addresses as links that open elsewhere and say nothing of us."""
    parts: list[Markup] = []
    end = 0
    for found in _ADDRESS.finditer(text):
        address = _without_tail(found[0])
        if len(address) <= len("https://"):
            continue
        parts.append(escape(text[end : found.start()]))
        parts.append(Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>').format(address))
        end = found.start() + len(address)
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def only_emoji(text: str) -> bool:
    """Whether the text is one to three emoji and nothing else."""
    count = 0
    joined = False
    for sign in text.strip():
        if sign in _JOINERS or "\U0001f3fb" <= sign <= "\U0001f3ff":
            joined = joined or sign == "\u200d"
            continue
        if sign.isspace():
            continue
        if not (unicodedata.category(sign) == "So" and (ord(sign) >= 0x1F000 or 0x2600 <= ord(sign) <= 0x27BF)):
            return False
        count += 0 if joined else 1
        joined = False
    return 1 <= count <= MOST_LARGE


def _without_tail(address: str) -> str:
    """Punctuation after an address belongs to the sentence; a closing bracket only when it was opened inside."""
    while address:
        last = address[-1]
        closes_nothing = last in ")]}" and address.count(last) > address.count({")": "(", "]": "[", "}": "{"}[last])
        if last not in ".,;:!?*_~" and not closes_nothing:
            break
        address = address[:-1]
    return address
