"""How the service keeps RSA keys: made, read (the public half only), rotated, changed."""

from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from local.keyvault import key_use
from local.keyvault.calls import Answer, Call, Operation, octets
from local.keyvault.errors import refuse_parameter
from local.keyvault.records import KeyVersion, new_attributes, new_version, read_tags
from local.keyvault.soft_operations import SoftOperations, described
from local.keyvault.vault import Vault

KEY_OPERATIONS = ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey")
_SIZES = (2048, 3072, 4096)


def _entry(vault: Vault, call: Call, place: str, key: KeyVersion) -> dict[str, Any]:
    return {
        "kid": f"{call.base}/keys/{place}",
        "attributes": described(key.attributes, vault.rules),
        "tags": key.tags,
    }


def _bundle(vault: Vault, call: Call, key: KeyVersion) -> dict[str, Any]:
    entry = _entry(vault, call, f"{call.name}/{key.version}", key)
    public = key.private.public_key().public_numbers()
    entry["key"] = {
        "kid": entry.pop("kid"),
        "kty": "RSA",
        "key_ops": list(key.operations),
        "n": octets(public.n.to_bytes((public.n.bit_length() + 7) // 8)),
        "e": octets(public.e.to_bytes((public.e.bit_length() + 7) // 8)),
    }
    return entry


def _operations(given: Any) -> tuple[str, ...]:
    wanted = list(KEY_OPERATIONS) if given is None else given
    if not isinstance(wanted, list) or not all(word in KEY_OPERATIONS for word in wanted):
        refuse_parameter("Property key_ops has invalid value")
    return tuple(wanted)


def create_key(vault: Vault, call: Call) -> Answer:
    if call.body.get("kty") != "RSA":
        refuse_parameter("Property kty has invalid value: this vault makes RSA keys only")
    size = call.body.get("key_size", _SIZES[0])
    if size not in _SIZES:
        refuse_parameter(f"Property key_size must be one of {_SIZES}")
    key = KeyVersion(
        version=new_version(),
        private=rsa.generate_private_key(public_exponent=65537, key_size=size),
        operations=_operations(call.body.get("key_ops")),
        attributes=new_attributes(call.body.get("attributes"), vault.clock.now()),
        tags=read_tags(call.body.get("tags")),
    )
    vault.keys.add(call.name, key)
    return 200, _bundle(vault, call, key)


def rotate_key(vault: Vault, call: Call) -> Answer:
    newest = vault.keys.version(call.name, "")
    key = replace(
        newest,
        version=new_version(),
        private=rsa.generate_private_key(65537, newest.private.key_size),
        attributes=new_attributes(None, vault.clock.now()),
    )
    vault.keys.add(call.name, key)
    return 200, _bundle(vault, call, key)


def get_key(vault: Vault, call: Call) -> Answer:
    return 200, _bundle(vault, call, vault.keys.version(call.name, call.version))


def update_key(vault: Vault, call: Call) -> Answer:
    key = vault.keys.version(call.name, call.version)
    key = replace(
        key,
        operations=_operations(call.body.get("key_ops", list(key.operations))),
        attributes=key.attributes.changed_by(call.body.get("attributes"), vault.clock.now()),
        tags=read_tags(call.body.get("tags", key.tags)),
    )
    vault.keys.replace(call.name, key)
    return 200, _bundle(vault, call, key)


_SOFT: SoftOperations[KeyVersion] = SoftOperations(
    word="keys", shelf=lambda vault: vault.keys, bundle=_bundle, entry=_entry
)


OPERATIONS = (
    Operation(
        method="POST",
        path="/keys/{name}/create",
        right="keys/create",
        perform=create_key,
        changes=True,
    ),
    Operation(
        method="POST",
        path="/keys/{name}/rotate",
        right="keys/rotate",
        perform=rotate_key,
        changes=True,
    ),
    Operation(
        method="POST", path="/keys/{name}/backup", right="keys/backup", perform=key_use.never_leaves
    ),
    *_SOFT.all(),
    Operation(method="GET", path="/keys/{name}", right="keys/get", perform=get_key),
    Operation(method="GET", path="/keys/{name}/{version:maybe}", right="keys/get", perform=get_key),
    Operation(
        method="PATCH",
        path="/keys/{name}/{version:maybe}",
        right="keys/update",
        perform=update_key,
        changes=True,
    ),
    *key_use.OPERATIONS,
)
