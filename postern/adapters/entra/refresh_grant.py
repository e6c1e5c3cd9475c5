"""The refresh grant as one POST (RFC 6749, section 6; RFC 7523 for the client's assertion).

Not through MSAL: with it a refresh costs twice as much and its cache grows with every mailbox
(docs/decisions/0004-refresh-without-msal.md).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import aiohttp

from postern.adapters.entra.refusals import error_body, refusal, unreachable
from postern.model.secret import Secret
from postern.ports import Tokens

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TIMEOUT = aiohttp.ClientTimeout(total=20)
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


async def refresh(
    session: aiohttp.ClientSession,
    endpoint: str,
    *,
    client_id: str,
    assertion: Secret,
    refresh_token: Secret,
    scopes: Sequence[str],
) -> Tokens:
    """Redeem a refresh token for tokens of one resource.

    Raises:
        ProviderRefused: Entra answered with an error.
        Unavailable: no answer that can be read came in 20 seconds.
    """
    form = urlencode(
        {
            "client_id": client_id,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token.reveal(),
            "scope": " ".join((*scopes, "offline_access")),
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion.reveal(),
        }
    )
    asked = datetime.now(UTC)
    try:
        async with session.post(
            endpoint, data=form, headers=_HEADERS, timeout=_TIMEOUT, allow_redirects=False
        ) as response:
            if response.status != 200:
                said = error_body(await response.text())
                raise refusal(said, response.status, response.headers.get("Retry-After"))
            body = await response.json(content_type=None)
            renewed = body.get("refresh_token")
            return Tokens(
                access_token=Secret(body["access_token"]),
                expires=asked + timedelta(seconds=int(body["expires_in"])),
                scopes=tuple(str(body.get("scope", "")).split()),
                refresh_token=Secret(renewed) if renewed else None,
            )
    except (
        aiohttp.ClientError,
        TimeoutError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as exc:
        raise unreachable() from exc
