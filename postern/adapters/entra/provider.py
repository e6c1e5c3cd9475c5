"""`IdentityProvider` over Entra."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from postern.adapters.entra.msal_calls import MsalCalls
from postern.adapters.entra.refresh_grant import refresh
from postern.adapters.entra.refusals import unreachable
from postern.errors import ProviderRefused
from postern.model.cloud import cloud_of
from postern.model.config import AppIdentity
from postern.model.scopes import OPENID_SCOPES
from postern.model.secret import Secret
from postern.ports import AuthorizationRequest, Proof, Redemption, Tokens, UnverifiedClaims


class EntraProvider:
    """Speaks to one authority host, which the settings pin."""

    def __init__(self, session: aiohttp.ClientSession, authority_host: str) -> None:
        self._session = session
        self._cloud = cloud_of(authority_host)
        self._host = authority_host.rstrip("/")
        self._msal = MsalCalls(authority_host)

    async def authorization_request(
        self,
        app: AppIdentity,
        *,
        redirect_uri: str,
        scopes: Sequence[str],
        state: Secret,
        login_hint: str | None,
    ) -> AuthorizationRequest:
        """Return the request; MSAL makes verifier and nonce."""
        flow, _ = await self._msal.run(
            app.client_id,
            app.authority,
            None,
            lambda application: application.initiate_auth_code_flow(
                self._abroad(scopes),
                redirect_uri=redirect_uri,
                state=state.reveal(),
                prompt="select_account",
                login_hint=login_hint,
                response_mode="query",
            ),
        )
        return AuthorizationRequest(
            url=flow["auth_uri"],
            verifier=Secret(flow["code_verifier"]),
            nonce=Secret(flow["nonce"]),
        )

    async def redeem(
        self,
        app: AppIdentity,
        assertion: Secret,
        *,
        code: Secret,
        verifier: Secret,
        nonce: Secret,
        redirect_uri: str,
        scopes: Sequence[str],
    ) -> Redemption:
        """Redeem a code. MSAL also checks the nonce and the id token's audience and times."""
        asked_for = self._abroad(scopes)
        flow = {
            "state": "checked-before",
            "redirect_uri": redirect_uri,
            "scope": [*asked_for, *OPENID_SCOPES],
            "code_verifier": verifier.reveal(),
            "nonce": nonce.reveal(),
            "claims_challenge": None,
        }
        asked = datetime.now(UTC)
        answer, _ = await self._msal.run(
            app.client_id,
            app.authority,
            assertion,
            lambda application: application.acquire_token_by_auth_code_flow(
                flow, {"code": code.reveal(), "state": flow["state"]}, scopes=asked_for
            ),
        )
        return Redemption(
            tokens=self._home(_tokens(answer, asked)), unverified_claims=_claims(answer, nonce)
        )

    async def refresh(
        self, app: AppIdentity, assertion: Secret, *, refresh_token: Secret, scopes: Sequence[str]
    ) -> Tokens:
        """Redeem a refresh token."""
        tokens = await refresh(
            self._session,
            self.token_endpoint(app.authority),
            client_id=app.client_id,
            assertion=assertion,
            refresh_token=refresh_token,
            scopes=self._abroad(scopes),
        )
        return self._home(tokens)

    async def prove_secret(self, app: AppIdentity, secret: Secret) -> Proof:
        """Exchange the client secret for an app-only token."""
        return await self._prove(app, secret, asserted=False)

    async def prove_assertion(self, app: AppIdentity, assertion: Secret) -> Proof:
        """Exchange a client assertion for an app-only token."""
        return await self._prove(app, assertion, asserted=True)

    def token_endpoint(self, authority: str) -> str:
        """Return the v2.0 token endpoint of an authority."""
        return f"{self._host}/{authority}/oauth2/v2.0/token"

    def issuer(self, tenant: str) -> str:
        """Return the v2.0 issuer of a tenant."""
        return f"{self._host}/{tenant}/v2.0"

    async def reachable(self) -> None:
        """Return when the discovery document answers."""
        url = f"{self._host}/organizations/v2.0/.well-known/openid-configuration"
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    raise unreachable()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise unreachable() from exc

    async def close(self) -> None:
        """Close MSAL's pool; the session belongs to who gave it."""
        self._msal.close()

    def _abroad(self, scopes: Sequence[str]) -> list[str]:
        return [self._cloud.abroad(scope) for scope in scopes]

    def _home(self, tokens: Tokens) -> Tokens:
        return replace(tokens, scopes=tuple(self._cloud.home(scope) for scope in tokens.scopes))

    async def _prove(self, app: AppIdentity, credential: Secret, *, asserted: bool) -> Proof:
        answer, correlation_id = await self._msal.run(
            app.client_id,
            app.tenant_id,
            credential,
            lambda application: application.acquire_token_for_client(
                [f"{self._cloud.graph}.default"]
            ),
            asserted=asserted,
            fresh=True,
        )
        return Proof(
            correlation_id=correlation_id or "unknown",
            graph_token=Secret(answer["access_token"]),
        )


def _tokens(answer: dict[str, Any], asked: datetime) -> Tokens:
    refresh_token = answer.get("refresh_token")
    return Tokens(
        access_token=Secret(answer["access_token"]),
        expires=asked + timedelta(seconds=int(answer["expires_in"])),
        scopes=tuple(str(answer.get("scope", "")).split()),
        refresh_token=Secret(refresh_token) if refresh_token else None,
    )


def _claims(answer: dict[str, Any], nonce: Secret) -> UnverifiedClaims:
    claims = answer.get("id_token_claims")
    if not claims:
        raise ProviderRefused(error="id_token_missing", status=200)
    hashed = hashlib.sha256(nonce.reveal().encode()).hexdigest()
    return UnverifiedClaims(
        issuer=str(claims.get("iss", "")),
        audience=str(claims.get("aud", "")),
        tenant=str(claims.get("tid", "")),
        user=str(claims.get("oid", "")),
        username=str(claims.get("preferred_username", "")),
        # MSAL sends the hash of the nonce that it made; the claim is turned back into it.
        nonce=nonce.reveal() if claims.get("nonce") == hashed else "",
        expires=datetime.fromtimestamp(int(claims.get("exp", 0)), UTC),
    )
