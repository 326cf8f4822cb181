"""A file of message keys that clients exchange (Matrix, "Key exports"). Deriving its key takes half a second."""

import base64
import binascii
import hashlib
import hmac
import json
import struct
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lobby.core.batch import Json
from lobby.core.secret_storage import clear_bit_63
from lobby.errors import KeysRefused

SALT_BYTES = 16
IV_BYTES = 16
ROUNDS = 500_000
"""Of PBKDF2, as Element makes them: half a second for us, and for each guess of whoever finds the file."""
MOST_ROUNDS = 10_000_000
"""A file that asks for more is refused: it would keep this computer busy for minutes."""
MOST_BYTES = 64 * 1024 * 1024
"""Of a file; a hundred thousand keys."""

_BEGIN = b"-----BEGIN MEGOLM SESSION DATA-----"
_END = b"-----END MEGOLM SESSION DATA-----"
_VERSION = 1
_HEAD = struct.Struct(">B16s16sI")
_MAC_BYTES = 32
_LINE = 128


def write(sessions: Iterable[Json], passphrase: str, salt: bytes, iv: bytes, rounds: int = ROUNDS) -> bytes:
    """The file. ``salt`` and ``iv``: fresh random bytes. Raises KeysRefused when there is no passphrase."""
    if not passphrase:
        raise KeysRefused("The file needs a passphrase: whoever has it could read your messages. Nothing was exported.")
    aes, sealing = _keys(passphrase, salt, rounds)
    iv = clear_bit_63(iv)
    ciphertext = _counter(aes, iv, json.dumps(list(sessions)).encode())
    data = _HEAD.pack(_VERSION, salt, iv, rounds) + ciphertext
    text = base64.b64encode(data + hmac.digest(sealing, data, "sha256"))
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return b"\n".join([_BEGIN, *lines, _END, b""])


def read(file: bytes, passphrase: str) -> list[Json]:
    """The sessions in a file, as they are there: the engine looks at each. Raises KeysRefused."""
    data = _between_the_lines(file)
    if len(data) < _HEAD.size + _MAC_BYTES:
        raise KeysRefused("This file of keys is not whole. Nothing was imported; export it once more.")
    version, salt, iv, rounds = _HEAD.unpack_from(data)
    if version != _VERSION or not 0 < rounds <= MOST_ROUNDS:
        raise KeysRefused("This file of keys is of a kind that Lobby does not know. Nothing was imported.")
    aes, sealing = _keys(passphrase, salt, rounds)
    if not hmac.compare_digest(hmac.digest(sealing, data[:-_MAC_BYTES], "sha256"), data[-_MAC_BYTES:]):
        raise KeysRefused("The passphrase is wrong, or the file is damaged. Nothing was imported.")
    try:
        sessions = json.loads(_counter(aes, iv, data[_HEAD.size : -_MAC_BYTES]))
    except (ValueError, RecursionError) as error:
        raise KeysRefused("What is in this file are no keys. Nothing was imported.") from error
    if not isinstance(sessions, list):
        raise KeysRefused("What is in this file are no keys. Nothing was imported.")
    return [session for session in sessions if isinstance(session, dict)]


def _between_the_lines(file: bytes) -> bytes:
    if len(file) > MOST_BYTES:
        raise KeysRefused(f"This file is larger than {MOST_BYTES // 2**20} MiB. Nothing was imported.")
    text = file.strip().removeprefix(b"\xef\xbb\xbf")
    if not text.startswith(_BEGIN) or not text.endswith(_END) or len(text) < len(_BEGIN) + len(_END):
        raise KeysRefused("This is no file of exported message keys. Nothing was imported.")
    bare = b"".join(text[len(_BEGIN) : -len(_END)].split()).rstrip(b"=")
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise KeysRefused("This file of keys is damaged. Nothing was imported; export it once more.") from error


def _keys(passphrase: str, salt: bytes, rounds: int) -> tuple[bytes, bytes]:
    derived = hashlib.pbkdf2_hmac("sha512", passphrase.encode("utf-8", "replace"), salt, rounds)
    return derived[:32], derived[32:]


def _counter(key: bytes, iv: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(data)
