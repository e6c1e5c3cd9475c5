"""Resources and their permissions, and how a `scope` parameter is read.

A permission of Graph and one of Exchange may bear the same name (`SMTP.Send`), and a bare name
means Graph. That is how an app gets a token with the wrong audience, so the two are kept apart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from local.entra.errors import Refused

_MAIL = MappingProxyType(
    {
        "Mail.Read": "Read your mail",
        "Mail.ReadWrite": "Read and write your mail",
        "Mail.Send": "Send mail as you",
        "IMAP.AccessAsUser.All": "Read and write your mail over IMAP",
        "POP.AccessAsUser.All": "Read your mail over POP",
        "SMTP.Send": "Send mail as you over SMTP",
    }
)
_SIGN_IN = MappingProxyType(
    {
        "openid": "Sign you in",
        "profile": "View your basic profile",
        "email": "View your email address",
        "offline_access": "Maintain access to data you have given it access to",
    }
)
# As registrations list them. Exchange Online is taken to use the same ones (unverified).
_IDS = MappingProxyType(
    {
        "Mail.Read": "570282fd-fa5c-430d-a7fd-fc8dc98a9dca",
        "Mail.ReadWrite": "024d486e-b451-40bb-833d-3e66d98c5c73",
        "Mail.Send": "e383f46e-2787-4529-855e-0e479a3ffac0",
        "IMAP.AccessAsUser.All": "652390e4-393a-48de-9484-05f9b1212954",
        "POP.AccessAsUser.All": "d7b7f2d9-0f45-4ea1-9d42-e50810c06991",
        "SMTP.Send": "258f6531-6087-4cc4-bb90-092c5fb3ed3f",
        "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
        "openid": "37f7f235-527c-4136-accd-4a02d197296e",
        "profile": "14dad69e-099b-42c9-810b-d002981feec1",
        "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
        "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
        "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
        "Application.ReadWrite.All": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
        "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
        "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    }
)
DEFAULT = ".default"


@dataclass(frozen=True, slots=True)
class Resource:
    name: str
    app_id: str
    uris: tuple[str, ...]
    scopes: Mapping[str, str] = field(hash=False)
    roles: tuple[str, ...] = ()


GRAPH = Resource(
    "Microsoft Graph",
    "00000003-0000-0000-c000-000000000000",
    ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"),
    {"User.Read": "Sign you in and read your profile", **_MAIL, **_SIGN_IN},
    (
        "Application.ReadWrite.All",
        "Application.ReadWrite.OwnedBy",
        "Application.Read.All",
        "Directory.Read.All",
    ),
)
OUTLOOK = Resource(
    "Office 365 Exchange Online",
    "00000002-0000-0ff1-ce00-000000000000",
    (
        "https://outlook.office.com",
        "https://outlook.office365.com",
        "00000002-0000-0ff1-ce00-000000000000",
    ),
    _MAIL,
)
BY_ID = {one.app_id: one for one in (GRAPH, OUTLOOK)}
# Resources that an app alone (or an identity) may ask a token for; they have no scopes here.
PLATFORM_URIS = ("https://storage.azure.com", "https://vault.azure.net")


@dataclass(frozen=True, slots=True)
class Scope:
    resource: Resource
    audience: str
    name: str

    @property
    def is_sign_in(self) -> bool:
        return self.name in _SIGN_IN

    @property
    def words(self) -> str:
        return self.resource.scopes[self.name]

    @property
    def full(self) -> str:
        """Graph's scopes are named briefly in answers, those of others in full, as Entra does."""
        return self.name if self.resource is GRAPH else f"{self.audience}/{self.name}"


def parse(text: str, *, unknown_scope: int = 70011) -> list[Scope]:
    """Read a scope parameter; `unknown_scope` is the number that the endpoint refuses with."""
    scopes = [_one(part, text, unknown_scope) for part in dict.fromkeys(text.split())]
    kinds = {one.name == DEFAULT for one in scopes if not one.is_sign_in}
    if len(kinds) == 2:
        raise Refused(70011, scope=f"{text} (.default can't be combined with other scopes)")
    return scopes


def _one(part: str, whole: str, unknown_scope: int) -> Scope:
    audience, slash, name = part.rpartition("/")
    if not slash:
        resource, audience = GRAPH, GRAPH.uris[0]
    else:
        # "https://graph.microsoft.com//.default" is legal and means an audience with a slash.
        audience = audience.rstrip("/")
        resource = resource_of(audience)
    if name == DEFAULT:
        return Scope(resource, audience, DEFAULT)
    known = {one.lower(): one for one in resource.scopes}
    if name.lower() not in known:
        raise Refused(unknown_scope, scope=whole, resource=resource.name)
    return Scope(resource, audience, known[name.lower()])


def resource_of(uri: str) -> Resource:
    for resource in BY_ID.values():
        if uri.lower() in resource.uris:
            return resource
    raise Refused(500011, resource=uri)


def single_resource(scopes: Iterable[Scope], text: str) -> Scope:
    """Return a scope of the one resource asked for: a token has one audience."""
    targets = [one for one in scopes if not one.is_sign_in]
    if len({one.audience for one in targets}) > 1:
        raise Refused(28000, scope=text)
    return targets[0] if targets else Scope(GRAPH, GRAPH.uris[0], "openid")


def registered(listed: Iterable[str], resource: Resource) -> list[str]:
    """What a registration lists for a resource: the meaning of `.default`."""
    found = (_one(entry, entry, 70011) for entry in listed)
    return [one.name for one in found if one.resource is resource]


def required(delegated: Iterable[str], roles: Iterable[str]) -> list[dict[str, object]]:
    """Return `requiredResourceAccess`: what a registration lists, by id, as Graph shows it."""
    listed = list(delegated)
    scopes = {one: [(_IDS[n], "Scope") for n in registered(listed, one)] for one in BY_ID.values()}
    scopes[GRAPH] += [(_IDS[name], "Role") for name in roles]
    return [
        {
            "resourceAppId": resource.app_id,
            "resourceAccess": [{"id": one, "type": kind} for one, kind in entries],
        }
        for resource, entries in scopes.items()
        if entries
    ]
