"""The key with which Entra signs, and its public half as a key set. All by PyJWT."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import RSAAlgorithm


class SigningKey:
    def __init__(self, pem: str) -> None:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            msg = "the state file holds no RSA signing key"
            raise TypeError(msg)
        self._private, self._public = key, key.public_key()
        der = self._public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashlib.sha256(der).digest()
        self.kid = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def jwks(self) -> dict[str, Any]:
        public: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self._public))
        public.pop("key_ops", None)
        return {"keys": [{**public, "use": "sig", "kid": self.kid, "alg": "RS256"}]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        return jwt.encode(dict(claims), self._private, "RS256", headers={"kid": self.kid})

    def verified(self, token: str) -> dict[str, Any]:
        """Check the signature only; times and audience are the caller's question."""
        return jwt.decode(
            token,
            self._public,
            algorithms=["RS256"],
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "require": ["aud", "exp", "iss", "sub", "tid"],
            },
        )
