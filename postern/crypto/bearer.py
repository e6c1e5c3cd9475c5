"""Bearer values: random, handed out once, stored as a hash only."""

import base64
import hashlib
import hmac
import re
import secrets
import zlib

from postern.model.secret import Secret

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_KEY = re.compile(r"postern_(?P<random>[A-Za-z0-9_-]{43})(?P<check>[0-9a-f]{8})")


def new_token() -> Secret:
    """Return 256 random bits as 43 base64url characters."""
    return Secret(secrets.token_urlsafe(32))


def looks_like_token(text: str) -> bool:
    """Say whether *text* has the shape of `new_token`; anything else is never looked up."""
    return _TOKEN.fullmatch(text) is not None


def new_api_key() -> Secret:
    """Return an API key: a prefix and a checksum let scanners recognise a leaked one."""
    random = secrets.token_urlsafe(32)
    return Secret(f"postern_{random}{zlib.crc32(random.encode()):08x}")


def looks_like_api_key(text: str) -> bool:
    """Say whether *text* has an API key's shape and checksum."""
    match = _KEY.fullmatch(text)
    return match is not None and f"{zlib.crc32(match['random'].encode()):08x}" == match["check"]


def digest(value: Secret | str, *context: str) -> str:
    """Return SHA-256 of *value* (and *context*) as 43 base64url characters.

    A plain hash is enough: what is hashed has 256 random bits, so there is nothing to guess.
    """
    text = value.reveal() if isinstance(value, Secret) else value
    joined = "\0".join((text, *context))
    return base64url(hashlib.sha256(joined.encode()).digest())


def same(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def base64url(data: bytes) -> str:
    """Return unpadded base64url: the only form that the host passes through a cookie untouched."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
