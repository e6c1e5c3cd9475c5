"""`Directory` over the stand-in: what the adapter reads is what a registration holds."""

import base64
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import aiohttp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from local.certificates import Certificates, throw_away
from local.owner import Owner
from postern.adapters.graph import GraphDirectory
from postern.crypto.certificates import self_signed
from postern.errors import ProviderRefused
from postern.model.permissions import PERMISSIONS
from postern.model.secret import Secret
from postern.ports import FederatedCredential
from tests.local.entra_world import App, World, running

pytestmark = pytest.mark.contract

OWNED = {"application_permissions": ["Application.ReadWrite.OwnedBy"], "owns_itself": True}
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return throw_away(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def world(files: Certificates) -> Iterator[World]:
    with running(files) as base, pytest.MonkeyPatch.context() as patch:
        for name, value in files.environment.items():
            patch.setenv(name, value)
        yield World(base, files.ca)


@pytest.fixture
async def directory(files: Certificates, world: World) -> AsyncIterator[GraphDirectory]:
    trust = ssl.create_default_context(cafile=files.ca)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
        yield GraphDirectory(session, f"{world.base}/graph")


def token(world: World, tenant: str, app: App) -> Secret:
    return Secret(world.app_token(tenant, app)["Authorization"].removeprefix("Bearer "))


async def certificate(name: str) -> tuple[bytes, datetime, datetime]:
    key = rsa.generate_private_key(65_537, 2048)
    start = datetime.now(UTC).replace(microsecond=0) - MINUTE
    end = start + timedelta(days=365)

    async def sign(digest: bytes) -> bytes:
        return key.sign(digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))

    der = await self_signed(
        public_key=key.public_key(),
        name=name,
        serial=7,
        not_before=start,
        not_after=end,
        sign=sign,
    )
    return der, start, end


async def test_a_registration_is_read_as_it_is(world: World, directory: GraphDirectory):
    tenant = world.tenant()
    app = world.app(tenant, delegated=["SMTP.Send", "offline_access"], **OWNED)
    der, _, end = await certificate("uploaded")
    world.control("POST", f"apps/{app.client_id}/certificates", key=base64.b64encode(der).decode())
    trust = {"name": "theirs", "issuer": "https://issuer.example", "subject": "s"}
    world.control("POST", f"apps/{app.client_id}/federations", **trust, audiences=["x"])
    found = await directory.registration(token(world, tenant, app), app.client_id)
    assert found.audience == "AzureADMyOrg"
    assert (found.web, found.other_platforms) == ((app.redirect_uri,), ())
    assert found.permissions == {PERMISSIONS["SMTP.Send"], PERMISSIONS["offline_access"]}
    (password,) = found.passwords
    assert password.name == app.secret_id
    assert password.ends is not None
    assert [(each.der, each.ends) for each in found.certificates] == [(der, end)]
    assert found.federated == (FederatedCredential(**trust),)
    assert found.consented is None


@pytest.mark.rights
async def test_an_app_without_the_right_is_refused(world: World, directory: GraphDirectory):
    tenant = world.tenant()
    app = world.app(tenant)
    with pytest.raises(ProviderRefused) as refused:
        await directory.registration(token(world, tenant, app), app.client_id)
    assert refused.value.status == 403


@pytest.mark.rights
async def test_consents_are_read_with_their_own_right(world: World, directory: GraphDirectory):
    tenant = world.tenant()
    admin, _ = world.user(tenant, admin=True)
    roles = ["Application.ReadWrite.OwnedBy", "Directory.Read.All"]
    app = world.app(tenant, application_permissions=roles, owns_itself=True)
    graph = token(world, tenant, app)
    assert (await directory.registration(graph, app.client_id)).consented == frozenset()
    asked = {"client_id": app.client_id, "redirect_uri": app.redirect_uri, "state": "s"}
    query = urlencode({**asked, "scope": "https://graph.microsoft.com/Mail.Send"})
    async with Owner(world.ca) as owner:
        await owner.connect(f"{world.base}/{tenant}/v2.0/adminconsent?{query}", admin)
    found = await directory.registration(graph, app.client_id)
    assert found.consented == frozenset({"Mail.Send"})


async def test_a_certificate_is_added_once_and_nothing_else_is_touched(
    world: World, directory: GraphDirectory
):
    tenant = world.tenant()
    app = world.app(tenant, **OWNED)
    graph = token(world, tenant, app)
    first, second = await certificate("first"), await certificate("second")
    for der, start, end in (first, second, first, second):
        await directory.add_certificate(
            graph, app.client_id, name="postern", der=der, start=start, end=end
        )
    found = await directory.registration(graph, app.client_id)
    assert [each.der for each in found.certificates] == [first[0], second[0]]
    assert [each.name for each in found.passwords] == [app.secret_id]
