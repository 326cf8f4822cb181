"""Canonical JSON: the one spelling of a value (Matrix specification, "Appendices: Canonical JSON")."""

import json

_LARGEST = 2**53 - 1
"""Beyond this, implementations disagree about a number; canonical JSON has none larger."""


def canonical(value: object) -> bytes:
    """The one form that everybody signs. Raises ValueError for what has none: fractions, too large numbers."""
    try:
        _insist_on_canonical(value)
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError as error:
        raise ValueError("too deep") from error


def _insist_on_canonical(value: object) -> None:
    match value:
        case dict():
            for name, inner in value.items():
                if not isinstance(name, str):
                    raise ValueError("a name is no text")
                _insist_on_canonical(inner)
        case list() | tuple():
            for inner in value:
                _insist_on_canonical(inner)
        case None | bool() | str():
            pass
        case int() if abs(value) <= _LARGEST:
            pass
        case _:
            raise ValueError(f"{value!r:.40} has no canonical form")
