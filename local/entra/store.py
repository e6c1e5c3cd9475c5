"""Holds the whole state and, if a file is named, carries it over a restart."""

import asyncio
import os
import time
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct, field

from local.entra.model import (
    App,
    Code,
    Grant,
    Identity,
    Principal,
    SentMail,
    Settings,
    Tenant,
    User,
    new_id,
)

SAVE_EVERY = 0.2


def _new_signing_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


class State(Struct, kw_only=True):
    """Everything, by id. Codes and grants are found by the hash of what the client holds."""

    signing_key: str = field(default_factory=_new_signing_key)
    clock_offset: float = 0.0
    settings: Settings = field(default_factory=Settings)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    principals: dict[str, Principal] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    consents: dict[str, list[str]] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    sent: list[SentMail] = field(default_factory=list)

    def tenant(self, name: str) -> Tenant | None:
        """Find a tenant by its id or its domain."""
        found = self.tenants.get(name.lower())
        if found is not None:
            return found
        return next((one for one in self.tenants.values() if one.domain == name.lower()), None)

    def user_in(self, tenant: str, upn: str) -> User | None:
        for user in self.users.values():
            if user.tenant == tenant and user.upn.lower() == upn.lower():
                return user
        return None

    def user_at_home(self, upn: str) -> User | None:
        for user in self.users.values():
            if not user.guest and user.upn.lower() == upn.lower():
                return user
        return None

    def principal(self, tenant: str, client_id: str) -> Principal | None:
        return self.principals.get(f"{tenant}|{client_id}")

    def ensure_principal(self, tenant: str, client_id: str) -> Principal:
        """Consent is what brings an app into another tenant."""
        found = self.principal(tenant, client_id)
        if found is None:
            found = Principal(id=new_id(), client_id=client_id, tenant=tenant)
            self.principals[f"{tenant}|{client_id}"] = found
        return found


class Store:
    """Writes the state after changes, whole and atomically: a reader never sees half of it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._dirty = False
        if path is not None and path.exists():
            self.state = msgspec.json.decode(path.read_bytes(), type=State)
        else:
            self.state = State()
            self.changed()

    def changed(self) -> None:
        self._dirty = self._path is not None

    def save(self) -> None:
        if not self._dirty or self._path is None:
            return
        self._dirty = False
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(self._path.name + ".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self.state))
        temporary.replace(self._path)

    async def keep_saved(self) -> None:
        pause = SAVE_EVERY
        while True:
            await asyncio.sleep(pause)
            started = time.monotonic()
            self.save()
            # A large state is written less often, so that saving never takes most of the time.
            pause = max(SAVE_EVERY, 20 * (time.monotonic() - started))
