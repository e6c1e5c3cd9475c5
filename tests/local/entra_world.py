"""Starts one Entra stand-in for its tests and gives them tenants, apps and users of their own."""

import base64
import datetime
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import jwt
import msal
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from local.certificates import Certificates
from local.owner import Owner

GRAPH = "https://graph.microsoft.com/"
OUTLOOK = "https://outlook.office.com/"
SMTP, IMAP = f"{OUTLOOK}SMTP.Send", f"{OUTLOOK}IMAP.AccessAsUser.All"
USER_READ, MAIL_SEND = f"{GRAPH}User.Read", f"{GRAPH}Mail.Send"
SCOPES = f"{USER_READ} {MAIL_SEND} {SMTP} {IMAP} openid profile email offline_access"
HEADER = "the-identity-header"


@contextmanager
def running(files: Certificates, *more: str, port: int = 0) -> Iterator[str]:
    """Run the stand-in and give its base URL."""
    command = [sys.executable, "-m", "local.entra", "--port", str(port)]
    command += ["--cert", str(files.cert), "--key", str(files.key), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready, _, base = process.stdout.readline().strip().partition(" ")
            assert ready == "ready"
            yield base
        finally:
            process.terminate()
            assert process.wait(10) == 0


@dataclass(slots=True)
class App:
    client_id: str
    object_id: str
    service_principal_id: str
    secret: str
    secret_id: str
    redirect_uri: str


class World:
    def __init__(self, base: str, ca: Path) -> None:
        self.base, self.ca = base, ca
        self.http = requests.Session()
        self.http.verify = str(ca)

    def control(self, method: str, path: str, **body: Any) -> Any:
        answer = self.http.request(method, f"{self.base}/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tenant(self, **more: Any) -> str:
        domain = f"t{uuid4().hex[:12]}.example"
        return str(self.control("POST", "tenants", name="Tailspin", domain=domain, **more)["id"])

    def user(self, tenant: str, **more: Any) -> tuple[str, str]:
        upn = f"u{uuid4().hex[:10]}@tailspin.example"
        return upn, self.control("POST", "users", tenant=tenant, upn=upn, **more)["oid"]

    def app(self, tenant: str, **more: Any) -> App:
        redirect_uri = f"{self.base}/_somewhere/callback"
        made = self.control(
            "POST",
            "apps",
            tenant=tenant,
            **{"display_name": "Tailspin Mail", "redirect_uris": [redirect_uri], **more},
        )
        secret = self.control("POST", f"apps/{made['client_id']}/secrets")
        return App(**made, secret=secret["value"], secret_id=secret["key_id"],
                   redirect_uri=redirect_uri)  # fmt: skip

    def identity(self, tenant: str) -> tuple[str, str]:
        client_id, principal_id = str(uuid4()), str(uuid4())
        self.control("POST", "identities", tenant=tenant, client_id=client_id,
                     principal_id=principal_id, header=HEADER)  # fmt: skip
        return client_id, principal_id

    def msal(
        self, app: App, authority: str, credential: Any = None
    ) -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            app.client_id,
            client_credential=credential or app.secret,
            authority=f"{self.base}/{authority}",
            instance_discovery=False,
            http_client=self.http,
        )

    def authorize_url(self, app: App, authority: str, **more: str | None) -> str:
        asked = {
            "client_id": app.client_id,
            "response_type": "code",
            "redirect_uri": app.redirect_uri,
            "scope": SCOPES,
            "state": "the state",
            **more,
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{self.base}/{authority}/oauth2/v2.0/authorize?{query}"

    async def sign_in(
        self, app: App, upn: str, authority: str, accept: bool = True, **more: Any
    ) -> dict[str, str]:
        """Go through the pages and return what the redirect carries."""
        async with Owner(self.ca) as owner:
            url = self.authorize_url(app, authority, **more)
            return carried((await owner.connect(url, upn, accept=accept)).url)

    def token(self, authority: str, app: App, **more: str | None) -> requests.Response:
        asked = {"client_id": app.client_id, "client_secret": app.secret, **more}
        form = {name: value for name, value in asked.items() if value is not None}
        return self.http.post(f"{self.base}/{authority}/oauth2/v2.0/token", data=form)

    def redeem(
        self, authority: str, app: App, code: str, scope: str | None = SMTP, **more: str | None
    ) -> requests.Response:
        return self.token(authority, app, **{
            "grant_type": "authorization_code",
            "code": code, "scope": scope, "redirect_uri": app.redirect_uri, **more,
        })  # fmt: skip

    def refresh(
        self, authority: str, app: App, token: str, scope: str | None = SMTP, **more: str | None
    ) -> requests.Response:
        return self.token(authority, app, **{
            "grant_type": "refresh_token", "refresh_token": token, "scope": scope, **more,
        })  # fmt: skip

    def app_token(self, tenant: str, app: App) -> dict[str, str]:
        answer = self.token(tenant, app, grant_type="client_credentials", scope=f"{GRAPH}.default")
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def graph(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.http.request(method, f"{self.base}/graph/v1.0{path}", **more)

    def claims(self, token: str, tenant: str, audience: str) -> dict[str, Any]:
        """Verify as a resource would: by the published keys."""
        keys = self.http.get(f"{self.base}/{tenant}/discovery/v2.0/keys").json()
        key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
        # The clock of the stand-in may be ahead, and what is issued then is not wrong.
        return jwt.decode(token, key, algorithms=["RS256"], audience=audience,
                          options={"verify_iat": False, "verify_nbf": False})  # fmt: skip


def carried(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def refused(answer: requests.Response, code: int, error: str, status: int = 400) -> None:
    """Check a refusal in Entra's shape."""
    body = answer.json()
    assert (body["error_codes"], body["error"], answer.status_code) == ([code], error, status)
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    for part in ("Trace ID: ", "Correlation ID: ", "Timestamp: "):
        assert part in body["error_description"]


def a_certificate() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client-assertion")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def der_of(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def key_credential(certificate: x509.Certificate) -> dict[str, str]:
    return {"type": "AsymmetricX509Cert", "usage": "Verify", "key": der_of(certificate)}
