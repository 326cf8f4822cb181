"""What a form posts: its text fields and, at the one address that takes a file, the file. Bounded, read once."""

from aiohttp import web
from aiohttp.http import HttpProcessingError

from lobby.messenger import KeysRefused

TAKES_FILE = "/encryption/load"
"""How the address ends that takes a file."""

LARGEST_FILE = 32 * 1024 * 1024
"""Bytes of a request with a file; a message key takes about 1.3 KiB in a file of keys."""

_TOO_LARGE = (
    f"A file of keys holds {LARGEST_FILE // 2**20} MB at most, and this one is larger. Nothing was changed. "
    "Save the keys in several files where they are, or enter your recovery key here instead."
)

_POSTED = web.RequestKey("posted", dict[str, object])


async def read_form(request: web.Request) -> dict[str, str]:
    """The text fields of a form, read once however often asked for.

    Raises HTTPBadRequest when the body is none, HTTPRequestEntityTooLarge (KeysRefused where a file may come) when it
    is too large.
    """
    return {name: value for name, value in (await _posted(request)).items() if isinstance(value, str)}


async def read_file(request: web.Request, name: str) -> bytes:
    """The file of that field; empty: none was chosen. Raises as ``read_form``."""
    field = (await _posted(request)).get(name)
    if not isinstance(field, web.FileField):
        return b""
    field.file.seek(0)
    return field.file.read()


async def _posted(request: web.Request) -> dict[str, object]:
    if _POSTED not in request:
        takes_file = request.path.endswith(TAKES_FILE)
        reader = request.clone(client_max_size=LARGEST_FILE) if takes_file else request
        try:
            if takes_file and (request.content_length or 0) > LARGEST_FILE:
                raise KeysRefused(_TOO_LARGE)
            posted: dict[str, object] = dict((await reader.post()).items())
            request[_POSTED] = posted
        except web.HTTPRequestEntityTooLarge:
            if takes_file:
                raise KeysRefused(_TOO_LARGE) from None
            raise
        except (ValueError, LookupError, AssertionError, RuntimeError, HttpProcessingError) as error:
            raise web.HTTPBadRequest from error
    return request[_POSTED]
