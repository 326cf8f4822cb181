"""RFC 8291 against another implementation (http_ece), against the RFC's own example, and against garbage."""

import http_ece  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.wire import base64url, webpush

KEYS = webpush.receiver_keys(b"a seed of forty bytes, always the same..", b"sixteen bytes ok")
OTHER_KEYS = webpush.receiver_keys(b"another seed of forty bytes, not random.", b"sixteen bytes ok")
SEED = b"the sender draws forty bytes of its own."
SALT = b"0123456789abcdef"

seeds = st.binary(min_size=webpush.SEED_BYTES, max_size=webpush.SEED_BYTES)
salts = st.binary(min_size=webpush.SALT_BYTES, max_size=webpush.SALT_BYTES)
plains = st.binary(max_size=300) | st.binary(min_size=webpush.MOST_PLAIN - 2, max_size=webpush.MOST_PLAIN)


def library_key(keys: webpush.ReceiverKeys) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(base64url.decode(keys.private, "private"), "big"), ec.SECP256R1())


def encrypt(plain: bytes) -> bytes:
    return webpush.encrypt(plain, KEYS.p256dh, KEYS.auth, seed=SEED, salt=SALT)


@given(plains, seeds, salts)
def test_another_implementation_reads_what_we_encrypt(plain: bytes, seed: bytes, salt: bytes) -> None:
    body = webpush.encrypt(plain, KEYS.p256dh, KEYS.auth, seed=seed, salt=salt)
    auth = base64url.decode(KEYS.auth, "auth")
    assert http_ece.decrypt(body, private_key=library_key(KEYS), auth_secret=auth, version="aes128gcm") == plain


@given(plains.filter(len), salts)  # of nothing, that implementation makes a body without any record
def test_we_read_what_another_implementation_encrypts(plain: bytes, salt: bytes) -> None:
    body = http_ece.encrypt(
        plain,
        salt=salt,
        private_key=library_key(OTHER_KEYS),
        dh=base64url.decode(KEYS.p256dh, "p256dh"),
        auth_secret=base64url.decode(KEYS.auth, "auth"),
        version="aes128gcm",
    )
    assert webpush.decrypt(body, KEYS) == plain


def test_the_example_of_the_rfc_is_read() -> None:
    """RFC 8291, appendix A."""
    keys = webpush.ReceiverKeys(
        private="q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
        p256dh="BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        auth="BTBZMqHH6r4Tts7J_aSIgg",
    )
    body = base64url.decode(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
        "body",
    )
    assert webpush.decrypt(body, keys) == b"When I grow up, I want to be a watermelon"


@given(seeds)
def test_any_randomness_makes_a_key_that_others_accept(seed: bytes) -> None:
    keys = webpush.receiver_keys(seed, b"sixteen bytes ok")
    point = library_key(keys).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert base64url.encode(point) == keys.p256dh
    webpush.check_receiver(keys.p256dh, keys.auth)


def test_the_largest_message_fills_the_largest_body() -> None:
    assert len(encrypt(bytes(webpush.MOST_PLAIN))) == webpush.MOST_BODY
    with pytest.raises(WireError) as caught:
        encrypt(bytes(webpush.MOST_PLAIN + 1))
    assert caught.value.reason is Refusal.TOO_LARGE


@pytest.mark.contract("P11")
def test_an_oversized_body_is_refused_before_it_is_read() -> None:
    with pytest.raises(WireError) as caught:
        webpush.decrypt(encrypt(b"x") + bytes(webpush.MOST_BODY), KEYS)
    assert caught.value.reason is Refusal.TOO_LARGE


@pytest.mark.contract("P11")
def test_a_message_in_several_records_is_refused() -> None:
    """RFC 8291 §4 allows one; so a sender cannot have us take one record for the whole."""
    body = bytearray(encrypt(b"a message of some length"))
    body[16:20] = (len(body) - 86 - 1).to_bytes(4, "big")
    with pytest.raises(WireError, match="more than one record"):
        webpush.decrypt(bytes(body), KEYS)


@pytest.mark.contract("P11")
def test_a_message_for_somebody_else_is_refused() -> None:
    with pytest.raises(WireError, match="not encrypted for this subscription"):
        webpush.decrypt(encrypt(b"hello"), OTHER_KEYS)
    wrong_auth = webpush.ReceiverKeys(KEYS.private, KEYS.p256dh, base64url.encode(bytes(16)))
    with pytest.raises(WireError, match="not encrypted for this subscription"):
        webpush.decrypt(encrypt(b"hello"), wrong_auth)


@pytest.mark.contract("P11")
@given(st.integers(min_value=0, max_value=119), st.integers(min_value=1, max_value=255))
def test_a_body_with_any_byte_changed_is_refused(place: int, change: int) -> None:
    body = bytearray(encrypt(b"a message of some length"))
    assert len(body) > 119
    body[place] ^= change
    if 16 <= place < 20 and int.from_bytes(body[16:20], "big") >= len(body) - 86:
        return  # another record size that still holds the one record: it is not covered by the encryption
    with pytest.raises(WireError):
        webpush.decrypt(bytes(body), KEYS)


@pytest.mark.contract("P11")
@given(st.binary(max_size=300) | st.builds(lambda tail: encrypt(b"x")[:86] + tail, st.binary(max_size=200)))
def test_garbage_raises_nothing_but_wire_errors(body: bytes) -> None:
    with pytest.raises(WireError):
        webpush.decrypt(body, KEYS)


@given(st.text(max_size=90), st.text(max_size=30))
def test_garbage_for_keys_raises_nothing_but_wire_errors(p256dh: str, auth: str) -> None:
    with pytest.raises(WireError):
        webpush.encrypt(b"x", p256dh, auth, seed=SEED, salt=SALT)
    with pytest.raises(WireError):
        webpush.decrypt(encrypt(b"x"), webpush.ReceiverKeys(p256dh, p256dh, auth))


@pytest.mark.parametrize("point", [b"", b"\x04" + bytes(64), b"\x02" + bytes(32), b"\x04" + b"\xff" * 64])
def test_a_public_key_that_is_no_point_is_refused(point: bytes) -> None:
    with pytest.raises(WireError):
        webpush.check_receiver(base64url.encode(point), KEYS.auth)


def test_a_compressed_point_is_refused() -> None:
    compressed = library_key(KEYS).public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    with pytest.raises(WireError, match="uncompressed"):
        webpush.check_receiver(base64url.encode(compressed), KEYS.auth)


def test_too_little_randomness_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="40 bytes of randomness"):
        webpush.receiver_keys(b"short", bytes(16))
    with pytest.raises(ValueError, match="16 bytes"):
        webpush.receiver_keys(bytes(40), b"short")
    with pytest.raises(ValueError, match="salt"):
        webpush.encrypt(b"x", KEYS.p256dh, KEYS.auth, seed=SEED, salt=b"short")
