"""Entra's authorize and token endpoints in memory: strict where naive code would fail."""

import base64
import hashlib
import uuid
from asyncio import Event
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography import x509

from postern.errors import ProviderRefused
from postern.model.answer import Answer
from postern.model.config import AppIdentity
from postern.model.scopes import GRAPH, OUTLOOK
from postern.model.secret import Secret
from postern.ports import (
    AuthorizationRequest,
    Proof,
    Redemption,
    Tokens,
    UnverifiedClaims,
)
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory, FakeManagedIdentity, Registration
from tests.fakes.tape import Tape


@dataclass(slots=True, eq=False)
class User:
    """An account with a mailbox. *consents* None stands for everything that is asked."""

    tenant: str
    oid: str
    upn: str
    consents: frozenset[str] | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    user: User
    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str


@dataclass(slots=True)
class _Refusal:
    operation: str
    refusal: ProviderRefused
    times: int


class FakeProvider:
    """Entra in memory: checks the client, the code, PKCE, the resource and the consent."""

    def __init__(
        self,
        clock: FakeClock,
        identity: FakeManagedIdentity,
        directory: FakeDirectory,
        *,
        trusted: tuple[str, str],
        tape: Tape | None = None,
    ) -> None:
        self.clock = clock
        self.tape = tape or Tape()
        self.host = "https://login.microsoftonline.com"
        self.access_life = timedelta(hours=1)
        self.rotates = True
        self.claims: dict[str, Any] = {}
        self.refresh_tokens: dict[str, tuple[str, User]] = {}
        self.access_tokens: dict[str, tuple[User, str]] = {}
        self._identity = identity
        self._directory = directory
        self._trusted = trusted
        self._codes: dict[str, _Code] = {}
        self._refusals: list[_Refusal] = []
        self._gate = Event()
        self._gate.set()
        self.waiting = 0

    # What a test says.

    def refuse(
        self,
        *,
        error: str,
        number: int | None = None,
        status: int = 400,
        times: int = 1,
        operation: str = "*",
        retry_after: float | None = None,
    ) -> None:
        """Refuse the next *times* calls of *operation* (redeem, refresh, prove_secret…)."""
        refusal = ProviderRefused(
            error=error,
            status=status,
            number=number,
            correlation_id="c0ffee",
            retry_after=retry_after,
        )
        self._refusals.append(_Refusal(operation, refusal, times))

    def accept(self) -> None:
        """Refuse nothing any more."""
        self._refusals.clear()

    def hold(self) -> None:
        """Let token requests wait, so that a test sees what happens meanwhile."""
        self._gate.clear()

    def release(self) -> None:
        """Let the waiting requests go on."""
        self._gate.set()

    def sign_in(self, url: str, user: User) -> Answer:
        """Sign in as *user* at the authorize URL; return what the redirect brings."""
        query = self.query(url)
        assert query["prompt"] == "select_account"
        assert (query["response_mode"], query["code_challenge_method"]) == ("query", "S256")
        code = f"code-{uuid.uuid4().hex}"
        self._codes[code] = _Code(
            user=user,
            client_id=query["client_id"],
            redirect_uri=query["redirect_uri"],
            challenge=query["code_challenge"],
            nonce=query["nonce"],
        )
        return Answer(state=query["state"], code=Secret(code), error=None)

    def turn_away(self, url: str, *, error: str, number: int | None = None) -> Answer:
        """End the sign-in at the authorize URL with an error on the redirect."""
        refusal = ProviderRefused(error=error, status=400, number=number)
        return Answer(state=self.query(url)["state"], code=None, error=refusal)

    def query(self, url: str) -> dict[str, str]:
        """Return the parameters of an authorize URL."""
        assert url.startswith(self.host)
        return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    # The port.

    async def authorization_request(
        self,
        app: AppIdentity,
        *,
        redirect_uri: str,
        scopes: Sequence[str],
        state: Secret,
        login_hint: str | None,
    ) -> AuthorizationRequest:
        """Return the request."""
        async with self.tape.call("provider.authorization_request"):
            verifier, nonce = Secret(uuid.uuid4().hex * 2), Secret(uuid.uuid4().hex)
            query = {
                "client_id": app.client_id,
                "redirect_uri": redirect_uri,
                "response_type": "code",
                "response_mode": "query",
                "prompt": "select_account",
                "scope": " ".join(scopes),
                "state": state.reveal(),
                "nonce": nonce.reveal(),
                "code_challenge": _s256(verifier.reveal()),
                "code_challenge_method": "S256",
            }
            if login_hint:
                query["login_hint"] = login_hint
            url = f"{self.host}/{app.authority}/oauth2/v2.0/authorize?{urlencode(query)}"
            return AuthorizationRequest(url=url, verifier=verifier, nonce=nonce)

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
        """Redeem a code, once."""
        async with self._call("redeem"):
            self._authenticate(app, app.authority, assertion)
            known = self._codes.pop(code.reveal(), None)
            if (
                known is None
                or known.client_id != app.client_id
                or known.redirect_uri != redirect_uri
                or known.challenge != _s256(verifier.reveal())
            ):
                raise _refused("invalid_grant", 70000)
            claims = UnverifiedClaims(
                issuer=self.issuer(known.user.tenant),
                audience=app.client_id,
                tenant=known.user.tenant,
                user=known.user.oid,
                username=known.user.upn,
                nonce=known.nonce if known.nonce == nonce.reveal() else "",
                expires=self.clock.now() + timedelta(hours=1),
            )
            return Redemption(
                tokens=self._tokens(app, known.user, scopes, rotate=True),
                unverified_claims=replace(claims, **self.claims),
            )

    async def refresh(
        self, app: AppIdentity, assertion: Secret, *, refresh_token: Secret, scopes: Sequence[str]
    ) -> Tokens:
        """Redeem a refresh token; it stays good, as Entra's do."""
        async with self._call("refresh"):
            self._authenticate(app, app.authority, assertion)
            client_id, user = self.refresh_tokens.get(refresh_token.reveal(), ("", None))
            if user is None or client_id != app.client_id:
                raise _refused("invalid_grant", 70000)
            if user.revoked:
                raise _refused("invalid_grant", 50173)
            return self._tokens(app, user, scopes, rotate=self.rotates)

    async def prove_secret(self, app: AppIdentity, secret: Secret) -> Proof:
        """Exchange the client secret."""
        async with self._call("prove_secret"):
            registration = self._registration(app)
            if all(Secret(each.value) != secret for each in registration.passwords):
                raise _refused("invalid_client", 7000215, 401)
            return self._proof(app)

    async def prove_assertion(self, app: AppIdentity, assertion: Secret) -> Proof:
        """Exchange an assertion, at the app's own tenant."""
        async with self._call("prove_assertion"):
            self._authenticate(app, app.tenant_id, assertion)
            return self._proof(app)

    def token_endpoint(self, authority: str) -> str:
        """Return the endpoint's URL."""
        return f"{self.host}/{authority}/oauth2/v2.0/token"

    def issuer(self, tenant: str) -> str:
        """Return the issuer of *tenant*."""
        return f"{self.host}/{tenant}/v2.0"

    async def reachable(self) -> None:
        """Return when Entra answers."""
        async with self.tape.call("provider.reachable"):
            return

    @asynccontextmanager
    async def _call(self, operation: str) -> AsyncIterator[None]:
        async with self.tape.call(f"provider.{operation}"):
            self.waiting += 1
            try:
                await self._gate.wait()
            finally:
                self.waiting -= 1
            for each in self._refusals:
                if each.times and fnmatchcase(operation, each.operation):
                    each.times -= 1
                    raise replace(each.refusal)
            yield

    def _registration(self, app: AppIdentity) -> Registration:
        registration = self._directory.registrations.get(app.client_id)
        if registration is None or registration.tenant != app.tenant_id:
            raise _refused("unauthorized_client", 700016)
        if registration.disabled:
            raise _refused("unauthorized_client", 7000112)
        return registration

    def _authenticate(self, app: AppIdentity, authority: str, assertion: Secret) -> None:
        registration, now = self._registration(app), self.clock.now()
        text = assertion.reveal()
        if self._identity.issued(text):
            known_from = registration.federated.get(self._trusted)
            if known_from is None or now < known_from or not self._identity.valid(text):
                raise _refused("invalid_client", 70021, 401)
            return
        header = jwt.get_unverified_header(text)
        for der, known_from in registration.certificates.items():
            if now >= known_from and header["x5t#S256"] == _thumbprint(der):
                if now >= x509.load_der_x509_certificate(der).not_valid_after_utc:
                    break
                self._verify(text, der, app, authority)
                return
        raise _refused("invalid_client", 700027, 401)

    def _verify(self, text: str, der: bytes, app: AppIdentity, authority: str) -> None:
        """Verify the signature with the certificate, and the claims against our own clock."""
        own_times = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        claims = jwt.decode(
            text,
            x509.load_der_x509_certificate(der).public_key(),  # type: ignore[arg-type]
            algorithms=["PS256"],
            audience=self.token_endpoint(authority),
            issuer=app.client_id,
            subject=app.client_id,
            options=own_times,  # type: ignore[arg-type]
        )
        if not claims["nbf"] <= self.clock.now().timestamp() < claims["exp"]:
            raise _refused("invalid_client", 700024, 401)

    def _tokens(
        self, app: AppIdentity, user: User, scopes: Sequence[str], *, rotate: bool
    ) -> Tokens:
        (resource,) = {scope.rpartition("/")[0] + "/" for scope in scopes}
        assert resource in (OUTLOOK, GRAPH)
        given = [s for s in scopes if user.consents is None or s in user.consents]
        if not given:
            raise _refused("invalid_grant", 65001)
        access, refresh = f"access-{uuid.uuid4().hex}", f"refresh-{uuid.uuid4().hex}"
        self.access_tokens[access] = (user, resource)
        if rotate:
            self.refresh_tokens[refresh] = (app.client_id, user)
        return Tokens(
            access_token=Secret(access),
            expires=self.clock.now() + self.access_life,
            scopes=tuple(scope.removeprefix(GRAPH) for scope in given),
            refresh_token=Secret(refresh) if rotate else None,
        )

    def _proof(self, app: AppIdentity) -> Proof:
        token = f"graph-{uuid.uuid4().hex}"
        self._directory.graph_tokens[token] = app.client_id
        return Proof(correlation_id=str(uuid.uuid4()), graph_token=Secret(token))


def _refused(error: str, number: int, status: int = 400) -> ProviderRefused:
    return ProviderRefused(error=error, status=status, number=number, correlation_id="c0ffee")


def _s256(verifier: str) -> str:
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def _thumbprint(der: bytes) -> str:
    return _base64url(hashlib.sha256(der).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
