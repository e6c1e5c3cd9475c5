"""Entra's error answers as values. Its descriptions stay here: they name accounts."""

import json
import re
from collections.abc import Mapping
from typing import Any

from postern.errors import ProviderRefused, Unavailable

_NUMBER = re.compile(r"AADSTS(\d{1,9})")
_SECONDS = re.compile(r"[0-9]{1,9}")
_LONGEST_WAIT = 3600.0


def refusal(
    body: Mapping[str, Any], status: int, retry_after: str | None = None
) -> ProviderRefused:
    """Return what *body*, an error answer of the token endpoint, says."""
    codes = body.get("error_codes")
    described = _NUMBER.match(str(body.get("error_description", "")))
    number = codes[0] if codes else described and described[1]
    return ProviderRefused(
        error=str(body.get("error", "unknown")),
        status=status,
        number=int(number) if number else None,
        suberror=body.get("suberror"),
        correlation_id=body.get("correlation_id"),
        retry_after=seconds(retry_after),
    )


def error_body(text: str) -> Mapping[str, Any]:
    """Return an error answer's JSON; {} for what a proxy or a fault put in its place."""
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def seconds(header: str | None) -> float | None:
    """Return Retry-After in seconds, an hour at most; its date form is not used by Entra."""
    if not header or not _SECONDS.fullmatch(header):
        return None
    return min(float(header), _LONGEST_WAIT)


def unreachable() -> Unavailable:
    """Return the failure for an Entra that does not answer in time or not in JSON."""
    return Unavailable("entra-unavailable", "Entra does not answer; try again.")
