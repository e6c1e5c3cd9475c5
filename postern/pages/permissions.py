"""What Microsoft's permission names mean to the person who is asked for them.

Never less than the permission allows: an owner who agrees here must not learn more on Microsoft's
own page.
"""

from collections.abc import Iterable

_SEND = "Send mail as you"
_MAIL = "Read, change and delete mail in your mailbox"
_PROFILE = "Sign you in and see your basic profile (name, e-mail address)"
_STAY = "Stay connected until you or your administrator withdraws it"

# In the order in which an owner should read them: what matters most first.
_SENTENCES = {
    "SMTP.Send": _SEND,
    "Mail.Send": _SEND,
    "IMAP.AccessAsUser.All": _MAIL,
    "POP.AccessAsUser.All": _MAIL,
    "Mail.ReadWrite": _MAIL,
    "Mail.Read": "Read mail in your mailbox",
    "openid": _PROFILE,
    "profile": _PROFILE,
    "email": _PROFILE,
    "User.Read": _PROFILE,
    "offline_access": _STAY,
}
_BY_LOWER_NAME = {name.lower(): sentence for name, sentence in _SENTENCES.items()}

# A permission of the same name under another resource is another permission.
_RESOURCES = (
    "https://outlook.office.com/",
    "https://outlook.office365.com/",
    "https://graph.microsoft.com/",
)

_PROTOCOLS = {
    "smtp": "Send mail as you (SMTP)",
    "imap": "Read, change and delete mail in your mailbox (IMAP)",
    "graph": "Send, read, change and delete mail as you (Microsoft Graph)",
}


def sentences(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return a plain sentence for each of *scopes*, each once, in a stable order.

    A scope without a sentence is shown by its name, after the others: never left out.
    """
    found = [_sentence(scope) for scope in scopes]
    order = {sentence: place for place, sentence in enumerate(_SENTENCES.values())}
    return tuple(sorted(dict.fromkeys(found), key=lambda text: order.get(text, len(_SENTENCES))))


def abilities(names: Iterable[str]) -> tuple[str, ...]:
    """Return sentences for *names* that are protocols (`smtp`) or scopes, each once."""
    names = list(names)
    protocols = [_PROTOCOLS[name] for name in names if name in _PROTOCOLS]
    return (
        *dict.fromkeys(protocols),
        *sentences(name for name in names if name not in _PROTOCOLS),
    )


def _sentence(scope: str) -> str:
    name = scope.lower()
    for resource in _RESOURCES:
        name = name.removeprefix(resource)
    return _BY_LOWER_NAME.get(name, f"Use the Microsoft permission “{scope}”")
