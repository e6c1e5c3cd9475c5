"""RSA as Key Vault does it: it signs digests, not messages, and wraps with OAEP."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from local.keyvault.errors import refuse_parameter


@dataclass(frozen=True, slots=True)
class _Signature:
    digest: hashes.HashAlgorithm
    pad: Callable[[hashes.HashAlgorithm], AsymmetricPadding]


def _pkcs1(digest: hashes.HashAlgorithm) -> AsymmetricPadding:
    return padding.PKCS1v15()


def _pss(digest: hashes.HashAlgorithm) -> AsymmetricPadding:
    # RFC 7518 section 3.5: the salt is as long as the digest.
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)


_SIGNATURES = {
    "RS256": _Signature(hashes.SHA256(), _pkcs1),
    "RS384": _Signature(hashes.SHA384(), _pkcs1),
    "RS512": _Signature(hashes.SHA512(), _pkcs1),
    "PS256": _Signature(hashes.SHA256(), _pss),
    "PS384": _Signature(hashes.SHA384(), _pss),
    "PS512": _Signature(hashes.SHA512(), _pss),
}
_WRAPPINGS: dict[str, hashes.HashAlgorithm] = {
    "RSA-OAEP": hashes.SHA1(),  # noqa: S303 - RFC 7518 section 4.3 defines it with SHA-1
    "RSA-OAEP-256": hashes.SHA256(),
}


def sign(private: rsa.RSAPrivateKey, algorithm: str, digest: bytes) -> bytes:
    signature = _signature(algorithm, digest)
    return private.sign(digest, signature.pad(signature.digest), Prehashed(signature.digest))


def verify(public: rsa.RSAPublicKey, algorithm: str, digest: bytes, signed: bytes) -> bool:
    signature = _signature(algorithm, digest)
    try:
        public.verify(signed, digest, signature.pad(signature.digest), Prehashed(signature.digest))
    except InvalidSignature:
        return False
    return True


def wrap(public: rsa.RSAPublicKey, algorithm: str, plain: bytes) -> bytes:
    try:
        return public.encrypt(plain, _wrapping(algorithm))
    except ValueError:
        refuse_parameter("Property value is too long for this key and algorithm")


def unwrap(private: rsa.RSAPrivateKey, algorithm: str, wrapped: bytes) -> bytes:
    try:
        return private.decrypt(wrapped, _wrapping(algorithm))
    except ValueError:
        refuse_parameter("The parameter is incorrect.")


def _signature(algorithm: str, digest: bytes) -> _Signature:
    signature = _SIGNATURES.get(algorithm)
    if signature is None:
        refuse_parameter(f"Property alg has invalid value for this key: {algorithm}")
    size = signature.digest.digest_size
    if len(digest) != size:
        refuse_parameter(
            f"Invalid length of 'value': {len(digest)} bytes. {algorithm} requires {size} bytes, "
            "encoded with base64url."
        )
    return signature


def _wrapping(algorithm: str) -> AsymmetricPadding:
    digest = _WRAPPINGS.get(algorithm)
    if digest is None:
        refuse_parameter(f"Property alg has invalid value for this key: {algorithm}")
    return padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
