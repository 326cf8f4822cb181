"""Base64 as Matrix writes it: without padding (Matrix specification, "Unpadded Base64"); read with padding, too."""

import base64
import binascii


def encode(data: bytes) -> str:
    """The text of ``data``."""
    return base64.b64encode(data).decode().rstrip("=")


def decode(text: object, length: int | None = None) -> bytes:
    """What ``text`` stands for. Raises ValueError: it is no Base64, or not of ``length`` bytes."""
    if not isinstance(text, str):
        raise ValueError("not a text")
    bare = text.rstrip("=")
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if length is not None and len(data) != length:
        raise ValueError(f"{len(data)} bytes instead of {length}")
    return data
