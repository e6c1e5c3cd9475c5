"""What a finished sign-in must show before anything of it is believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postern.errors import PageError, ProviderRefused
from postern.model.config import Audience, Config
from postern.model.link import Link
from postern.model.scopes import Protocol
from postern.model.secret import Secret
from postern.pages.reasons import REASONS
from postern.ports import UnverifiedClaims
from postern.services.sign_in import (
    PERSONAL_ACCOUNTS,
    masked,
    page_reason,
    require_expected,
    require_identity,
)
from tests.fakes import CLIENT_ID, ELSEWHERE, HOME, FakeWorld

pytestmark = pytest.mark.attack

NONCE = Secret("a nonce of ours")


def claims(world: FakeWorld, **changes: Any) -> UnverifiedClaims:
    tenant = changes.get("tenant", HOME)
    sound = UnverifiedClaims(
        issuer=world.provider.issuer(tenant),
        audience=CLIENT_ID,
        tenant=tenant,
        user="00000000-0000-0000-0000-000000000007",
        username="ann@contoso.example",
        nonce=NONCE.reveal(),
        expires=world.clock.now() + timedelta(hours=1),
    )
    return replace(sound, **changes)


@pytest.fixture
async def config(world: FakeWorld) -> Config:
    return await world.active()


def check(world: FakeWorld, config: Config, seen: UnverifiedClaims) -> None:
    require_identity(seen, config=config, nonce=NONCE, provider=world.provider, clock=world.clock)


async def test_a_sound_token_is_believed(world: FakeWorld, config: Config):
    check(world, config, claims(world))
    check(world, config, claims(world, tenant=ELSEWHERE))


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": f"https://login.microsoftonline.com/{ELSEWHERE}/v2.0"},
        {"issuer": f"https://evil.example/{HOME}/v2.0"},
        {"issuer": ""},
        {"audience": "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"},
        {"audience": ""},
        {"nonce": "another nonce"},
        {"nonce": ""},
        {"expires": datetime(2025, 6, 2, 12, tzinfo=UTC)},
        {"tenant": "", "issuer": "https://login.microsoftonline.com//v2.0"},
        {"user": ""},
        {"username": ""},
    ],
    ids=lambda changes: " ".join(f"{k}={v}" for k, v in changes.items()),
)
async def test_a_token_that_is_not_for_this_sign_in_is_not(
    world: FakeWorld, config: Config, changes: dict[str, Any]
):
    with pytest.raises(PageError, match="sign-in-failed"):
        check(world, config, claims(world, **changes))


async def test_a_personal_account_is_turned_away(world: FakeWorld, config: Config):
    with pytest.raises(PageError, match="account-not-allowed"):
        check(world, config, claims(world, tenant=PERSONAL_ACCOUNTS))


async def test_a_personal_account_is_turned_away_even_if_its_tenant_is_listed(
    world: FakeWorld, config: Config
):
    listed = replace(config, allowed_tenants=(PERSONAL_ACCOUNTS,))
    with pytest.raises(PageError, match="account-not-allowed"):
        check(world, listed, claims(world, tenant=PERSONAL_ACCOUNTS))


async def test_only_listed_tenants_connect_where_some_are_listed(world: FakeWorld, config: Config):
    listed = replace(config, allowed_tenants=(ELSEWHERE,))
    check(world, listed, claims(world, tenant=ELSEWHERE))
    with pytest.raises(PageError, match="account-not-allowed"):
        check(world, listed, claims(world))


async def test_a_single_tenant_app_takes_its_own_tenant_only(world: FakeWorld, config: Config):
    single = replace(config, audience=Audience.TENANT)
    check(world, single, claims(world))
    with pytest.raises(PageError, match="account-not-allowed"):
        check(world, single, claims(world, tenant=ELSEWHERE))


def link(**changes: Any) -> Link:
    moment = datetime(2025, 6, 2, 12, tzinfo=UTC)
    plain = Link(
        config="abcdefgh",
        hash="h",
        client="acme",
        protocols=(Protocol.SMTP,),
        created=moment,
        created_by="admin",
        expires=moment,
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"expected_address": "ANN@contoso.example"},
        {"expected_tenant": HOME.upper()},
        {"expected_address": "ann@contoso.example", "expected_tenant": HOME},
    ],
)
async def test_the_expected_owner_passes_whatever_the_case(
    world: FakeWorld, changes: dict[str, Any]
):
    require_expected(claims(world), link(**changes))


async def test_another_address_is_told_with_both_masked(world: FakeWorld):
    with pytest.raises(PageError, match="wrong-account") as refused:
        require_expected(claims(world), link(expected_address="bob@fabrikam.example"))
    assert refused.value.detail == {"expected": "b…@f….example", "actual": "a…@c….example"}
    assert "bob" not in str(refused.value.detail)


async def test_another_tenant_is_turned_away_even_with_the_expected_address(world: FakeWorld):
    """A foreign admin may own a domain of the same look; the tenant is what was asked for."""
    with pytest.raises(PageError, match="account-not-allowed"):
        require_expected(
            claims(world, tenant=ELSEWHERE),
            link(expected_tenant=HOME, expected_address="ann@contoso.example"),
        )


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ann@contoso.example", "a…@c….example"),
        ("a@b.co.uk", "a…@b….co.uk"),
        ("ann@localhost", "a…@l…."),
        ("ann", "a…"),
        ("", "…"),
    ],
)
def test_an_address_is_masked(address: str, shown: str):
    assert masked(address) == shown


@pytest.mark.parametrize(
    ("error", "number", "status", "reason"),
    [
        ("access_denied", 65004, 400, "declined"),
        ("access_denied", None, 400, "declined"),
        ("access_denied", 90094, 400, "admin-approval-needed"),
        ("invalid_grant", 65001, 400, "admin-approval-needed"),
        ("consent_required", None, 400, "admin-approval-needed"),
        ("invalid_request", 50020, 400, "wrong-account"),
        ("access_denied", 50105, 400, "not-assigned"),
        ("invalid_grant", 50057, 400, "account-disabled"),
        ("access_denied", 53003, 400, "blocked-by-policy"),
        ("invalid_resource", 500011, 400, "no-mailbox"),
        ("invalid_grant", 70008, 400, "state-expired"),
        ("invalid_client", 7000215, 401, "app-fault"),
        ("unauthorized_client", 700016, 400, "app-fault"),
        ("invalid_scope", 70011, 400, "app-fault"),
        ("temporarily_unavailable", None, 400, "temporarily-unavailable"),
        ("server_error", None, 400, "temporarily-unavailable"),
        ("anything", None, 503, "temporarily-unavailable"),
        ("invalid_grant", 65001, 429, "throttled"),
        ("never-heard-of", 123456, 400, "sign-in-failed"),
    ],
)
def test_each_answer_of_entra_has_a_page_that_explains_it(
    error: str, number: int | None, status: int, reason: str
):
    refusal = ProviderRefused(error=error, status=status, number=number)
    assert page_reason(refusal) == reason
    assert reason in REASONS
