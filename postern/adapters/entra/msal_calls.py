"""MSAL for what is rare: authorization requests, code redemption, client credentials.

MSAL is synchronous and untyped, answers errors as dictionaries and has no hook that tells the
correlation id of a success; this module alone knows.
"""

import asyncio
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import msal
import requests
from msal.exceptions import MsalError

from postern.adapters.entra.refusals import error_body, refusal, unreachable
from postern.model.secret import Secret

_TIMEOUT_SECONDS = 20


class Transport:
    """MSAL's http_client for one call: pooled session, a timeout, and a note of what happened."""

    def __init__(self, session: requests.Session) -> None:
        self._session = session
        self.correlation_id: str | None = None
        self.last: requests.Response | None = None

    def post(self, url: str, **kwargs: Any) -> requests.Response:
        """Send a POST; keep the correlation id that MSAL sent along."""
        self.correlation_id = (kwargs.get("headers") or {}).get("client-request-id")
        return self._send("POST", url, kwargs)

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        """Send a GET."""
        return self._send("GET", url, kwargs)

    def close(self) -> None:
        """Leave the shared session open."""

    def _send(self, method: str, url: str, kwargs: dict[str, Any]) -> requests.Response:
        kwargs.setdefault("timeout", _TIMEOUT_SECONDS)
        self.last = self._session.request(method, url, allow_redirects=False, **kwargs)
        return self.last


class KeepsNothing(msal.TokenCache):  # type: ignore[misc] # msal ships no types
    """A token cache that forgets: our grants are the store, and MSAL's grows without bound."""

    def add(self, event: Mapping[str, Any], now: float | None = None) -> None:
        """Drop what came."""


class MsalCalls:
    """Runs one MSAL call in a thread, each on an application of its own."""

    def __init__(self, authority_host: str) -> None:
        self._host = authority_host.rstrip("/")
        self._session = requests.Session()
        # Discovery documents, kept a day. Never shared with a call that polls: MSAL replays an
        # identical error for a minute.
        self._discovered: dict[str, Any] = {}

    async def run(
        self,
        client_id: str,
        authority: str,
        credential: Secret | None,
        call: Callable[[Any], dict[str, Any]],
        *,
        asserted: bool = True,
        fresh: bool = False,
    ) -> tuple[dict[str, Any], str | None]:
        """Return MSAL's answer and the correlation id. Raises `ProviderRefused`, `Unavailable`."""
        transport = Transport(self._session)

        def work() -> dict[str, Any]:
            application = self._application(
                client_id, authority, credential, transport, asserted=asserted, fresh=fresh
            )
            with warnings.catch_warnings():
                # MSAL prefers form_post; docs/decisions/0003 says why the query form is safer here.
                warnings.simplefilter("ignore")
                return call(application)

        try:
            answer = await asyncio.to_thread(work)
        except (requests.RequestException, MsalError) as exc:
            # MSAL's own error stands for an answer of 500 and more.
            raise unreachable() from exc
        except (ValueError, RuntimeError) as exc:
            # An error answer to discovery, or an answer that MSAL does not accept.
            raise _refused(_said(transport.last), transport.last) from exc
        if "error" in answer:
            raise _refused(answer, transport.last)
        return answer, transport.correlation_id

    def close(self) -> None:
        """Close the pool."""
        self._session.close()

    def _application(
        self,
        client_id: str,
        authority: str,
        credential: Secret | None,
        transport: Transport,
        *,
        asserted: bool,
        fresh: bool,
    ) -> Any:
        value = credential.reveal() if credential else "not-used-for-this-call"
        return msal.ConfidentialClientApplication(
            client_id,
            client_credential={"client_assertion": lambda: value} if asserted else value,
            authority=f"{self._host}/{authority}",
            # The authority's host is pinned by our settings; asking another host about it would
            # only add one that must be up.
            instance_discovery=False,
            token_cache=KeepsNothing(),
            http_client=transport,
            http_cache={} if fresh else self._discovered,
        )


def _refused(body: Mapping[str, Any], last: requests.Response | None) -> Exception:
    if last is None or last.status_code >= 500:
        return unreachable()
    return refusal(body, last.status_code, last.headers.get("Retry-After"))


def _said(last: requests.Response | None) -> Mapping[str, Any]:
    return error_body(last.text) if last is not None else {}
