"""What the app relies on in its two vaults, proven on the fakes, the stand-in and a real vault.

A real vault (POSTERN_TEST_VAULT_URL) must allow purge; its keys are made by the test when the
signed-in caller may. What that vault forbids is skipped by name.
"""

import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.keys import KeyOperation
from azure.keyvault.keys.aio import KeyClient
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from postern.adapters.clock import SystemClock
from postern.adapters.key_vault import IntakeKeyVault, KeysKeyVault
from postern.errors import Unavailable
from postern.model.secret import Secret
from postern.ports import Held, IntakeVault, KeysVault
from tests.contract.conftest import CALLER, SignedIn, trust
from tests.fakes import FakeClock, FakeIntakeVault, FakeKeysVault
from tests.local.issuer import TENANT, issuer, stand_in

pytestmark = pytest.mark.contract

REAL = os.environ.get("POSTERN_TEST_VAULT_URL", "")
SUBJECTS = ["fake", "stand-in", *(["real"] if REAL else [])]
SCOPE = "https://vault.azure.net/.default"
EVERYTHING = f"{CALLER}=secrets/*,keys/*"


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[str, SignedIn]]:
    """Run the stand-in; yield its URL and a caller that it lets do everything."""
    with issuer(folder) as made:
        trust(made.ca)
        facts = ["--vault", "contract", "--tenant", TENANT, "--deletion-delay", "0.1"]
        with stand_in("local.keyvault", made, *facts, "--allow", EVERYTHING, *options) as ready:
            yield ready.split()[0], SignedIn(made.token(oid=CALLER), SCOPE)


# --- the intake vault ---------------------------------------------------------------------------


@pytest.fixture(scope="module", params=SUBJECTS)
async def intake(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[IntakeVault]:
    if request.param == "fake":
        yield FakeIntakeVault(FakeClock(datetime.now(UTC)))
    elif request.param == "stand-in":
        with running(tmp_path_factory.mktemp("intake")) as (url, credential):
            vault = IntakeKeyVault(url, credential, SystemClock(), verify_challenge=False)
            yield vault
            await vault.close()
    else:
        async with DefaultAzureCredential() as signed_in:
            vault = IntakeKeyVault(REAL, signed_in, SystemClock(), verify_challenge=True)
            yield vault
            await vault.close()


@pytest.fixture(scope="module", params=["fake", "stand-in"])
async def protected(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[IntakeVault]:
    """Yield a vault whose purge protection a careless deployment left on."""
    if request.param == "fake":
        yield FakeIntakeVault(FakeClock(datetime.now(UTC)), purge_protection=True)
    else:
        folder = tmp_path_factory.mktemp("protected")
        with running(folder, "--purge-protection") as (url, credential):
            vault = IntakeKeyVault(url, credential, SystemClock(), verify_challenge=False)
            yield vault
            await vault.close()


def deadline() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)


async def keep(vault: IntakeVault, expires: datetime | None = None) -> str:
    name = f"intake-{uuid.uuid4()}"
    tags = {"config": "abcdefgh", "activation": str(uuid.uuid4())}
    await vault.put(name, Secret("a client secret"), expires=expires or deadline(), tags=tags)
    return name


async def held(vault: IntakeVault, name: str) -> list[Held]:
    return [each async for each in vault.held() if each.name == name]


async def test_a_secret_is_listed_with_its_deadline_and_without_its_value(intake: IntakeVault):
    expires = deadline()
    name = await keep(intake, expires)
    (listed,) = await held(intake, name)
    assert (listed.expires, listed.deleted) == (expires, False)
    assert "a client secret" not in repr(listed)
    await intake.remove(name)


async def test_a_removed_secret_is_gone_with_its_deleted_twin(intake: IntakeVault):
    name = await keep(intake)
    before = datetime.now(UTC) - timedelta(seconds=1)
    seen = await intake.remove(name)
    assert seen.deleted_at is not None
    assert seen.purged_at is not None
    assert seen.gone_at is not None
    assert before < seen.deleted_at <= seen.purged_at <= seen.gone_at
    assert seen.recoverable_until is None
    assert await held(intake, name) == []


async def test_a_removal_is_safe_to_repeat(intake: IntakeVault):
    name = await keep(intake)
    await intake.remove(name)
    again = await intake.remove(name)
    assert again.gone_at is not None
    assert again.recoverable_until is None


async def test_a_secret_that_never_arrived_counts_as_gone(intake: IntakeVault):
    seen = await intake.remove(f"intake-{uuid.uuid4()}")
    assert seen.gone_at is not None


async def test_a_past_deadline_removes_nothing_by_itself(intake: IntakeVault):
    name = await keep(intake, datetime.now(UTC) - timedelta(hours=1))
    assert len(await held(intake, name)) == 1
    await intake.remove(name)


async def test_the_vault_answers(intake: IntakeVault):
    await intake.reachable()


async def test_purge_protection_leaves_the_secret_recoverable_and_says_until_when(
    protected: IntakeVault,
):
    name = await keep(protected)
    seen = await protected.remove(name)
    assert seen.deleted_at is not None
    assert (seen.purged_at, seen.gone_at) == (None, None)
    assert seen.recoverable_until is not None
    left = seen.recoverable_until - seen.deleted_at
    assert timedelta(days=6, hours=23) < left < timedelta(days=90)
    (listed,) = await held(protected, name)
    assert listed.deleted


async def test_a_protected_removal_tells_the_same_when_repeated(protected: IntakeVault):
    name = await keep(protected)
    first, second = await protected.remove(name), await protected.remove(name)
    assert first.recoverable_until == second.recoverable_until is not None


async def test_the_name_of_a_recoverable_secret_is_taken(protected: IntakeVault):
    name = await keep(protected)
    await protected.remove(name)
    with pytest.raises(Unavailable) as refused:
        await protected.put(name, Secret("another"), expires=deadline(), tags={})
    assert refused.value.code == "vault-failed"


# --- the keys vault -----------------------------------------------------------------------------

PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), 32),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The vault under test, the names of a signing and a wrapping key, and how to rotate one."""

    vault: KeysVault
    signing: str
    wrapping: str
    rotate: Callable[[str], Awaitable[object]]


@pytest.fixture(scope="module", params=SUBJECTS)
async def keys(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Keys]:
    async with AsyncExitStack() as stack:
        if request.param == "fake":
            fake = FakeKeysVault()

            async def rotate(name: str) -> None:
                fake.rotate(name)

            yield Keys(vault=fake, signing="receipts", wrapping="data-wrapping", rotate=rotate)
            return
        credential: Any
        if request.param == "real":
            url, verify = REAL, True
            credential = await stack.enter_async_context(DefaultAzureCredential())
        else:
            folder = tmp_path_factory.mktemp("keys")
            url, credential = stack.enter_context(running(folder))
            verify = False
        maker = await stack.enter_async_context(
            KeyClient(url, credential, verify_challenge_resource=verify)
        )
        yield await _made(stack, maker, url, credential, verify=verify)


async def _made(
    stack: AsyncExitStack, maker: KeyClient, url: str, credential: Any, *, verify: bool
) -> Keys:
    ours = uuid.uuid4().hex
    signing = f"signing-{ours}"
    # What `reachable` asks for; a real deployment has it, the stand-in gets it here.
    wrapping = f"wrapping-{ours}" if verify else "data-wrapping"
    try:
        await maker.create_rsa_key(signing, size=2048, key_operations=[KeyOperation.sign])
        both: list[str | KeyOperation] = [KeyOperation.wrap_key, KeyOperation.unwrap_key]
        await maker.create_rsa_key(wrapping, size=2048, key_operations=both)
    except HttpResponseError as error:
        if verify and error.status_code == 403:
            pytest.skip("the vault named by POSTERN_TEST_VAULT_URL forbids keys/create")
        raise
    vault = KeysKeyVault(url, credential, verify_challenge=verify)
    stack.push_async_callback(vault.close)
    return Keys(vault=vault, signing=signing, wrapping=wrapping, rotate=maker.rotate_key)


def digest() -> bytes:
    return hashlib.sha256(uuid.uuid4().bytes).digest()


@pytest.mark.parametrize("algorithm", PADDINGS)
async def test_a_signature_verifies_with_the_public_key_of_its_version(keys: Keys, algorithm: str):
    signed = await keys.vault.sign(keys.signing, told := digest(), algorithm=algorithm)
    public = {each.version: each.key for each in await keys.vault.public_keys(keys.signing)}
    verifier = public[signed.key_version]
    verifier.verify(signed.signature, told, PADDINGS[algorithm], Prehashed(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        verifier.verify(signed.signature, digest(), PADDINGS[algorithm], Prehashed(hashes.SHA256()))


async def test_what_is_no_digest_is_not_signed(keys: Keys):
    with pytest.raises(Unavailable):
        await keys.vault.sign(keys.signing, b"not a digest", algorithm="RS256")


async def test_an_unknown_key_or_version_is_refused(keys: Keys):
    with pytest.raises(Unavailable):
        await keys.vault.sign("no-such-key", digest(), algorithm="RS256")
    with pytest.raises(Unavailable):
        await keys.vault.sign(keys.signing, digest(), algorithm="RS256", version="0" * 32)
    with pytest.raises(Unavailable):
        await keys.vault.unwrap(keys.wrapping, "0" * 32, bytes(256))


async def test_a_key_does_only_what_it_was_made_for(keys: Keys):
    with pytest.raises(Unavailable) as refused:
        await keys.vault.sign(keys.wrapping, digest(), algorithm="RS256")
    assert refused.value.code == "access-refused"


async def test_what_was_wrapped_unwraps(keys: Keys):
    plain = os.urandom(32)
    wrapped, version = await keys.vault.wrap(keys.wrapping, plain)
    assert plain not in wrapped
    assert await keys.vault.unwrap(keys.wrapping, version, wrapped) == plain


async def test_what_was_not_wrapped_here_is_refused(keys: Keys):
    _, version = await keys.vault.wrap(keys.wrapping, os.urandom(32))
    with pytest.raises(Unavailable):
        await keys.vault.unwrap(keys.wrapping, version, os.urandom(256))


async def test_after_a_rotation_the_newest_works_and_the_old_still_opens(keys: Keys):
    plain = os.urandom(32)
    wrapped, old = await keys.vault.wrap(keys.wrapping, plain)
    await keys.rotate(keys.wrapping)
    _, new = await keys.vault.wrap(keys.wrapping, plain)
    assert new != old
    assert await keys.vault.unwrap(keys.wrapping, old, wrapped) == plain
    with pytest.raises(Unavailable):
        await keys.vault.unwrap(keys.wrapping, new, wrapped)


async def test_an_old_version_of_a_signing_key_signs_when_it_is_named(keys: Keys):
    (old, *_) = [each.version for each in await keys.vault.public_keys(keys.signing)]
    await keys.rotate(keys.signing)
    named = await keys.vault.sign(keys.signing, digest(), algorithm="PS256", version=old)
    newest = await keys.vault.sign(keys.signing, digest(), algorithm="PS256")
    assert named.key_version == old
    assert newest.key_version != old


async def test_public_keys_are_listed_the_newest_first(keys: Keys):
    before = [each.version for each in await keys.vault.public_keys(keys.signing)]
    await keys.rotate(keys.signing)
    after = [each.version for each in await keys.vault.public_keys(keys.signing)]
    newest = (await keys.vault.sign(keys.signing, digest(), algorithm="RS256")).key_version
    assert set(after) == {newest, *before}
    assert after[0] == newest


async def test_the_keys_vault_answers(keys: Keys):
    await keys.vault.reachable()
