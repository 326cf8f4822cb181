"""Posted forms and files: read whole, bounded, and no body whatsoever breaks more than its own request."""

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from lobby.messenger import KeysRefused
from lobby.ui import forms
from lobby.ui.forms import TAKES_FILE, read_file, read_form

URLENCODED = "application/x-www-form-urlencoded"


def posted(body: bytes, kind: str, path: str = TAKES_FILE, most: int = 1024) -> web.Request:
    """A request as the server makes it. Only what carries bytes is asked of the mocked transport."""
    loop = asyncio.get_running_loop()
    payload = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    payload.feed_data(body)
    payload.feed_eof()
    protocol = Mock(max_field_size=8190, max_headers=128)
    headers = {"Content-Type": kind}
    request = make_mocked_request("POST", path, headers, payload=payload, protocol=protocol, client_max_size=most)
    return request


def multipart(fields: dict[str, str], file: bytes | None, boundary: str = "b0undary") -> tuple[bytes, str]:
    """As browsers write it (RFC 7578)."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value.encode() + b"\r\n"
        for name, value in fields.items()
    ]
    if file is not None:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="keys.txt"\r\n'
        parts.append(f"{head}Content-Type: text/plain\r\n\r\n".encode() + file + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@given(st.binary(max_size=3000), st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_a_file_comes_as_it_was_beside_the_fields(file: bytes, passphrase: str) -> None:
    async def read() -> None:
        if b"--b0undary" in file:
            return
        request = posted(*multipart({"csrf": "token", "passphrase": passphrase}, file))
        assert await read_form(request) == {"csrf": "token", "passphrase": passphrase}
        assert await read_file(request, "file") == file
        assert await read_file(request, "file") == file, "however often asked for"
        assert await read_file(request, "csrf") == b""

    asyncio.run(read())


PIECES = (
    b"--b",
    b"--b--",
    b"--c",
    b"\r\n",
    b"\n",
    b":",
    b"\x00\xff",
    b"x" * 90,
    b'Content-Disposition: form-data; name="file"; filename="x"',
    b'Content-Disposition: form-data; name="_charset_"',
    b"Content-Disposition: form-data",
    b"Content-Type: multipart/mixed; boundary=c",
    b"Content-Transfer-Encoding: base64",
)
KINDS = (
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    f"multipart/form-data; boundary={'b' * 71}",
    URLENCODED,
    f"{URLENCODED}; charset=x",
    "application/json",
    "",
)


@given(
    st.one_of(st.binary(max_size=400), st.lists(st.sampled_from(PIECES), max_size=25).map(b"\r\n".join)),
    st.sampled_from(KINDS),
    st.sampled_from([TAKES_FILE, "/new"]),
)
def test_no_body_does_more_than_be_refused(body: bytes, kind: str, path: str) -> None:
    async def read() -> None:
        request = posted(body, kind, path)
        try:
            fields = await read_form(request)
            assert all(isinstance(value, str) for value in fields.values())
            assert isinstance(await read_file(request, "file"), bytes)
        except (web.HTTPBadRequest, web.HTTPRequestEntityTooLarge, KeysRefused):
            pass

    asyncio.run(read())


async def test_a_file_may_be_larger_than_any_other_form_but_not_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    body, kind = multipart({"csrf": "token"}, b"k" * 5000)
    assert len(await read_file(posted(body, kind), "file")) == 5000
    with pytest.raises(web.HTTPRequestEntityTooLarge):
        await read_form(posted(body, kind, path="/new"))
    monkeypatch.setattr(forms, "LARGEST_FILE", 4000)
    with pytest.raises(KeysRefused, match="Nothing was changed"):
        await read_form(posted(body, kind))


async def test_a_form_of_countless_fields_is_none() -> None:
    for count in (forms.MOST_FIELDS - 1, forms.MOST_FIELDS):
        request = posted(*multipart({f"field{number}": "" for number in range(count)}, None), most=10**6)
        if count < forms.MOST_FIELDS:
            assert len(await read_form(request)) == count
        else:
            with pytest.raises(web.HTTPBadRequest):
                await read_form(request)
