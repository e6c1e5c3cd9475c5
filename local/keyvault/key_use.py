"""What the service does with a private key on a caller's behalf, without ever giving it away."""

from collections.abc import Callable

from local.keyvault import crypto
from local.keyvault.calls import Answer, Call, Operation, octets
from local.keyvault.errors import VaultError, refuse_forbidden
from local.keyvault.records import KeyVersion
from local.keyvault.vault import Vault

# Expired and not-yet-valid keys still open what was closed with them; they close nothing new.
_CLOSING = ("sign", "wrapKey", "encrypt")


def _usable(vault: Vault, call: Call, word: str) -> KeyVersion:
    key, now = vault.keys.version(call.name, call.version), vault.clock.now()
    if not key.attributes.enabled:
        refuse_forbidden(f"Operation {word} is not allowed on a disabled key.", "KeyDisabled")
    if word in _CLOSING:
        if key.attributes.exp is not None and now >= key.attributes.exp:
            refuse_forbidden(f"Operation {word} is not allowed on an expired key.", "KeyExpired")
        if key.attributes.nbf is not None and now < key.attributes.nbf:
            refuse_forbidden(
                f"Operation {word} is not allowed on a not yet valid key.", "KeyNotYetValid"
            )
    if word not in key.operations:
        refuse_forbidden(f"Operation {word} is not permitted on this key.", "KeyOperationForbidden")
    return key


def _result(call: Call, key: KeyVersion, value: bytes) -> Answer:
    kid = f"{call.base}/keys/{call.name}/{key.version}"
    return 200, {"kid": kid, "value": octets(value)}


def sign(vault: Vault, call: Call) -> Answer:
    key = _usable(vault, call, "sign")
    return _result(call, key, crypto.sign(key.private, call.text("alg"), call.octets("value")))


def verify(vault: Vault, call: Call) -> Answer:
    public = _usable(vault, call, "verify").private.public_key()
    digest, signed = call.octets("digest"), call.octets("value")
    return 200, {"value": crypto.verify(public, call.text("alg"), digest, signed)}


def _closes(word: str) -> Callable[[Vault, Call], Answer]:
    def close(vault: Vault, call: Call) -> Answer:
        key = _usable(vault, call, word)
        public = key.private.public_key()
        return _result(call, key, crypto.wrap(public, call.text("alg"), call.octets("value")))

    return close


def _opens(word: str) -> Callable[[Vault, Call], Answer]:
    def open_(vault: Vault, call: Call) -> Answer:
        key = _usable(vault, call, word)
        return _result(
            call, key, crypto.unwrap(key.private, call.text("alg"), call.octets("value"))
        )

    return open_


def never_leaves(vault: Vault, call: Call) -> Answer:
    raise VaultError(400, "NotSupported", f"No private key leaves {vault.name}, in no form.")


def _crypto(word: str, right: str, perform: Callable[[Vault, Call], Answer]) -> Operation:
    path = f"/keys/{{name}}/{{version:maybe}}/{word}"
    return Operation(method="POST", path=path, right=f"keys/{right}", perform=perform)


OPERATIONS = (
    _crypto("sign", "sign", sign),
    _crypto("verify", "verify", verify),
    _crypto("wrapkey", "wrap", _closes("wrapKey")),
    _crypto("unwrapkey", "unwrap", _opens("unwrapKey")),
    _crypto("encrypt", "encrypt", _closes("encrypt")),
    _crypto("decrypt", "decrypt", _opens("decrypt")),
    _crypto("release", "release", never_leaves),
)
