"""What a vault holds: versions of secrets and of keys, and their attributes."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.keyvault.errors import refuse_parameter

_MAX_TAGS, _MAX_TAG_LENGTH = 15, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The attributes both kinds share; `nbf` and `exp` are moments in Unix seconds."""

    created: int
    updated: int
    enabled: bool = True
    nbf: int | None = None
    exp: int | None = None

    def changed_by(self, given: Any, now: float) -> Self:
        """Apply what a request gives, refusing what the service refuses."""
        if given is None:
            given = {}
        if not isinstance(given, dict):
            refuse_parameter("Property attributes has invalid value")
        enabled = given.get("enabled", self.enabled)
        if not isinstance(enabled, bool):
            refuse_parameter("Property attributes.enabled has invalid value")
        nbf, exp = (_moment(given, word, getattr(self, word)) for word in ("nbf", "exp"))
        if nbf is not None and exp is not None and exp <= nbf:
            refuse_parameter("Property attributes.exp must be later than attributes.nbf")
        return type(self)(created=self.created, updated=int(now), enabled=enabled, nbf=nbf, exp=exp)

    def as_json(self) -> dict[str, Any]:
        return {word: value for word, value in asdict(self).items() if value is not None}


def _moment(given: Mapping[str, Any], word: str, before: int | None) -> int | None:
    moment = given.get(word, before)
    if moment is not None and (not isinstance(moment, int) or isinstance(moment, bool)):
        refuse_parameter(f"Property attributes.{word} has invalid value")
    return moment


def new_attributes(given: Any, now: float) -> Attributes:
    return Attributes(created=int(now), updated=int(now)).changed_by(given, now)


def new_version() -> str:
    return uuid.uuid4().hex


def read_tags(given: Any) -> dict[str, str]:
    tags = {} if given is None else given
    if not isinstance(tags, dict) or len(tags) > _MAX_TAGS:
        refuse_parameter(f"Property tags must be an object of at most {_MAX_TAGS} entries")
    for pair in tags.items():
        if not all(isinstance(part, str) and len(part) <= _MAX_TAG_LENGTH for part in pair):
            refuse_parameter(f"Tags are strings of at most {_MAX_TAG_LENGTH} characters")
    return dict(tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion:
    """One value of a secret. The value stays out of `repr`, hence out of tracebacks and logs."""

    version: str
    value: str = field(repr=False)
    attributes: Attributes
    content_type: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        return cls(**{**record, "attributes": Attributes(**record["attributes"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyVersion:
    """One RSA key; the private half is used here and leaves only into the state file."""

    version: str
    private: rsa.RSAPrivateKey = field(repr=False)
    operations: tuple[str, ...]
    attributes: Attributes
    tags: dict[str, str] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        pem = self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "version": self.version,
            "pem": pem.decode(),
            "operations": list(self.operations),
            "attributes": asdict(self.attributes),
            "tags": self.tags,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        private = serialization.load_pem_private_key(record["pem"].encode(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            msg = "the state file holds a key that is not RSA"
            raise TypeError(msg)
        return cls(
            version=record["version"],
            private=private,
            operations=tuple(record["operations"]),
            attributes=Attributes(**record["attributes"]),
            tags=record["tags"],
        )
