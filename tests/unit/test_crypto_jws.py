"""What we build for Entra to verify, verified by somebody else's code."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from postern.crypto import jws
from tests.unit.test_crypto_certificates import OTHER, PRIVATE, certificate

AUDIENCE = "https://login.microsoftonline.com/organizations/oauth2/v2.0/token"
CLIENT_ID = "c0000000-0000-4000-8000-0000000000aa"
DER = b"a certificate, for all that an assertion cares"


def assertion(der: bytes = DER, now: datetime | None = None) -> jws.Unsigned:
    return jws.client_assertion(
        client_id=CLIENT_ID,
        audience=AUDIENCE,
        certificate_der=der,
        jti="once",
        now=now or datetime.now(UTC),
    )


def signed(unsigned: jws.Unsigned, key: rsa.RSAPrivateKey = PRIVATE) -> str:
    """Sign as Key Vault does with PS256: a digest goes there, a signature comes back."""
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    return unsigned.signed(key.sign(unsigned.digest, pss, Prehashed(hashes.SHA256())))


def verified(token: str, key: rsa.RSAPrivateKey = PRIVATE) -> dict[str, object]:
    return jwt.decode(token, key.public_key(), algorithms=["PS256"], audience=AUDIENCE)


def test_the_assertion_verifies_and_claims_what_entra_asks_for():
    now = datetime.now(UTC)
    claims = verified(signed(assertion(now=now)))
    issued = int(now.timestamp())
    assert claims == {
        "aud": AUDIENCE,
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "jti": "once",
        "nbf": issued,
        "iat": issued,
        "exp": issued + 600,
    }


def test_the_header_is_the_one_of_entras_page():
    header = jwt.get_unverified_header(signed(assertion()))
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(DER).digest()).rstrip(b"=").decode()
    assert header == {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}


async def test_the_thumbprint_is_that_of_the_certificate():
    made = await certificate()
    der = made.public_bytes(serialization.Encoding.DER)
    thumbprint = jwt.get_unverified_header(signed(assertion(der)))["x5t#S256"]
    assert base64.urlsafe_b64decode(thumbprint + "=") == made.fingerprint(hashes.SHA256())


def test_another_key_does_not_pass():
    with pytest.raises(jwt.InvalidSignatureError):
        verified(signed(assertion(), OTHER))


def test_it_ends_after_ten_minutes():
    assert timedelta(seconds=600) == jws.ASSERTION_LIFE
    now = datetime.now(UTC)
    with pytest.raises(jwt.ExpiredSignatureError):
        verified(signed(assertion(now=now - timedelta(seconds=601))))
    assert verified(signed(assertion(now=now - timedelta(seconds=540))))


def test_a_receipt_verifies_too():
    unsigned = jws.unsigned({"alg": "RS256", "kid": "1"}, {"name": "Größe", "none": None})
    token = unsigned.signed(
        PRIVATE.sign(unsigned.digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    )
    claims = jwt.decode(token, PRIVATE.public_key(), algorithms=["RS256"])
    assert claims == {"name": "Größe", "none": None}
    assert jws.payload(token.split(".")[1]) == claims


@pytest.mark.parametrize("length", range(8))
def test_a_payload_of_any_length_reads_back(length):
    claims: dict[str, object] = {"text": "x" * length}
    part = jws.unsigned({}, claims).signing_input.split(".")[1]
    assert "=" not in part
    assert jws.payload(part) == claims


def test_a_payload_that_is_no_json_is_an_error():
    for part in (base64.urlsafe_b64encode(b"{").decode(), ""):
        with pytest.raises(json.JSONDecodeError):
            jws.payload(part)
