"""What the application relies on in a key vault, proven on the stand-in and on a real vault.

The stand-in is always tried. Name a real vault in POSTERN_TEST_VAULT_URL, sign in with `az login`,
and the same tests run against it; what that vault forbids is skipped by name.
"""

import asyncio
import hashlib
import os
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.keys import KeyOperation, KeyVaultKey
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from azure.keyvault.secrets.aio import SecretClient
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.local.issuer import TENANT, issuer, stand_in

pytestmark = pytest.mark.contract

REAL = os.environ.get("POSTERN_TEST_VAULT_URL", "")
CALLER = "8f2b4d0e-7d0c-4f6e-9d1a-0c6f1f1f0001"


class FixedToken:
    """A credential that has its token already."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://vault.azure.net/.default",)
        return AccessToken(self._token, int(datetime.now(UTC).timestamp()) + 3600)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> "FixedToken":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The vault under test, and how to wait for it."""

    name: str
    secrets: SecretClient
    keys: KeyClient
    credential: Any
    options: dict[str, Any]
    poll: float

    @contextmanager
    def allowed(self, what: str) -> Iterator[None]:
        """Skip, by name, what a real vault forbids its caller; the stand-in forbids nothing."""
        try:
            yield
        except HttpResponseError as error:
            if self.name != "stand-in" and error.status_code == 403:
                pytest.skip(f"the vault named by POSTERN_TEST_VAULT_URL forbids {what}")
            raise

    async def gone(self, read: Callable[[str], Awaitable[object]], name: str) -> None:
        for _ in range(100):
            try:
                await read(name)
            except ResourceNotFoundError:
                return
            await asyncio.sleep(self.poll)
        pytest.fail(f"{name} is still there")

    def crypto(self, key: KeyVaultKey) -> CryptographyClient:
        return CryptographyClient(key, self.credential, **self.options)

    async def delete(self, name: str) -> None:
        await self.secrets.delete_secret(name, _polling_interval=self.poll)

    async def erase(self, name: str) -> None:
        await self.delete(name)
        with self.allowed("secrets/purge"):
            await self.secrets.purge_deleted_secret(name)

    async def make_key(self, *operations: KeyOperation) -> KeyVaultKey:
        with self.allowed("keys/create"):
            return await self.keys.create_rsa_key(
                new_name(), size=2048, key_operations=list(operations)
            )


def new_name() -> str:
    return f"contract-{uuid.uuid4().hex}"


@asynccontextmanager
async def _clients(
    name: str, url: str, credential: Any, poll: float, options: dict[str, Any]
) -> AsyncIterator[Subject]:
    async with (
        credential,
        SecretClient(url, credential, **options) as secrets,
        KeyClient(url, credential, **options) as keys,
    ):
        yield Subject(
            name=name,
            secrets=secrets,
            keys=keys,
            credential=credential,
            options=options,
            poll=poll,
        )


@pytest.fixture(scope="module", params=["stand-in", "real"] if REAL else ["stand-in"])
async def vault(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Subject]:
    async with AsyncExitStack() as stack:
        if request.param == "real":
            url, poll = REAL, 2.0
            credential: Any = DefaultAzureCredential()
            options: dict[str, Any] = {}
        else:
            made = stack.enter_context(issuer(tmp_path_factory.mktemp("vault")))
            everything = f"{CALLER}=secrets/*,keys/*"
            facts = ["--vault", "contract", "--tenant", TENANT, "--deletion-delay", "0.1"]
            ready = stack.enter_context(
                stand_in("local.keyvault", made, *facts, "--allow", everything)
            )
            url, poll = ready.split()[0], 0.05
            credential = FixedToken(made.token(oid=CALLER))
            options = {"verify_challenge_resource": False, "connection_verify": str(made.ca)}
        yield await stack.enter_async_context(
            _clients(request.param, url, credential, poll, options)
        )


async def test_a_secret_is_read_back_with_what_surrounds_it(vault: Subject):
    name, deadline = new_name(), datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    made = await vault.secrets.set_secret(
        name, "s3cret", content_type="text/plain", expires_on=deadline, tags={"config": "c1"}
    )
    read = await vault.secrets.get_secret(name)
    assert (read.value, read.id) == ("s3cret", made.id)
    assert read.properties.content_type == "text/plain"
    assert read.properties.expires_on == deadline
    assert read.properties.tags == {"config": "c1"}
    assert "Recoverable" in (read.properties.recovery_level or "")
    await vault.erase(name)


async def test_expiry_is_informational(vault: Subject):
    """Nothing goes by itself: an expired secret is there until somebody deletes it."""
    name, now = new_name(), datetime.now(UTC)
    await vault.secrets.set_secret(
        name, "old", not_before=now - timedelta(hours=2), expires_on=now - timedelta(hours=1)
    )
    assert (await vault.secrets.get_secret(name)).value == "old"
    await vault.erase(name)


async def test_setting_again_makes_a_version_and_keeps_the_old_one(vault: Subject):
    name = new_name()
    first = await vault.secrets.set_secret(name, "one")
    second = await vault.secrets.set_secret(name, "two")
    assert (await vault.secrets.get_secret(name)).value == "two"
    assert (await vault.secrets.get_secret(name, first.properties.version)).value == "one"
    listed = {p.version async for p in vault.secrets.list_properties_of_secret_versions(name)}
    assert listed == {first.properties.version, second.properties.version}
    await vault.erase(name)


async def test_what_is_not_there_is_404(vault: Subject):
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        await vault.secrets.get_secret(new_name())
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        await vault.secrets.get_deleted_secret(new_name())
    with pytest.raises(ResourceNotFoundError, match="KeyNotFound"):
        await vault.keys.get_key(new_name())


async def test_secrets_are_listed_without_their_values_page_by_page(vault: Subject):
    names = {new_name() for _ in range(3)}
    for name in names:
        await vault.secrets.set_secret(name, "x", tags={"of": "the list"})
    listed: list[str] = []
    pages = vault.secrets.list_properties_of_secrets(max_page_size=2).by_page()
    async for page in pages:
        listed += [p.name or "" async for p in page]
    assert names <= set(listed)
    assert len(listed) == len(set(listed))
    for name in names:
        await vault.erase(name)


async def test_a_deleted_secret_is_recoverable_until_it_is_purged(vault: Subject):
    name = new_name()
    await vault.secrets.set_secret(name, "kept")
    await vault.delete(name)
    with pytest.raises(ResourceNotFoundError):
        await vault.secrets.get_secret(name)
    deleted = await vault.secrets.get_deleted_secret(name)
    assert deleted.recovery_id is not None
    assert deleted.deleted_date is not None
    assert deleted.scheduled_purge_date is not None
    assert deleted.scheduled_purge_date - deleted.deleted_date >= timedelta(days=7)
    with vault.allowed("secrets/list"):
        assert name in {d.name async for d in vault.secrets.list_deleted_secrets()}
    with vault.allowed("secrets/recover"):
        await vault.secrets.recover_deleted_secret(name, _polling_interval=vault.poll)
    assert (await vault.secrets.get_secret(name)).value == "kept"
    await vault.erase(name)


async def test_a_purged_secret_is_gone_with_its_deleted_twin(vault: Subject):
    name = new_name()
    await vault.secrets.set_secret(name, "gone")
    await vault.erase(name)
    await vault.gone(vault.secrets.get_deleted_secret, name)
    await vault.gone(vault.secrets.get_secret, name)
    assert name not in {d.name async for d in vault.secrets.list_deleted_secrets()}


async def test_the_name_of_a_deleted_secret_cannot_be_used_again(vault: Subject):
    name = new_name()
    await vault.secrets.set_secret(name, "first")
    await vault.delete(name)
    with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
        await vault.secrets.set_secret(name, "second")
    with vault.allowed("secrets/purge"):
        await vault.secrets.purge_deleted_secret(name)


PADDINGS = {
    SignatureAlgorithm.rs256: padding.PKCS1v15(),
    SignatureAlgorithm.ps256: padding.PSS(padding.MGF1(hashes.SHA256()), 32),
}


@pytest.mark.parametrize("algorithm", list(PADDINGS), ids=str)
async def test_a_signature_verifies_with_the_public_key_alone(
    vault: Subject, algorithm: SignatureAlgorithm
):
    key = await vault.make_key(KeyOperation.sign)
    digest = hashlib.sha256(b"header.payload").digest()
    async with vault.crypto(key) as crypto:
        signed = await crypto.sign(algorithm, digest)
    public(key).verify(signed.signature, digest, PADDINGS[algorithm], Prehashed(hashes.SHA256()))


async def test_a_digest_of_the_wrong_length_is_refused(vault: Subject):
    key = await vault.make_key(KeyOperation.sign)
    async with vault.crypto(key) as crypto:
        with pytest.raises(HttpResponseError) as refused:
            await crypto.sign(SignatureAlgorithm.rs256, b"not a digest")
    assert refused.value.status_code == 400


async def test_what_is_wrapped_by_an_old_version_unwraps_after_a_rotation(vault: Subject):
    old = await vault.make_key(KeyOperation.wrap_key, KeyOperation.unwrap_key)
    data_key = os.urandom(32)
    async with vault.crypto(old) as crypto:
        wrapped = await crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, data_key)
    with vault.allowed("keys/rotate"):
        new = await vault.keys.rotate_key(old.name)
    assert new.properties.version != old.properties.version
    assert public(new).public_numbers() != public(old).public_numbers()
    async with vault.crypto(old) as crypto:
        opened = await crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped.encrypted_key)
    assert opened.key == data_key
    async with vault.crypto(new) as crypto:
        with pytest.raises(HttpResponseError):
            await crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped.encrypted_key)


async def test_a_key_shows_its_public_half_and_its_versions(vault: Subject):
    key = await vault.make_key(KeyOperation.sign)
    read = await vault.keys.get_key(key.name)
    assert read.id == key.id
    assert re.fullmatch(r"[0-9a-f]{32}", read.properties.version or "")
    private = ("d", "p", "q", "dp", "dq", "qi")
    assert not any(getattr(read.key, part, None) for part in private)
    versions = {p.version async for p in vault.keys.list_properties_of_key_versions(key.name)}
    assert versions == {key.properties.version}


async def test_a_key_does_only_what_it_was_made_for(vault: Subject):
    key = await vault.make_key(KeyOperation.sign)
    async with vault.crypto(key) as crypto:
        with pytest.raises(HttpResponseError) as refused:
            await crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, bytes(256))
    assert refused.value.status_code == 403


def public(key: KeyVaultKey) -> rsa.RSAPublicKey:
    n, e = (int.from_bytes(getattr(key.key, part)) for part in ("n", "e"))
    return rsa.RSAPublicNumbers(e, n).public_key()
