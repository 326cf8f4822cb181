"""HTML as values: what comes from outside is escaped because it is no ``Markup``; nothing else is to be remembered."""

import html
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Part = str | Iterable[str]
_EMPTY = frozenset({"link", "meta", "path", "rect", "circle", "use"})


def tag(kind: str, *parts: Part, **attributes: object) -> Markup:
    """One element. Attributes: ``class_`` is class, an underscore is a hyphen, True has no value, None and False go."""
    begin = [kind]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        word = name.rstrip("_").replace("_", "-")
        begin.append(word if value is True else f'{word}="{html.escape(str(value))}"')
    head = Markup(f"<{' '.join(begin)}>")
    return head if kind in _EMPTY else Markup(f"{head}{joined(*parts)}</{kind}>")


def joined(*parts: Part) -> Markup:
    """One after the other."""
    return Markup("".join(_escaped(part) for part in parts))


def _escaped(part: Part) -> str:
    if isinstance(part, Markup):
        return part
    if isinstance(part, str):
        return html.escape(part)
    return "".join(_escaped(each) for each in part)
