"""The Entra stand-in, spoken to by unmodified msal and azure-identity, and strict as Entra is."""

import base64
import dataclasses
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import jwt
import pytest
import requests
from azure.identity.aio import ManagedIdentityCredential
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from local.certificates import Certificates, throw_away
from local.owner import PASSWORD, Owner
from local.owner_page import Button, Form, Page
from tests.local.entra_world import (
    GRAPH,
    HEADER,
    IMAP,
    MAIL_SEND,
    OUTLOOK,
    SMTP,
    USER_READ,
    World,
    a_certificate,
    carried,
    der_of,
    key_credential,
    refused,
    running,
)

DAY = 86_400
VERIFIER = "v" * 43
DIGEST = hashlib.sha256(VERIFIER.encode()).digest()
CHALLENGE = base64.urlsafe_b64encode(DIGEST).rstrip(b"=").decode()
EXCHANGE = "api://AzureADTokenExchange"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return throw_away(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def world(files: Certificates) -> Iterator[World]:
    with running(files) as base, pytest.MonkeyPatch.context() as patch:
        for name, value in files.environment.items():
            patch.setenv(name, value)
        patch.setenv("IDENTITY_ENDPOINT", f"{base}/msi/token")
        patch.setenv("IDENTITY_HEADER", HEADER)
        yield World(base, files.ca)


@pytest.fixture
def settings(world: World) -> Iterator[Any]:
    """Change settings for one test."""
    yield lambda **changes: world.control("POST", "settings", **changes)
    world.control("POST", "settings", access_token_lifetime=None, federation_delay=0,
                  certificate_delay=0)  # fmt: skip


@pytest.fixture
def faults(world: World) -> Iterator[Any]:
    yield lambda **fault: world.control("POST", "faults", **fault)
    world.control("DELETE", "faults")


# -- discovery


def test_discovery_names_the_tenant_by_its_id(world: World) -> None:
    tenant = world.control("POST", "tenants", name="Fourth Coffee", domain="fourth.example")["id"]
    for name in (tenant, "fourth.example"):
        found = world.http.get(f"{world.base}/{name}/v2.0/.well-known/openid-configuration").json()
        assert found["issuer"] == f"{world.base}/{tenant}/v2.0"
        assert found["token_endpoint"] == f"{world.base}/{tenant}/oauth2/v2.0/token"


@pytest.mark.parametrize("shared", ["organizations", "common"])
def test_a_shared_authority_leaves_a_placeholder_in_its_issuer(world: World, shared: str) -> None:
    url = f"{world.base}/{shared}/v2.0/.well-known/openid-configuration"
    assert world.http.get(url).json()["issuer"] == f"{world.base}/{{tenantid}}/v2.0"


def test_an_unknown_and_a_malformed_tenant_are_told_apart(world: World) -> None:
    end = "v2.0/.well-known/openid-configuration"
    unknown = f"{world.base}/{uuid4()}/{end}"
    refused(world.http.get(unknown), 90002, "invalid_tenant")
    refused(world.http.get(f"{world.base}/not_a_tenant/{end}"), 900023, "invalid_request")


# -- the main road, with msal


@pytest.mark.filterwarnings("ignore:response_mode=:UserWarning")  # form_post needs SameSite=None
@pytest.mark.parametrize("authority", ["tenant", "organizations"])
async def test_msal_signs_in_redeems_and_refreshes_for_another_resource(
    world: World, authority: str
) -> None:
    tenant = world.tenant()
    upn, oid = world.user(tenant)
    home = tenant if authority == "tenant" else world.tenant()
    audience = "AzureADMyOrg" if authority == "tenant" else "AzureADMultipleOrgs"
    app = world.app(home, audience=audience)
    client = world.msal(app, tenant if authority == "tenant" else "organizations")
    flow = client.initiate_auth_code_flow(
        [USER_READ, MAIL_SEND, SMTP, IMAP],
        redirect_uri=app.redirect_uri,
        prompt="select_account",
        login_hint=upn,
        response_mode="query",
    )
    async with Owner(world.ca) as owner:
        back = carried((await owner.connect(flow["auth_uri"], upn)).url)
    assert back["session_state"]
    got = client.acquire_token_by_auth_code_flow(flow, back, scopes=[USER_READ])
    assert "error" not in got, got
    assert got["id_token_claims"]["iss"] == f"{world.base}/{tenant}/v2.0"
    assert got["id_token_claims"]["preferred_username"] == upn
    assert got["client_info"]
    claims = world.claims(got["access_token"], tenant, GRAPH.rstrip("/"))
    assert (claims["oid"], claims["tid"], claims["appid"]) == (oid, tenant, app.client_id)
    assert {"User.Read", "Mail.Send"} <= set(got["scope"].split())

    mail = client.acquire_token_by_refresh_token(got["refresh_token"], scopes=[SMTP])
    assert "error" not in mail, mail
    assert mail["refresh_token"] != got["refresh_token"]
    assert set(mail["scope"].split()) == {SMTP, IMAP}
    claims = world.claims(mail["access_token"], tenant, OUTLOOK.rstrip("/"))
    assert set(claims["scp"].split()) == {"SMTP.Send", "IMAP.AccessAsUser.All"}
    assert claims["upn"] == upn
    # The old refresh token is not revoked by being used.
    assert "error" not in client.acquire_token_by_refresh_token(got["refresh_token"], [SMTP])


async def test_the_id_token_holds_the_nonce_and_only_the_claims_asked_for(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    back = await world.sign_in(app, upn, tenant, nonce="the nonce")
    got = world.redeem(tenant, app, back["code"], f"{SMTP} openid").json()
    claims = world.claims(got["id_token"], tenant, app.client_id)
    assert claims["nonce"] == "the nonce"
    assert claims["sub"]
    assert not {"oid", "preferred_username", "email", "name"} & set(claims)
    assert "client_info" not in got


# -- authorize: what is shown, and what is sent back


async def shown(world: World, url: str) -> str:
    async with Owner(world.ca) as owner:
        page = await owner.open(url)
        assert page.url == url, "this must be shown, never redirected"
        return page.text


async def test_errors_about_the_client_are_never_redirected(world: World) -> None:
    tenant = world.tenant()
    app = world.app(tenant)
    near = f"{app.redirect_uri}/"
    assert "AADSTS50011" in await shown(world, world.authorize_url(app, tenant, redirect_uri=near))
    nobody = world.authorize_url(app, tenant, client_id=str(uuid4()))
    assert "AADSTS700016" in await shown(world, nobody)
    for shared in ("organizations", "common"):
        assert "AADSTS50194" in await shown(world, world.authorize_url(app, shared))
    other = world.tenant()
    assert "AADSTS700016" in await shown(world, world.authorize_url(app, other))
    world.control("PATCH", f"apps/{app.client_id}", disabled=True)
    assert "AADSTS7000112" in await shown(world, world.authorize_url(app, tenant))


@pytest.mark.parametrize(
    ("asked", "error", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type", 70005),
        ({"response_mode": "form_post"}, "unsupported_response_mode", 70007),
        ({"scope": None}, "invalid_request", 900144),
        ({"scope": f"{GRAPH}Nothing.Here"}, "invalid_scope", 650053),
        ({"scope": "https://elsewhere.example/Read"}, "invalid_resource", 500011),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request", 50147),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request", 50147),
        ({"prompt": "none"}, "login_required", 50058),
    ],
)
async def test_other_errors_go_back_to_the_application(
    world: World, asked: dict[str, str | None], error: str, code: int
) -> None:
    tenant = world.tenant()
    app = world.app(tenant)
    async with Owner(world.ca) as owner:
        page = await owner.open(world.authorize_url(app, tenant, **asked))
    back = carried(page.url)
    assert page.url.startswith(app.redirect_uri)
    assert back["error"] == error
    assert back["error_description"].startswith(f"AADSTS{code}: ")
    assert back["state"] == "the state"


async def test_markup_is_stripped_from_state(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    back = await world.sign_in(world.app(tenant), upn, tenant, state="a<b>c</b>d")
    assert back["state"] == "acd"


async def test_a_declined_consent_goes_back_as_access_denied(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    back = await world.sign_in(app, upn, tenant, accept=False)
    assert (back["error"], back["error_subcode"]) == ("access_denied", "cancel")
    assert back["error_description"].startswith("AADSTS65004")
    assert "code" not in back


async def test_the_consent_page_says_in_words_what_is_asked(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    async with Owner(world.ca) as owner:
        page = await owner.open(world.authorize_url(world.app(tenant), tenant, login_hint=upn))
        assert f'value="{upn}"' in page.html
        page = await owner.press(page, login=upn, passwd="correct horse")
    for words in ("Tailspin Mail", "Send mail as you over SMTP", "Maintain access", "Sign you in"):
        assert words in page.text


async def test_who_has_consented_is_not_asked_again_but_for_more(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    narrow = world.authorize_url(app, tenant, scope=f"{SMTP} offline_access")
    async with Owner(world.ca) as owner:
        await owner.connect(narrow, upn)
        # Signed in and consented: not a single page, even without a prompt.
        assert "code" in carried((await owner.open(narrow)).url)
        silent = world.authorize_url(app, tenant, scope=SMTP, prompt="none")
        assert "code" in carried((await owner.open(silent)).url)
        more = world.authorize_url(app, tenant, scope=IMAP, prompt="none")
        assert carried((await owner.open(more)).url)["error"] == "interaction_required"
        page = await owner.open(world.authorize_url(app, tenant, scope=IMAP))
        assert "over IMAP" in page.text
        again = await owner.open(world.authorize_url(app, tenant, scope=SMTP, prompt="consent"))
        assert "over SMTP" in again.text


async def test_the_account_picker_lists_who_is_signed_in_and_takes_another(world: World) -> None:
    tenant = world.tenant()
    (first, _), (second, _) = world.user(tenant), world.user(tenant)
    app = world.app(tenant)
    url = world.authorize_url(app, tenant, prompt="select_account", scope=f"{SMTP} openid profile")
    async with Owner(world.ca) as owner:
        await owner.connect(url, first)
        page = await owner.open(url)
        assert first in page.text
        page = await owner.press(page, "Use another account")
        assert {"login", "passwd"} <= set(page.forms[0].fields)
        back = carried((await owner.connect(url, second)).url)
        assert second in (await owner.open(url)).text
    got = world.redeem(tenant, app, back["code"], f"{SMTP} openid profile").json()
    assert world.claims(got["id_token"], tenant, app.client_id)["preferred_username"] == second


async def test_wrong_accounts_are_refused_on_the_sign_in_page(world: World) -> None:
    tenant, foreign = world.tenant(), world.tenant()
    app = world.app(tenant)
    stranger, _ = world.user(foreign)
    parked, _ = world.user(tenant)
    parked_oid = world.user(tenant)
    world.control("PATCH", f"users/{parked_oid[1]}", disabled=True)

    async def said(login: str, password: str = PASSWORD) -> str:
        async with Owner(world.ca) as owner:
            page = await owner.connect(world.authorize_url(app, tenant), login, password)
            assert "login" in page.forms[0].fields
            return page.text

    assert "AADSTS50020" in await said(stranger)
    assert "AADSTS50034" in await said("nobody@tailspin.example")
    assert "AADSTS50057" in await said(parked_oid[0])
    assert "AADSTS50126" in await said(parked, "wrong")
    world.control("PATCH", f"apps/{app.client_id}", assignment_required=True)
    assert "AADSTS50105" in await said(parked)


def forged_acceptance(world: World, page: Page) -> Page:
    """Put the form that accepts onto a page which does not offer it."""
    flow = carried(page.links[0].href)["flow"]
    forged = Form(f"{world.base}/_signin/consent", "POST", {"flow": flow})
    forged.buttons.append(Button("decision", "accept", "Accept"))
    return dataclasses.replace(page, forms=[forged])


async def test_a_tenant_without_exchange_cannot_give_its_permissions(world: World) -> None:
    tenant = world.tenant(exchange=False)
    upn, _ = world.user(tenant)
    back = await world.sign_in(world.app(tenant), upn, tenant)
    assert back["error_description"].startswith("AADSTS650052")


async def test_a_tenant_that_wants_an_admin_shows_that_approval_is_required(world: World) -> None:
    tenant = world.tenant(consent="admin")
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    async with Owner(world.ca) as owner:
        page = await owner.connect(world.authorize_url(app, tenant), upn)
        assert "Approval required" in page.text
        page = await owner.follow(page, "without granting consent")
        back = carried(page.url)
        assert back["error"] == "access_denied"
        assert back["error_description"].startswith("AADSTS90094")
    async with Owner(world.ca) as owner:
        page = await owner.connect(world.authorize_url(app, tenant), upn)
        # Nobody gets past it by posting the answer of a page that was not shown.
        page = await owner.press(forged_acceptance(world, page))
        assert "Approval required" in page.text


async def test_a_flow_cannot_be_continued_in_another_browser(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    url = world.authorize_url(world.app(tenant), tenant)
    async with Owner(world.ca) as one, Owner(world.ca) as other:
        page = await one.open(url)
        stolen = await other.press(page, login=upn, passwd="correct horse")
        assert stolen.status == 400
        assert "This sign-in is over" in stolen.text


async def test_admin_consent_covers_the_whole_tenant(world: World) -> None:
    tenant = world.tenant(consent="admin")
    upn, _ = world.user(tenant)
    admin, _ = world.user(tenant, admin=True)
    app = world.app(world.tenant(), audience="AzureADMultipleOrgs")
    scope = f"{GRAPH}User.Read {GRAPH}Mail.Send {SMTP} {IMAP} openid profile email offline_access"
    refused(
        world.token(tenant, app, grant_type="client_credentials", scope=f"{GRAPH}.default"),
        7000229,
        "invalid_client",
        401,
    )

    query = urlencode(
        {"client_id": app.client_id, "scope": scope, "state": "s",
         "redirect_uri": app.redirect_uri}
    )  # fmt: skip
    url = f"{world.base}/{tenant}/v2.0/adminconsent?{query}"

    async def consent(who: str, *, accept: bool) -> dict[str, str]:
        async with Owner(world.ca) as owner:
            return carried((await owner.connect(url, who, accept=accept)).url)

    async with Owner(world.ca) as owner:
        page = await owner.connect(url, upn)
        assert "Approval required" in page.text
        back = carried((await owner.press(forged_acceptance(world, page))).url)
        assert (back["admin_consent"], back["error"]) == ("True", "consent_required")
        assert "tenant" not in back
    async with Owner(world.ca) as owner:
        page = await owner.follow(await owner.connect(url, upn), "without granting")
        assert carried(page.url)["error"] == "access_denied"
    declined = await consent(admin, accept=False)
    assert (declined["admin_consent"], declined["error"]) == ("True", "consent_required")
    given = await consent(admin, accept=True)
    assert (given["admin_consent"], given["tenant"], given["state"]) == ("True", tenant, "s")
    # The user meets no consent page any more, and the app now exists in the tenant.
    back = await world.sign_in(app, upn, "organizations")
    assert world.redeem("organizations", app, back["code"]).status_code == 200
    assert world.app_token(tenant, app)


# -- the code


async def code_of(world: World, app: Any, upn: str, authority: str, **more: Any) -> str:
    return (await world.sign_in(app, upn, authority, **more))["code"]


async def test_a_code_is_good_once_at_its_own_authority_and_address(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant, audience="AzureADMultipleOrgs")
    code = await code_of(world, app, upn, "organizations")
    refused(world.redeem(tenant, app, code), 700005, "invalid_grant")
    moved = world.redeem("organizations", app, code, redirect_uri=f"{app.redirect_uri}/")
    refused(moved, 500112, "invalid_client", 401)
    other = world.app(tenant, audience="AzureADMultipleOrgs")
    refused(world.redeem("organizations", other, code), 70000, "invalid_grant")
    both = f"{USER_READ} {SMTP}"
    refused(world.redeem("organizations", app, code, both), 28000, "invalid_request")
    bare = f"SMTP.Send {IMAP}"
    refused(world.redeem("organizations", app, code, bare), 28000, "invalid_request")
    refused(world.redeem("organizations", app, code, None), 28003, "invalid_request")
    unknown = world.redeem("organizations", app, code, f"{OUTLOOK}Nothing")
    refused(unknown, 70011, "invalid_scope")
    unconsented = world.redeem("organizations", app, code, f"{OUTLOOK}Mail.Send")
    refused(unconsented, 65001, "invalid_grant")
    assert world.redeem("organizations", app, code).status_code == 200
    refused(world.redeem("organizations", app, code), 54005, "invalid_grant")


async def test_a_code_expires_after_ten_minutes(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    code = await code_of(world, app, upn, tenant)
    world.control("POST", "clock", advance=601)
    refused(world.redeem(tenant, app, code), 70008, "invalid_grant")


async def test_the_pkce_verifier_must_match_and_must_not_come_unasked(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    bound = await code_of(world, app, upn, tenant, code_challenge=CHALLENGE,
                          code_challenge_method="S256")  # fmt: skip
    for wrong in (None, "w" * 43):
        refused(world.redeem(tenant, app, bound, code_verifier=wrong), 501481, "invalid_grant")
    assert world.redeem(tenant, app, bound, code_verifier=VERIFIER).status_code == 200
    free = await code_of(world, app, upn, tenant)
    refused(world.redeem(tenant, app, free, code_verifier=VERIFIER), 501481, "invalid_grant")


async def test_without_offline_access_there_is_no_refresh_token(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    code = await code_of(world, app, upn, tenant, scope=SMTP)
    assert "refresh_token" not in world.redeem(tenant, app, code).json()


async def test_a_bare_name_means_graph_and_gets_graph_s_audience(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    code = await code_of(world, app, upn, tenant, scope="SMTP.Send")
    got = world.redeem(tenant, app, code, "SMTP.Send").json()
    world.claims(got["access_token"], tenant, GRAPH.rstrip("/"))
    # Consent to the one resource is none to the other, though the names are the same.
    again = await code_of(world, app, upn, tenant, scope="SMTP.Send")
    refused(world.redeem(tenant, app, again, SMTP), 65001, "invalid_grant")


# -- refreshing


async def refresh_token(world: World, tenant: str, app: Any, upn: str) -> str:
    code = await code_of(world, app, upn, tenant)
    return str(world.redeem(tenant, app, code).json()["refresh_token"])


async def test_refresh_tokens_die_as_entra_s_do(world: World) -> None:
    tenant = world.tenant()
    upn, oid = world.user(tenant)
    app, other = world.app(tenant), world.app(tenant)
    token = await refresh_token(world, tenant, app, upn)
    refused(world.refresh(tenant, other, token), 70000, "invalid_grant")
    refused(world.refresh(tenant, app, "1.garbage"), 70000, "invalid_grant")
    refused(world.refresh("organizations", app, token), 50194, "invalid_request")
    refused(world.refresh(tenant, app, token, f"{SMTP} {MAIL_SEND}"), 28000, "invalid_request")
    refused(world.refresh(tenant, app, token, None), 28003, "invalid_request")

    world.control("PATCH", f"users/{oid}", disabled=True)
    refused(world.refresh(tenant, app, token), 50057, "invalid_grant")
    world.control("PATCH", f"users/{oid}", disabled=False, withdraw_consent=app.client_id)
    refused(world.refresh(tenant, app, token), 65001, "invalid_grant")
    token = await refresh_token(world, tenant, app, upn)
    world.control("PATCH", f"users/{oid}", revoke=True)
    refused(world.refresh(tenant, app, token), 50173, "invalid_grant")
    token = await refresh_token(world, tenant, app, upn)
    world.control("DELETE", f"users/{oid}")
    refused(world.refresh(tenant, app, token), 50034, "invalid_grant")


async def test_ninety_idle_days_end_a_refresh_token_and_use_slides(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    old = await refresh_token(world, tenant, app, upn)
    world.control("POST", "clock", advance=89 * DAY)
    new = world.refresh(tenant, app, old).json()["refresh_token"]
    world.control("POST", "clock", advance=2 * DAY)
    refused(world.refresh(tenant, app, old), 700082, "invalid_grant")
    assert world.refresh(tenant, app, new).status_code == 200


# -- client authentication


def test_secrets_wrong_expired_and_absent_are_told_apart(world: World) -> None:
    tenant = world.tenant()
    app = world.app(tenant, application_permissions=["Application.ReadWrite.OwnedBy"])

    def ask(**more: str | None) -> requests.Response:
        return world.token(tenant, app, **{
            "grant_type": "client_credentials", "scope": f"{GRAPH}.default", **more,
        })  # fmt: skip

    claims = world.claims(ask().json()["access_token"], tenant, GRAPH.rstrip("/"))
    assert claims["roles"] == ["Application.ReadWrite.OwnedBy"]
    assert claims["oid"] == app.service_principal_id
    wrong = ask(client_secret=app.secret_id)
    refused(wrong, 7000215, "invalid_client", 401)
    assert "secret value, not the client secret ID" in wrong.json()["error_description"]
    refused(ask(client_secret=None), 7000218, "invalid_client", 401)
    short = world.control("POST", f"apps/{app.client_id}/secrets", ends_in=-1)["value"]
    refused(ask(client_secret=short), 7000222, "invalid_client", 401)
    refused(ask(scope=f"{GRAPH}User.Read"), 1002012, "invalid_scope")
    refused(ask(client_id=str(uuid4())), 700016, "unauthorized_client")
    refused(ask(grant_type="password"), 70003, "unsupported_grant_type")
    twice = world.http.post(
        f"{world.base}/{tenant}/oauth2/v2.0/token",
        data=[("client_id", app.client_id), ("client_id", app.client_id)],
    )
    refused(twice, 9000411, "invalid_request")
    basic = world.http.post(
        f"{world.base}/{tenant}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "scope": f"{GRAPH}.default"},
        auth=(app.client_id, quote(app.secret)),
    )
    assert basic.status_code == 200
    world.control("PATCH", f"apps/{app.client_id}", disabled=True)
    refused(ask(), 7000112, "unauthorized_client")


def test_client_credentials_need_a_tenant(world: World) -> None:
    app = world.app(world.tenant(), audience="AzureADMultipleOrgs")
    asked = {"grant_type": "client_credentials", "scope": f"{GRAPH}.default"}
    refused(world.token("organizations", app, **asked), 50059, "invalid_request")
    refused(world.token("common", app, **asked), 9001023, "invalid_request")
    refused(world.token(str(uuid4()), app, **asked), 90002, "invalid_tenant")


def signed(world: World, tenant: str, app: Any, key: Any, certificate: Any, **more: Any) -> str:
    """Make an assertion as the app does, with some claims changed."""
    now = int(time.time())
    claims = {
        "aud": f"{world.base}/{tenant}/oauth2/v2.0/token",
        "iss": app.client_id, "sub": app.client_id, "jti": str(uuid4()),
        "nbf": now, "iat": now, "exp": now + 600, **more,
    }  # fmt: skip
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=")
    headers = {"x5t#S256": thumbprint.decode()}
    return jwt.encode(claims, key, "PS256", headers=headers)


def exchange(world: World, tenant: str, app: Any, assertion: str) -> requests.Response:
    return world.token(
        tenant, app, client_secret=None, grant_type="client_credentials",
        scope=f"{GRAPH}.default", client_assertion=assertion,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )  # fmt: skip


async def test_a_certificate_carries_a_mailbox_on(world: World, settings: Any) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    token = await refresh_token(world, tenant, app, upn)
    key, certificate = a_certificate()
    credential = {"client_assertion": lambda: signed(world, tenant, app, key, certificate)}
    refused(
        exchange(world, tenant, app, signed(world, tenant, app, key, certificate)),
        700027, "invalid_client", 401,
    )  # fmt: skip
    world.control("POST", f"apps/{app.client_id}/certificates", key=der_of(certificate))
    client = world.msal(app, tenant, credential)
    # The refresh token was issued to the secret and is bound to no credential.
    got = client.acquire_token_by_refresh_token(token, scopes=[SMTP])
    assert "error" not in got, got
    pem = Encoding.PEM
    by_msal = {
        "private_key": key.private_bytes(pem, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "public_certificate": certificate.public_bytes(pem).decode(),
    }
    client = world.msal(app, tenant, by_msal)
    assert "access_token" in client.acquire_token_for_client([f"{GRAPH}.default"])
    settings(certificate_delay=60)
    later_key, later = a_certificate()
    world.control("POST", f"apps/{app.client_id}/certificates", key=der_of(later))
    waiting = exchange(world, tenant, app, signed(world, tenant, app, later_key, later))
    refused(waiting, 700027, "invalid_client", 401)


def test_wrong_certificate_assertions_are_told_apart(world: World) -> None:
    tenant = world.tenant()
    app = world.app(tenant)
    key, certificate = a_certificate()
    other_key, _ = a_certificate()
    world.control("POST", f"apps/{app.client_id}/certificates", key=der_of(certificate))

    def ask(signer: Any = key, **more: Any) -> requests.Response:
        assertion = signed(world, tenant, app, signer, certificate, **more)
        return exchange(world, tenant, app, assertion)

    assert ask().status_code == 200
    refused(ask(other_key), 700027, "invalid_client", 401)
    refused(ask(exp=int(time.time()) - 301), 700024, "invalid_client", 401)
    elsewhere = f"{world.base}/organizations/oauth2/v2.0/token"
    refused(ask(aud=elsewhere), 700023, "invalid_client", 401)
    refused(ask(sub=str(uuid4())), 700021, "invalid_client", 401)
    refused(exchange(world, tenant, app, "no.jwt"), 50027, "invalid_client", 401)
    naked = jwt.encode({"iss": app.client_id}, key, "RS256")
    refused(exchange(world, tenant, app, naked), 5002723, "invalid_client", 401)


# -- the managed identity


async def identity_token(world: World, client_id: str, resource: str) -> str:
    # aiohttp reads SSL_CERT_FILE when it is imported, which was before this test set it.
    async with ManagedIdentityCredential(
        client_id=client_id, connection_verify=str(world.ca)
    ) as credential:
        return str((await credential.get_token(f"{resource}/.default")).token)


async def test_azure_identity_gets_tokens_of_the_identity(world: World) -> None:
    tenant = world.tenant()
    client_id, principal_id = world.identity(tenant)
    storage = await identity_token(world, client_id, "https://storage.azure.com")
    claims = world.claims(storage, tenant, "https://storage.azure.com")
    assert claims["iss"] == f"https://sts.windows.net/{tenant}/"
    assert (claims["oid"], claims["sub"], claims["appid"]) == (
        principal_id,
        principal_id,
        client_id,
    )
    assert {"iat", "nbf", "exp"} <= set(claims)
    # Azurite lives on the machine's clock, however far this one has been advanced.
    assert claims["nbf"] <= time.time() < claims["exp"]


def test_the_identity_endpoint_demands_its_header_and_a_known_identity(world: World) -> None:
    client_id, _ = world.identity(world.tenant())

    def ask(headers: dict[str, str], **more: str | None) -> int:
        query = {"api-version": "2019-08-01", "resource": EXCHANGE, "client_id": client_id, **more}
        found = world.http.get(f"{world.base}/msi/token", params=query, headers=headers)
        return found.status_code

    right = {"X-IDENTITY-HEADER": HEADER}
    assert ask(right) == 200
    assert ask({}) == 400
    assert ask({"X-IDENTITY-HEADER": "wrong"}) == 403
    assert ask(right, client_id=str(uuid4())) == 400
    assert ask(right, client_id=None) == 400
    assert ask(right, resource=None) == 400
    assert ask(right, resource="https://elsewhere.example") == 400
    assert ask(right, **{"api-version": "2017-09-01"}) == 400


async def test_a_federated_identity_carries_a_mailbox_on(world: World) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    token = await refresh_token(world, tenant, app, upn)
    client_id, principal_id = world.identity(tenant)
    world.control("POST", f"apps/{app.client_id}/federations", name="identity",
                  issuer=f"{world.base}/{tenant}/v2.0", subject=principal_id,
                  audiences=[EXCHANGE])  # fmt: skip
    assertion = await identity_token(world, client_id, EXCHANGE)
    client = world.msal(app, tenant, {"client_assertion": lambda: assertion})
    got = client.acquire_token_by_refresh_token(token, scopes=[SMTP])
    assert "error" not in got, got
    assert "access_token" in client.acquire_token_for_client([f"{GRAPH}.default"])
    listed = world.control("GET", "exchanges")["exchanges"]
    mine = [one for one in listed if one["client_id"] == app.client_id]
    assert [one["auth"] for one in mine[-2:]] == ["federated", "federated"]
    assert mine[-2]["grant_type"] == "refresh_token"
    assert (mine[-2]["user"], mine[-2]["resource"]) == (upn, OUTLOOK.rstrip("/"))
    # Nothing of a token is kept in the record.
    assert assertion not in str(listed)
    assert got["access_token"] not in str(listed)


async def test_wrong_federated_assertions_are_told_apart(world: World, settings: Any) -> None:
    tenant = world.tenant()
    client_id, principal_id = world.identity(tenant)
    app = world.app(tenant)
    assertion = await identity_token(world, client_id, EXCHANGE)
    issuer = f"{world.base}/{tenant}/v2.0"
    refused(exchange(world, tenant, app, assertion), 700211, "invalid_client", 401)

    def trusting(issuer: str, subject: str, audience: str = EXCHANGE) -> requests.Response:
        one = world.app(tenant)
        world.control("POST", f"apps/{one.client_id}/federations", name="identity",
                      issuer=issuer, subject=subject, audiences=[audience])  # fmt: skip
        return exchange(world, tenant, one, assertion)

    refused(trusting(f"{issuer}/", principal_id), 700211, "invalid_client", 401)
    refused(trusting(issuer, principal_id.upper()), 700213, "invalid_client", 401)
    refused(trusting(issuer, client_id), 700213, "invalid_client", 401)
    refused(trusting(issuer, principal_id, "api://other"), 7002121, "invalid_client", 401)
    assert trusting(issuer, principal_id).status_code == 200
    settings(federation_delay=60)
    refused(trusting(issuer, principal_id), 70021, "invalid_request")


async def test_an_identity_is_trusted_only_by_registrations_of_its_own_tenant(
    world: World,
) -> None:
    mine, theirs = world.tenant(), world.tenant()
    client_id, principal_id = world.identity(mine)
    app = world.app(theirs)
    world.control("POST", f"apps/{app.client_id}/federations", name="identity",
                  issuer=f"{world.base}/{mine}/v2.0", subject=principal_id,
                  audiences=[EXCHANGE])  # fmt: skip
    assertion = await identity_token(world, client_id, EXCHANGE)
    refused(exchange(world, theirs, app, assertion), 700236, "invalid_client", 401)


# -- Graph


def graph_error(answer: requests.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json()["error"]["innerError"]["request-id"]


def test_graph_lets_an_app_change_only_what_it_may(world: World) -> None:
    tenant = world.tenant()
    mine = world.app(tenant, application_permissions=["Application.ReadWrite.OwnedBy"],
                     owns_itself=True)  # fmt: skip
    other = world.app(tenant, application_permissions=["Application.ReadWrite.OwnedBy"])
    powerful = world.app(tenant, application_permissions=["Application.ReadWrite.All"])
    plain = world.app(tenant)
    path = f"/applications(appId='{mine.client_id}')"
    for reader in (mine, powerful):
        found = world.graph("GET", path, headers=world.app_token(tenant, reader))
        assert found.json()["id"] == mine.object_id
    for stranger in (other, plain):
        headers = world.app_token(tenant, stranger)
        graph_error(world.graph("GET", path, headers=headers), 403, "Authorization_RequestDenied")
        removed = world.graph(
            "POST", f"{path}/removePassword", headers=headers, json={"keyId": mine.secret_id}
        )
        graph_error(removed, 403, "Authorization_RequestDenied")
    headers = world.app_token(tenant, powerful)
    nowhere = world.graph("GET", f"/applications/{uuid4()}", headers=headers)
    graph_error(nowhere, 404, "Request_ResourceNotFound")
    graph_error(world.graph("GET", path), 401, "InvalidAuthenticationToken")
    foreign = {"Authorization": "Bearer " + jwt.encode({"aud": GRAPH}, "x" * 32, "HS256")}
    graph_error(world.graph("GET", path, headers=foreign), 401, "InvalidAuthenticationToken")


def test_graph_adds_a_trust_once_and_accepts_wrong_values_silently(world: World) -> None:
    tenant = world.tenant()
    app = world.app(tenant, application_permissions=["Application.ReadWrite.OwnedBy"],
                    owns_itself=True)  # fmt: skip
    headers = world.app_token(tenant, app)
    path = f"/applications/{app.object_id}/federatedIdentityCredentials"
    trust = {"name": "postern", "issuer": "https://wrong.example", "subject": "S",
             "audiences": [EXCHANGE]}  # fmt: skip
    assert world.graph("POST", path, headers=headers, json=trust).status_code == 201
    again = world.graph("POST", path, headers=headers, json=trust | {"name": "other-name"})
    graph_error(again, 409, "Request_MultipleObjectsWithSameKeyValue")
    listed = world.graph("GET", path, headers=headers).json()["value"]
    assert [one["subject"] for one in listed] == ["S"]
    for wrong in ({"name": "x"}, {"audiences": [EXCHANGE, "b"]}, {"issuer": ""}, {"more": 1}):
        answer = world.graph("POST", path, headers=headers, json=trust | {"subject": "T"} | wrong)
        graph_error(answer, 400, "Request_BadRequest")
    for number in range(19):
        more = trust | {"name": f"trust-{number}", "subject": f"S{number}"}
        assert world.graph("POST", path, headers=headers, json=more).status_code == 201
    full = world.graph("POST", path, headers=headers, json=trust | {"name": "n21", "subject": "21"})
    graph_error(full, 400, "Request_BadRequest")


def test_patching_key_credentials_replaces_the_whole_list(world: World) -> None:
    tenant = world.tenant()
    app = world.app(tenant, application_permissions=["Application.ReadWrite.OwnedBy"],
                    owns_itself=True)  # fmt: skip
    headers = world.app_token(tenant, app)
    path = f"/applications/{app.object_id}"

    def patch(**body: Any) -> requests.Response:
        return world.graph("PATCH", path, headers=headers, json=body)

    def keys(query: str = "") -> list[dict[str, Any]]:
        answer = world.graph("GET", f"{path}{query}", headers=headers).json()
        found: list[dict[str, Any]] = answer["keyCredentials"]
        return found

    _, one = a_certificate()
    _, two = a_certificate()
    assert patch(keyCredentials=[key_credential(one)]).status_code == 204
    assert [entry["key"] for entry in keys()] == [None]
    assert keys("?$select=keyCredentials")[0]["key"] == der_of(one)
    # An entry read without its bytes keeps its certificate; one left out is gone.
    assert patch(keyCredentials=[*keys(), key_credential(two)]).status_code == 204
    assert len(keys()) == 2
    assert patch(keyCredentials=[key_credential(two)]).status_code == 204
    assert keys("?$select=keyCredentials")[0]["key"] == der_of(two)
    graph_error(patch(passwordCredentials=[]), 400, "Request_BadRequest")
    graph_error(patch(keyCredentials=[{"key": "AAAA"}]), 400, "Request_BadRequest")
    late = key_credential(one) | {"endDateTime": "2099-01-01T00:00:00Z"}
    graph_error(patch(keyCredentials=[late]), 400, "KeyCredentialsInvalidEndDate")
    assert len(keys()) == 1


def test_a_removed_password_no_longer_opens(world: World) -> None:
    tenant = world.tenant()
    app = world.app(tenant, application_permissions=["Application.ReadWrite.OwnedBy"],
                    owns_itself=True)  # fmt: skip
    headers = world.app_token(tenant, app)
    path = f"/applications(appId='{app.client_id}')"
    added = world.graph("POST", f"{path}/addPassword", headers=headers, json={})
    assert added.json()["secretText"].startswith(added.json()["hint"])
    body = {"keyId": app.secret_id}
    removed = world.graph("POST", f"{path}/removePassword", headers=headers, json=body)
    assert removed.status_code == 204
    twice = world.graph("POST", f"{path}/removePassword", headers=headers, json=body)
    graph_error(twice, 400, "Request_BadRequest")
    answer = world.token(tenant, app, grant_type="client_credentials", scope=f"{GRAPH}.default")
    refused(answer, 7000215, "invalid_client", 401)
    kept = world.control("GET", f"apps/{app.client_id}")["passwordCredentials"]
    assert [one["keyId"] for one in kept] == [added.json()["keyId"]]
    assert all(one["secretText"] is None for one in kept)


async def test_graph_answers_the_user_by_scope_and_audience(world: World, settings: Any) -> None:
    tenant = world.tenant()
    upn, oid = world.user(tenant)
    app = world.app(tenant)
    token = await refresh_token(world, tenant, app, upn)

    def bearer(scope: str) -> dict[str, str]:
        got = world.refresh(tenant, app, token, scope).json()
        return {"Authorization": f"Bearer {got['access_token']}"}

    me = world.graph("GET", "/me", headers=bearer(USER_READ)).json()
    assert (me["id"], me["userPrincipalName"], me["mail"]) == (oid, upn, upn)
    graph_error(world.graph("GET", "/me", headers=bearer(SMTP)), 401, "InvalidAuthenticationToken")
    recipient = {"emailAddress": {"address": "a@b.example"}}
    mail = {"message": {"subject": "Hello", "body": {"contentType": "Text", "content": "Hi"},
                        "toRecipients": [recipient]}}  # fmt: skip
    sent = world.graph("POST", "/me/sendMail", headers=bearer(MAIL_SEND), json=mail)
    assert sent.status_code == 202
    kept = world.control("GET", "sent")["sent"][-1]
    assert (kept["sender"], kept["to"], kept["subject"]) == (upn, ["a@b.example"], "Hello")
    narrow = world.app(tenant)
    code = await code_of(world, narrow, upn, tenant, scope=USER_READ)
    access = world.redeem(tenant, narrow, code, USER_READ).json()["access_token"]
    headers = {"Authorization": f"Bearer {access}"}
    denied = world.graph("POST", "/me/sendMail", headers=headers, json=mail)
    graph_error(denied, 403, "ErrorAccessDenied")
    settings(access_token_lifetime=60)
    short = bearer(USER_READ)
    world.control("POST", "clock", advance=61)
    graph_error(world.graph("GET", "/me", headers=short), 401, "InvalidAuthenticationToken")


# -- faults, tracing, the control API


def test_faults_hit_those_who_match_and_no_others(world: World, faults: Any) -> None:
    tenant = world.tenant()
    app, other = world.app(tenant), world.app(tenant)
    asked = {"grant_type": "client_credentials", "scope": f"{GRAPH}.default"}
    faults(times=1, client_id=app.client_id, status=429, retry_after=7)
    assert world.token(tenant, other, **asked).status_code == 200
    throttled = world.token(tenant, app, **asked)
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    assert throttled.json()["error"] == "temporarily_unavailable"
    assert world.token(tenant, app, **asked).status_code == 200
    faults(times=1, client_id=app.client_id, code=53003, error="interaction_required")
    refused(world.token(tenant, app, **asked), 53003, "interaction_required")
    faults(times=1, client_id=app.client_id, latency=0.3)
    began = time.monotonic()
    assert world.token(tenant, app, **asked).status_code == 200
    assert time.monotonic() - began >= 0.3
    faults(times=1, endpoint="graph", status=503)
    down = world.graph("GET", "/me", headers=world.app_token(tenant, app))
    graph_error(down, 503, "ServiceUnavailable")


async def test_a_lost_response_is_processed_all_the_same(world: World, faults: Any) -> None:
    tenant = world.tenant()
    upn, _ = world.user(tenant)
    app = world.app(tenant)
    code = await code_of(world, app, upn, tenant)
    faults(times=1, client_id=app.client_id, lose_response=True)
    with pytest.raises(requests.ConnectionError):
        world.redeem(tenant, app, code)
    refused(world.redeem(tenant, app, code), 54005, "invalid_grant")


def test_answers_carry_the_caller_s_correlation_id(world: World) -> None:
    tenant = world.tenant()
    app = world.app(tenant)
    sent = str(uuid4())
    url = f"{world.base}/{tenant}/oauth2/v2.0/token"
    form = {"client_id": app.client_id, "client_secret": app.secret,
            "grant_type": "client_credentials", "scope": f"{GRAPH}.default"}  # fmt: skip
    good = world.http.post(url, data=form, headers={"client-request-id": sent})
    assert good.headers["client-request-id"] == sent
    assert good.headers["x-ms-request-id"]
    bad = world.http.post(url, data=form | {"scope": "x"}, headers={"client-request-id": sent})
    assert bad.json()["correlation_id"] == sent
    listed = world.control("GET", "exchanges")["exchanges"]
    mine = [one for one in listed if one["correlation_id"] == sent]
    assert [(one["outcome"], one["auth"]) for one in mine] == [
        ("ok", "secret"),
        ("invalid_scope", "secret"),
    ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tenants", {"name": "T", "domain": "d.example", "colour": "red"}),
        ("faults", {"times": 1, "endpoint": "nowhere"}),
        ("faults", {"times": 0}),
        ("settings", {"access_token_life": 5}),
        ("clock", {"advance": "soon"}),
        ("users", {"upn": "a@b.example"}),
    ],
)
def test_the_control_api_refuses_what_it_does_not_know(
    world: World, path: str, body: dict[str, Any]
) -> None:
    answer = world.http.post(f"{world.base}/_control/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


# -- restart


async def test_everything_survives_a_restart_and_no_value_is_on_disk(
    world: World, files: Certificates, tmp_path: Path
) -> None:
    state = tmp_path / "entra.json"
    with running(files, "--state", str(state)) as base:
        before = World(base, files.ca)
        tenant = before.tenant()
        upn, _ = before.user(tenant, password="another password")
        app = before.app(tenant)
        before.identity(tenant)
        async with Owner(files.ca) as owner:
            url = before.authorize_url(app, tenant)
            back = carried((await owner.connect(url, upn, "another password")).url)
        got = before.redeem(tenant, app, back["code"]).json()
        before.control("POST", "clock", advance=DAY)
    kept = state.read_text()
    values = (app.secret, got["refresh_token"], back["code"], "another password", HEADER)
    assert not [one for one in values if one in kept]
    assert state.stat().st_mode & 0o077 == 0
    port = int(base.rpartition(":")[2])
    with running(files, "--state", str(state), port=port) as again:
        after = World(again, files.ca)
        assert after.refresh(tenant, app, got["refresh_token"]).status_code == 200
        refused(after.redeem(tenant, app, back["code"]), 54005, "invalid_grant")
        after.claims(got["access_token"], tenant, OUTLOOK.rstrip("/"))
        assert after.control("POST", "clock", advance=0)["offset"] == DAY
