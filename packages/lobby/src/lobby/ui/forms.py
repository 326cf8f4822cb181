"""What a form posts: its text fields and, at the one address that takes a file, the file. Bounded, read once."""

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from lobby.messenger import KeysRefused

TAKES_FILE = "/encryption/load"
"""How the address ends that takes a file."""

LARGEST_FILE = 32 * 1024 * 1024
"""Bytes of a request with a file; a message key takes about 1.3 KiB in a file of keys."""

MOST_FIELDS = 20
"""Parts of a form with a file."""

_TOO_LARGE = (
    f"A file of keys holds {LARGEST_FILE // 2**20} MB at most, and this one is larger. Nothing was changed. "
    "Save the keys in several files where they are, or enter your recovery key here instead."
)

_POSTED = web.RequestKey("posted", dict[str, str | bytes])


async def read_form(request: web.Request) -> dict[str, str]:
    """The text fields of a form, read once however often asked for.

    Raises HTTPBadRequest when the body is none, HTTPRequestEntityTooLarge (KeysRefused where a file may come) when it
    is too large.
    """
    return {name: value for name, value in (await _posted(request)).items() if isinstance(value, str)}


async def read_file(request: web.Request, name: str) -> bytes:
    """The file of that field; empty: none was chosen. Raises as ``read_form``."""
    value = (await _posted(request)).get(name)
    return value if isinstance(value, bytes) else b""


async def _posted(request: web.Request) -> dict[str, str | bytes]:
    """Fields and, as bytes, files."""
    if _POSTED in request:
        return request[_POSTED]
    takes_file = request.path.endswith(TAKES_FILE)
    posted: dict[str, str | bytes] = {}
    try:
        if request.content_type == "multipart/form-data":
            posted = await _multipart(request, LARGEST_FILE if takes_file else request.client_max_size)
        else:
            posted = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    except web.HTTPRequestEntityTooLarge:
        if takes_file:
            raise KeysRefused(_TOO_LARGE) from None
        raise
    except (ValueError, LookupError, AssertionError, RuntimeError, HttpProcessingError) as error:
        raise web.HTTPBadRequest from error
    request[_POSTED] = posted
    return posted


async def _multipart(request: web.Request, most: int) -> dict[str, str | bytes]:
    """The parts of a form as browsers post one with a file (RFC 7578), ``most`` bytes in all."""
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most)
    found: dict[str, str | bytes] = {}
    reader = await request.clone(client_max_size=most).multipart()
    size = 0
    for _ in range(MOST_FIELDS):
        part = await reader.next()
        if part is None:
            return found
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise ValueError("A part of the form is none of its fields.")
        value = bytearray()
        while chunk := await part.read_chunk(2**16):
            size += len(chunk)
            if size > most:
                raise web.HTTPRequestEntityTooLarge(most)
            value += chunk
        found[part.name] = bytes(value) if part.filename else value.decode()
    raise ValueError("The form has more fields than any of Lobby's.")
