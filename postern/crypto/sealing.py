"""Sealing at rest: AES-256-GCM under a config's data keys, bound to where the value belongs."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from postern.errors import PosternError
from postern.model.secret import Secret

KEY_ID_LENGTH = 8
_NONCE_LENGTH = 12


class SealBroken(PosternError):
    """A sealed value does not open: altered, moved from another row, or its key is not there."""


def new_key_id() -> str:
    """Return an id for a data key, of fixed length since it leads every sealed value."""
    return secrets.token_hex(KEY_ID_LENGTH // 2)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The data keys of one config: the newest seals, all open.

    The keys live here for the life of the process, so vault calls grow with configs × processes
    and not with mailboxes.
    """

    newest: str
    ciphers: Mapping[str, AESGCM]

    def seal(self, value: Secret, *context: str) -> bytes:
        """Return *value* sealed for *context*, e.g. config, mailbox and purpose.

        A random 96-bit nonce stays safe up to 2^32 seals under one key (NIST SP 800-38D, 8.3).
        """
        nonce = secrets.token_bytes(_NONCE_LENGTH)
        sealed = self.ciphers[self.newest].encrypt(
            nonce, value.reveal().encode(), _associated(context)
        )
        return self.newest.encode() + nonce + sealed

    def open(self, sealed: bytes, *context: str) -> Secret:
        """Return what was sealed for the same *context*.

        Raises:
            SealBroken: the value was altered or belongs elsewhere: a row copied over another row
                does not open.
        """
        key_id = sealed[:KEY_ID_LENGTH].decode("ascii", "replace")
        nonce = sealed[KEY_ID_LENGTH : KEY_ID_LENGTH + _NONCE_LENGTH]
        cipher = self.ciphers.get(key_id)
        if cipher is None or len(nonce) < _NONCE_LENGTH:
            msg = "no key of the ring sealed this value"
            raise SealBroken(msg)
        try:
            opened = cipher.decrypt(
                nonce, sealed[KEY_ID_LENGTH + _NONCE_LENGTH :], _associated(context)
            )
        except InvalidTag as exc:
            msg = "the value does not open here"
            raise SealBroken(msg) from exc
        return Secret(opened.decode())


def _associated(context: tuple[str, ...]) -> bytes:
    # Length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in context)
