"""What answers: Entra's token endpoint, the managed identity, the table service, and the counts."""

import base64
import json
import resource
import time
from collections import Counter
from urllib.parse import parse_qs, urlsplit

from bench.canned.batch import transact
from bench.canned.http import Request, Response
from bench.canned.tables import Tables

ACCOUNT = "canned"
# As long as Entra's are, so that sealing and writing cost what they cost.
_ACCESS_TOKEN = "a" * 1_800
_REFRESH_TOKEN = "r" * 1_400
_HOUR = 3_600
_JSON = {"Content-Type": "application/json; charset=utf-8"}


class Services:
    """All services of one benchmark behind one port; each request is counted under its kind."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._tables = Tables()
        self._counts: Counter[str] = Counter()
        self._bodies: dict[str, str] = {}

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        path = urlsplit(request.target).path
        if path.startswith("/_canned/"):
            return self._control(path.removeprefix("/_canned/"))
        kind, response = self._serve(path, request)
        self._counts[kind] += 1
        if request.body:
            self._bodies[kind] = request.body.decode()
        return response

    def _serve(self, path: str, request: Request) -> tuple[str, Response]:
        if path.startswith(f"/{ACCOUNT}/"):
            name = path.removeprefix(f"/{ACCOUNT}/")
            if not request.headers.get("authorization", "").startswith("Bearer "):
                return "refused", Response(status=401)
            if name == "$batch":
                return "transactions", transact(self._tables, ACCOUNT, request)
            kind = "reads" if request.method == "GET" else "writes"
            return kind, self._tables.answer(request, name)
        if path.endswith("/oauth2/v2.0/token"):
            return "tokens", self._token(request)
        if path == "/msi/token":
            return "identity", _identity(request)
        if ".well-known" in path:
            return "discoveries", Response(status=501)
        return "unknown", Response(status=501)

    def _token(self, request: Request) -> Response:
        form = parse_qs(request.body.decode(), strict_parsing=True)
        wanted = {"client_id", "grant_type", "refresh_token", "scope", "client_assertion"}
        if not wanted <= form.keys() or form["grant_type"] != ["refresh_token"]:
            body = {"error": "invalid_request", "error_codes": [900144]}
            return Response(status=400, headers=_JSON, body=json.dumps(body).encode())
        answer: dict[str, object] = {
            "token_type": "Bearer",
            "scope": form["scope"][0],
            "expires_in": _HOUR,
            "ext_expires_in": _HOUR,
            "access_token": _ACCESS_TOKEN,
            "refresh_token": _REFRESH_TOKEN,
        }
        return Response(headers=_JSON, body=json.dumps(answer).encode(), delay=self._latency)

    def _control(self, name: str) -> Response:
        used = resource.getrusage(resource.RUSAGE_SELF)
        shown: dict[str, object] = {
            "counts": dict(self._counts),
            "cpu_seconds": used.ru_utime + used.ru_stime,
        }
        if name == "bodies":
            shown["bodies"] = self._bodies
        return Response(headers=_JSON, body=json.dumps(shown).encode())


def _identity(request: Request) -> Response:
    """Answer as App Service's endpoint does. Azurite looks at the token's claims too."""
    asked = parse_qs(urlsplit(request.target).query)["resource"][0]
    now = int(time.time())
    claims = {
        "aud": asked,
        "iss": "https://sts.windows.net/00000000-0000-4000-8000-000000000000/",
        "nbf": now - 60,
        "iat": now - 60,
        "exp": now + 24 * _HOUR,
    }
    header = {"alg": "RS256", "typ": "JWT"}
    token = ".".join((*(_part(part) for part in (header, claims)), "unsigned"))
    body = {"access_token": token, "expires_on": str(claims["exp"]), "token_type": "Bearer"}
    return Response(headers=_JSON, body=json.dumps({**body, "resource": asked}).encode())


def _part(part: dict[str, object] | dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
