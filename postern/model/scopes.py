"""Protocols, the resource each one's token is for, and the permissions asked of an owner.

The permissions are listed under Microsoft Graph in a registration, yet a token for SMTP or IMAP is
asked for under outlook.office.com; a token request may name one resource only (AADSTS28000), an
authorize request several (shared facts, section 3).
"""

from collections.abc import Iterable
from enum import StrEnum

OUTLOOK = "https://outlook.office.com/"
GRAPH = "https://graph.microsoft.com/"

# MSAL adds these itself and refuses to be given them.
OPENID_SCOPES = ("openid", "profile", "offline_access")


class Protocol(StrEnum):
    """What a sender speaks."""

    SMTP = "smtp"
    IMAP = "imap"
    GRAPH = "graph"


class Resource(StrEnum):
    """What an access token is for; the value names the columns of a grant."""

    OUTLOOK = "outlook"
    GRAPH = "graph"


RESOURCE_OF = {
    Protocol.SMTP: Resource.OUTLOOK,
    Protocol.IMAP: Resource.OUTLOOK,
    Protocol.GRAPH: Resource.GRAPH,
}

SCOPES_OF = {
    Protocol.SMTP: (OUTLOOK + "SMTP.Send",),
    Protocol.IMAP: (OUTLOOK + "IMAP.AccessAsUser.All",),
    Protocol.GRAPH: (GRAPH + "Mail.Send", GRAPH + "Mail.ReadWrite", GRAPH + "User.Read"),
}


def resources(protocols: Iterable[Protocol]) -> tuple[Resource, ...]:
    """Return the resources behind *protocols*, each once, in a stable order."""
    wanted = {RESOURCE_OF[protocol] for protocol in protocols}
    return tuple(resource for resource in Resource if resource in wanted)


def scopes(protocols: Iterable[Protocol], resource: Resource | None = None) -> tuple[str, ...]:
    """Return the scopes of *protocols*; of one *resource* only when given."""
    return tuple(
        scope
        for protocol in Protocol
        if protocol in set(protocols) and resource in (None, RESOURCE_OF[protocol])
        for scope in SCOPES_OF[protocol]
    )


def granted(protocols: Iterable[Protocol], scopes_given: Iterable[str]) -> tuple[Protocol, ...]:
    """Return those of *protocols* whose every scope is among *scopes_given*.

    Entra names Graph's scopes without their resource ("Mail.Send") and Outlook's with it.
    """
    given = {scope.lower() for scope in scopes_given}
    given |= {GRAPH.lower() + scope for scope in given if "/" not in scope}
    return tuple(
        protocol
        for protocol in Protocol
        if protocol in set(protocols) and {s.lower() for s in SCOPES_OF[protocol]} <= given
    )
