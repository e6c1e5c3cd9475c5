"""The few calls to Microsoft Graph by which an app reads and changes its own registration."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp

from postern.errors import ProviderRefused, Unavailable
from postern.model.cloud import PUBLIC, Cloud
from postern.model.permissions import GRAPH_APP_ID
from postern.model.secret import Secret
from postern.ports import Credential, FederatedCredential, Registration

_TIMEOUT = aiohttp.ClientTimeout(total=20)
# Entra shows the first three characters of a password as its hint, and nothing else of it.
_HINT_LENGTH = 3
# A certificate's bytes come only when they are asked for by name.
_READ = (
    "signInAudience,web,spa,publicClient,requiredResourceAccess,passwordCredentials,keyCredentials"
)


class GraphDirectory:
    """`Directory` over Graph v1.0, as the app itself."""

    def __init__(self, session: aiohttp.ClientSession, url: str, cloud: Cloud = PUBLIC) -> None:
        self._session = session
        self._cloud = cloud
        self._url = f"{url.rstrip('/')}/v1.0"

    async def registration(self, token: Secret, client_id: str) -> Registration:
        """Return the registration, and what was consented to where the app may read that."""
        path = f"/applications(appId='{client_id}')"
        found = await self._call("GET", f"{path}?$select={_READ}", token)
        federated = await self._call("GET", f"{path}/federatedIdentityCredentials", token)
        consented = await self._consented(token, client_id)
        try:
            return _registration(found, federated, consented)
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise _failed() from exc

    async def _consented(self, token: Secret, client_id: str) -> dict[str, Any] | None:
        path = f"/servicePrincipals(appId='{client_id}')/oauth2PermissionGrants"
        try:
            listed = await self._call("GET", path, token)
        except ProviderRefused:
            return None  # this needs a right of its own, which apps seldom have
        # With one entry for each person there may be more than a page: what is not seen is not
        # known to be missing.
        return None if "@odata.nextLink" in listed else listed

    async def add_federated_credential(
        self, token: Secret, client_id: str, *, name: str, issuer: str, subject: str
    ) -> None:
        """Trust *subject* of *issuer*."""
        path = f"/applications(appId='{client_id}')/federatedIdentityCredentials"
        listed = await self._call("GET", path, token)
        if any((c["issuer"], c["subject"]) == (issuer, subject) for c in listed["value"]):
            return
        body = {
            "name": name,
            "issuer": issuer,
            "subject": subject,
            "audiences": [self._cloud.exchange_audience],
            "description": "Lets the deployment's managed identity act as this app.",
        }
        await self._call("POST", path, token, body)

    async def add_certificate(
        self,
        token: Secret,
        client_id: str,
        *,
        name: str,
        der: bytes,
        start: datetime,
        end: datetime,
    ) -> None:
        """Add a certificate beside the ones that are there.

        A PATCH replaces the whole list, so what was there is sent along; Graph keeps the bytes of
        a certificate that comes back without them under its own key id (UNVERIFIED on the real
        service: docs/security.md).
        """
        path = f"/applications(appId='{client_id}')"
        found = await self._call("GET", f"{path}?$select=id,keyCredentials", token)
        thumbprint = base64.b64encode(hashlib.sha256(der).digest()).decode()
        encoded = base64.b64encode(der).decode()
        existing = found.get("keyCredentials", [])
        # Graph may name a certificate as it likes, so its bytes are compared as well.
        if any(
            each.get("customKeyIdentifier") == thumbprint or each.get("key") == encoded
            for each in existing
        ):
            return
        added = {
            "type": "AsymmetricX509Cert",
            "usage": "Verify",
            "key": encoded,
            "customKeyIdentifier": thumbprint,
            "displayName": name,
            "startDateTime": start.isoformat(),
            "endDateTime": end.isoformat(),
        }
        await self._call("PATCH", path, token, {"keyCredentials": [*existing, added]})

    async def password_id(self, token: Secret, client_id: str, secret: Secret) -> str | None:
        """Return the key id of the one password with this hint; None when it cannot be told."""
        path = f"/applications(appId='{client_id}')?$select=id,passwordCredentials"
        found = await self._call("GET", path, token)
        hint = secret.reveal()[:_HINT_LENGTH]
        # One without a hint may be any: where there is one, nothing can be told.
        hints = (hint, None)
        passwords = [p for p in found.get("passwordCredentials", []) if p.get("hint") in hints]
        if any(p.get("hint") is None for p in passwords):
            return None
        return str(passwords[0]["keyId"]) if len(passwords) == 1 else None

    async def remove_password(self, token: Secret, client_id: str, key_id: str) -> None:
        """Remove a password; gone already is fine."""
        path = f"/applications(appId='{client_id}')"
        found = await self._call("GET", f"{path}?$select=id,passwordCredentials", token)
        if any(p["keyId"] == key_id for p in found.get("passwordCredentials", [])):
            await self._call("POST", f"{path}/removePassword", token, {"keyId": key_id})

    async def reachable(self) -> None:
        """Return when Graph answers, whatever: without a token it says little."""
        try:
            async with self._session.get(
                self._url, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                if response.status >= 500:
                    raise Unavailable("graph-failed", "Graph answered with an error; try again.")
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise Unavailable("graph-unreachable", "Graph does not answer; try again.") from exc

    async def _call(
        self, method: str, path: str, token: Secret, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        try:
            async with self._session.request(
                method,
                self._url + path,
                json=body,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                if response.status == 429 or response.status >= 500:
                    raise _failed()
                if response.status >= 400:
                    raise await _refusal(response)
                return {} if response.status == 204 else dict(await response.json())
        except (aiohttp.ClientError, TimeoutError, ValueError, TypeError) as exc:
            raise Unavailable("graph-unreachable", "Graph does not answer; try again.") from exc


def _failed() -> Unavailable:
    return Unavailable("graph-failed", "Graph answered with an error; try again.")


def _registration(
    found: Mapping[str, Any], federated: Mapping[str, Any], consented: Mapping[str, Any] | None
) -> Registration:
    elsewhere = [uri for name in ("spa", "publicClient") for uri in _uris(found, name)]
    permissions = {
        str(entry["id"]).lower()
        for resource in found.get("requiredResourceAccess") or ()
        if str(resource["resourceAppId"]).lower() == GRAPH_APP_ID
        for entry in resource["resourceAccess"]
        if entry["type"] == "Scope"
    }
    return Registration(
        audience=str(found["signInAudience"]),
        web=tuple(_uris(found, "web")),
        other_platforms=tuple(elsewhere),
        permissions=frozenset(permissions),
        passwords=tuple(map(_credential, found.get("passwordCredentials") or ())),
        certificates=tuple(map(_credential, found.get("keyCredentials") or ())),
        federated=tuple(
            FederatedCredential(name=each["name"], issuer=each["issuer"], subject=each["subject"])
            for each in federated["value"]
        ),
        consented=None if consented is None else frozenset(_for_everybody(consented)),
    )


def _uris(found: Mapping[str, Any], platform: str) -> list[str]:
    return list((found.get(platform) or {}).get("redirectUris") or ())


def _credential(entry: Mapping[str, Any]) -> Credential:
    ends, key = entry.get("endDateTime"), entry.get("key")
    return Credential(
        name=str(entry.get("displayName") or entry["keyId"]),
        ends=datetime.fromisoformat(ends) if ends else None,
        der=base64.b64decode(key) if key else None,
    )


def _for_everybody(consented: Mapping[str, Any]) -> list[str]:
    return [
        name
        for grant in consented["value"]
        if grant["consentType"] == "AllPrincipals"
        for name in str(grant.get("scope") or "").split()
    ]


async def _refusal(response: aiohttp.ClientResponse) -> ProviderRefused:
    try:
        error = (await response.json(content_type=None))["error"]["code"]
    except (ValueError, KeyError, TypeError):
        error = "unknown"
    return ProviderRefused(
        error=str(error),
        status=response.status,
        correlation_id=response.headers.get("client-request-id"),
    )
