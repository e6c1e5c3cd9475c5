"""What the intake adapter claims to have seen, told by a vault that does not do as it is asked."""

from datetime import UTC, datetime
from types import SimpleNamespace

from azure.core.exceptions import ResourceNotFoundError

from postern.adapters.clock import SystemClock
from postern.adapters.key_vault import IntakeKeyVault


class Scripted:
    """A secret client of a vault in which the named things can still be read."""

    def __init__(self, *readable: str) -> None:
        self.readable = readable

    async def delete_secret(self, name: str, **_: object) -> None:
        return None

    async def purge_deleted_secret(self, name: str) -> None:
        return None

    async def get_secret(self, name: str) -> object:
        return self._get("live")

    async def get_deleted_secret(self, name: str) -> object:
        return self._get("deleted")

    def _get(self, what: str) -> object:
        if what not in self.readable:
            raise ResourceNotFoundError
        return SimpleNamespace(scheduled_purge_date=datetime(2027, 1, 1, tzinfo=UTC))


class Impatient(SystemClock):
    """Waits for nothing."""

    async def sleep(self, seconds: float) -> None:
        return None


async def removed(*readable: str):
    credential = SimpleNamespace(get_token=None)
    vault = IntakeKeyVault(
        "https://intake.vault.azure.net",
        credential,
        Impatient(),
        verify_challenge=True,
    )
    await vault.close()
    vault._secrets = Scripted(*readable)  # type: ignore[assignment]
    return await vault.remove("intake-1")


async def test_gone_is_what_was_read_back_twice():
    seen = await removed()
    assert seen.deleted_at
    assert seen.purged_at
    assert seen.gone_at


async def test_a_live_secret_is_not_gone_whatever_was_purged():
    seen = await removed("live")
    assert seen.deleted_at is None
    assert seen.gone_at is None


async def test_a_deleted_twin_that_can_be_read_is_not_purged():
    seen = await removed("deleted")
    assert seen.deleted_at
    assert seen.purged_at is None
    assert seen.gone_at is None
