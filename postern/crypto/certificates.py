"""A self-signed certificate around a key that never leaves Key Vault."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

Sign = Callable[[bytes], Awaitable[bytes]]


async def self_signed(
    *,
    public_key: rsa.RSAPublicKey,
    name: str,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    sign: Sign,
) -> bytes:
    """Return the DER of a certificate whose RS256 signature *sign* makes from a SHA-256 digest.

    The builder signs synchronously and the vault does not, so it is run twice: once to learn what
    is to be signed, once with the signature in hand.
    """
    # A common name has at most 64 bytes (RFC 5280, ub-common-name).
    common_name = name.encode()[:64].decode(errors="ignore")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    draft = _Elsewhere(public_key, b"\0" * (public_key.key_size // 8))
    builder.sign(draft, hashes.SHA256())
    signature = await sign(hashlib.sha256(draft.seen).digest())
    certificate = builder.sign(_Elsewhere(public_key, signature), hashes.SHA256())
    certificate.verify_directly_issued_by(certificate)
    return certificate.public_bytes(serialization.Encoding.DER)


class _Elsewhere(rsa.RSAPrivateKey):
    """A private key that is not here: notes what it should sign, gives the signature it holds."""

    def __init__(self, public_key: rsa.RSAPublicKey, signature: bytes) -> None:
        self._public_key = public_key
        self._signature = signature
        self.seen = b""

    def sign(
        self,
        data: Any,
        padding: padding.AsymmetricPadding,
        algorithm: Any,
    ) -> bytes:
        self.seen = bytes(data)
        return self._signature

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public_key

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def decrypt(self, ciphertext: Any, padding: padding.AsymmetricPadding) -> NoReturn:
        raise _not_here()

    def private_numbers(self) -> NoReturn:
        raise _not_here()

    def private_bytes(self, encoding: Any, format: Any, encryption_algorithm: Any) -> NoReturn:
        raise _not_here()

    def __copy__(self) -> NoReturn:
        raise _not_here()

    def __deepcopy__(self, memo: Any) -> NoReturn:
        raise _not_here()


def _not_here() -> TypeError:
    return TypeError("the private key is in the vault and stays there")
