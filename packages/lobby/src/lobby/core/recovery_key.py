"""The recovery key as a person writes it down: Base58 in groups of four (Matrix, "Key representation")."""

from lobby.errors import RecoveryRefused

KEY_BYTES = 32

_PREFIX = b"\x8b\x01"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ALL_BYTES = len(_PREFIX) + KEY_BYTES + 1
_LETTERS = 48
"""Of a recovery key without spaces; its prefix leaves no room for more or fewer."""
_LOOKALIKES = {"0": "o or Q", "O": "o or Q", "I": "1, i or L", "l": "1, i or L"}
_BETWEEN = "-‐–\u200b\u2060\ufeff"
"""What else gets between the letters when a key is copied: dashes, and characters that nobody sees."""


def written(key: bytes) -> str:
    """The recovery key of 32 bytes: twelve groups of four letters."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    whole = _PREFIX + key
    number = int.from_bytes(whole + bytes([_parity(whole)]), "big")
    letters = ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        letters = _ALPHABET[digit] + letters
    return " ".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def entered(text: str) -> bytes:
    """The 32 bytes of a recovery key; spaces do not matter. Raises RecoveryRefused, which says what is wrong."""
    letters = "".join(letter for letter in text if not letter.isspace() and letter not in _BETWEEN)
    if not letters:
        raise RecoveryRefused("No recovery key was given. Nothing was changed.")
    strange = next((letter for letter in letters if letter not in _ALPHABET), "")
    if strange:
        instead = f"; look whether it is {_LOOKALIKES[strange]}" if strange in _LOOKALIKES else ""
        raise RecoveryRefused(f"“{strange}” does not occur in a recovery key{instead}. Nothing was changed.")
    if len(letters) != _LETTERS:
        kind = "few" if len(letters) < _LETTERS else "many"
        raise RecoveryRefused(
            f"A recovery key has {_LETTERS} letters, and this has {len(letters)}: too {kind}. Nothing was changed."
        )
    number = 0
    for letter in letters:
        number = number * len(_ALPHABET) + _ALPHABET.index(letter)
    data = number.to_bytes(_LETTERS, "big")
    whole, parity = data[-_ALL_BYTES:-1], data[-1]
    if any(data[:-_ALL_BYTES]) or not whole.startswith(_PREFIX) or _parity(whole) != parity:
        raise RecoveryRefused("A letter of this recovery key is wrong. Compare it once more; nothing was changed.")
    return whole[len(_PREFIX) :]


def _parity(data: bytes) -> int:
    parity = 0
    for byte in data:
        parity ^= byte
    return parity
