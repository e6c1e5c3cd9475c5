"""Tokens at rest: what each is sealed for. A token moved to another row or column does not open."""

from dataclasses import replace
from datetime import datetime

from postern.crypto.sealing import KeyRing
from postern.model.grant import Access, Grant
from postern.model.mailbox import MailboxId
from postern.model.scopes import Resource
from postern.model.secret import Secret
from postern.ports import Tokens


def seal_refresh_token(ring: KeyRing, mailbox: MailboxId, token: Secret) -> bytes:
    """Return a refresh token sealed for its mailbox."""
    return ring.seal(token, mailbox.config, mailbox.hash, "refresh")


def open_refresh_token(ring: KeyRing, grant: Grant) -> Secret:
    """Return the grant's refresh token. Raises `SealBroken`."""
    return ring.open(grant.refresh_token, grant.config, grant.hash, "refresh")


def seal_access(
    ring: KeyRing,
    mailbox: MailboxId,
    resource: Resource,
    tokens: Tokens,
    asked: datetime | None = None,
) -> Access:
    """Return an access token sealed for its mailbox and resource."""
    sealed = ring.seal(tokens.access_token, mailbox.config, mailbox.hash, f"access:{resource}")
    return Access(token=sealed, expires=tokens.expires, asked=asked)


def open_access(ring: KeyRing, grant: Grant, resource: Resource, access: Access) -> Secret:
    """Return an access token of the grant. Raises `SealBroken`."""
    return ring.open(access.token, grant.config, grant.hash, f"access:{resource}")


def with_tokens(
    grant: Grant, ring: KeyRing, resource: Resource, tokens: Tokens, *, asked: datetime | None
) -> Grant:
    """Return *grant* holding *tokens*; the old refresh token stays unless a new one came."""
    before = grant.access(resource)
    asked = asked or (before.asked if before else None)
    access = seal_access(ring, grant.id, resource, tokens, asked)
    if tokens.refresh_token is not None:
        sealed = seal_refresh_token(ring, grant.id, tokens.refresh_token)
        grant = replace(grant, refresh_token=sealed)
    if resource is Resource.OUTLOOK:
        return replace(grant, outlook=access)
    return replace(grant, graph=access)
