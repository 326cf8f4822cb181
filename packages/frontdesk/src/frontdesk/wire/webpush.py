"""RFC 8291: encrypting a push message so that only its receiver can read it (content encoding ``aes128gcm``).

A sender needs the receiver's ``p256dh`` and ``auth``; the receiver keeps the private key as well. Randomness is
handed in, so that the same inputs give the same bytes; whoever calls must draw it afresh for every message.
"""

import struct

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.wire import base64url

MOST_BODY = 4096
"""Bytes of an encrypted message: what every push service must take (RFC 8030 §7.2, contract P11)."""

MOST_PLAIN = 3993
"""Bytes of plaintext that fit into MOST_BODY: header 86, delimiter 1, tag 16 (RFC 8291 §4)."""

SALT_BYTES = 16
AUTH_BYTES = 16
SEED_BYTES = 40
"""Randomness for a private key: 64 bits more than the key, so that reducing it leaves no bias (FIPS 186-5 A.2.1)."""

_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_POINT_BYTES = 65
_TAG_BYTES = 16
_HEADER = struct.Struct(">16sIB")
_LAST_RECORD = b"\x02"


class ReceiverKeys(msgspec.Struct, frozen=True):
    """A subscription's keys, base64url without padding. ``private`` never leaves the desk; the others go to senders."""

    private: str
    """The private key's number, 32 bytes, big-endian."""
    p256dh: str
    """The public key: an uncompressed point of P-256, 65 bytes."""
    auth: str
    """The authentication secret, 16 bytes."""


def receiver_keys(seed: bytes, auth: bytes) -> ReceiverKeys:
    """Keys for a new subscription, from SEED_BYTES and AUTH_BYTES of fresh randomness."""
    if len(auth) != AUTH_BYTES:
        raise ValueError(f"the authentication secret has {AUTH_BYTES} bytes, not {len(auth)}")
    private = _private_key(seed)
    number = private.private_numbers().private_value
    return ReceiverKeys(
        private=base64url.encode(number.to_bytes(32, "big")),
        p256dh=base64url.encode(_point(private.public_key())),
        auth=base64url.encode(auth),
    )


def check_receiver(p256dh: str, auth: str) -> None:
    """Raise WireError unless these are a point on P-256 and a secret of the right length."""
    _public_key(base64url.decode(p256dh, "p256dh"))
    _auth_secret(auth)


def encrypt(plain: bytes, p256dh: str, auth: str, *, seed: bytes, salt: bytes) -> bytes:
    """The body of a push message that only the holder of the private key behind ``p256dh`` can read.

    ``seed`` (SEED_BYTES) makes the sender's key and ``salt`` (SALT_BYTES) the content key: both fresh for each
    message. Raises WireError when the receiver's keys are unusable or ``plain`` is longer than MOST_PLAIN.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"the salt has {SALT_BYTES} bytes, not {len(salt)}")
    if len(plain) > MOST_PLAIN:
        raise WireError(
            Refusal.TOO_LARGE, f"A push message holds {MOST_PLAIN} bytes, not {len(plain)}. Nothing was sent."
        )
    receiver = _public_key(base64url.decode(p256dh, "p256dh"))
    sender = _private_key(seed)
    sender_point = _point(sender.public_key())
    key, nonce = _content_key(
        shared=sender.exchange(ec.ECDH(), receiver),
        auth=_auth_secret(auth),
        receiver_point=_point(receiver),
        sender_point=sender_point,
        salt=salt,
    )
    header = _HEADER.pack(salt, MOST_BODY, _POINT_BYTES) + sender_point
    return header + AESGCM(key).encrypt(nonce, plain + _LAST_RECORD, None)


def decrypt(body: bytes, keys: ReceiverKeys) -> bytes:
    """The plaintext of a push message. Raises WireError, and nothing else, whatever the sender put into ``body``."""
    salt, sender_point, sealed = _split(body)
    receiver = _stored_private_key(keys.private)
    key, nonce = _content_key(
        shared=receiver.exchange(ec.ECDH(), _public_key(sender_point)),
        auth=_auth_secret(keys.auth),
        receiver_point=_point(receiver.public_key()),
        sender_point=sender_point,
        salt=salt,
    )
    try:
        padded = AESGCM(key).decrypt(nonce, sealed, None)
    except InvalidTag as error:
        raise _bad("it was not encrypted for this subscription, or was changed on its way") from error
    unpadded = padded.rstrip(b"\x00")
    if not unpadded.endswith(_LAST_RECORD):
        raise _bad("its padding is wrong")
    return unpadded[:-1]


def _split(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Salt, sender's public key and the one record (RFC 8188 §2.1; RFC 8291 §4 allows one record only)."""
    if len(body) > MOST_BODY:
        raise WireError(
            Refusal.TOO_LARGE, f"A push message has at most {MOST_BODY} bytes, this one {len(body)}. It was dropped."
        )
    if len(body) < _HEADER.size + _POINT_BYTES + len(_LAST_RECORD) + _TAG_BYTES:
        raise _bad("it is too short")
    salt, record_size, key_bytes = _HEADER.unpack_from(body)
    sealed = body[_HEADER.size + _POINT_BYTES :]
    if key_bytes != _POINT_BYTES:
        raise _bad("its header names no sender's key of 65 bytes")
    if record_size < len(sealed):
        raise _bad("it has more than one record")
    return salt, body[_HEADER.size : _HEADER.size + _POINT_BYTES], sealed


def _content_key(
    *, shared: bytes, auth: bytes, receiver_point: bytes, sender_point: bytes, salt: bytes
) -> tuple[bytes, bytes]:
    """Content encryption key and nonce (RFC 8291 §3.4)."""
    secret = _hkdf(auth, shared, b"WebPush: info\x00" + receiver_point + sender_point, 32)
    key = _hkdf(salt, secret, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _hkdf(salt, secret, b"Content-Encoding: nonce\x00", 12)
    return key, nonce


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def _private_key(seed: bytes) -> ec.EllipticCurvePrivateKey:
    if len(seed) < SEED_BYTES:
        raise ValueError(f"a key needs {SEED_BYTES} bytes of randomness, not {len(seed)}")
    return ec.derive_private_key(int.from_bytes(seed, "big") % (_ORDER - 1) + 1, _CURVE)


def _stored_private_key(private: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(base64url.decode(private, "the private key"), "big")
    if not 0 < number < _ORDER:
        raise _bad("the subscription's own private key is damaged")
    return ec.derive_private_key(number, _CURVE)


def _public_key(point: bytes) -> ec.EllipticCurvePublicKey:
    try:
        # The length is checked too, since the library also takes compressed points, which RFC 8291 does not.
        if len(point) != _POINT_BYTES:
            raise ValueError(f"{len(point)} bytes")
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
    except ValueError as error:
        raise _bad("a public key is not an uncompressed point of P-256") from error


def _auth_secret(auth: str) -> bytes:
    secret = base64url.decode(auth, "auth")
    if len(secret) != AUTH_BYTES:
        raise _bad(f"the authentication secret has {len(secret)} bytes instead of {AUTH_BYTES}")
    return secret


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _bad(why: str) -> WireError:
    return WireError(Refusal.BAD_REQUEST, f"A push message cannot be used: {why}. It was dropped.")
