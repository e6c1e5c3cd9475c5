"""Form checks of an activation: everything that can be said before anything is stored."""

import re
from urllib.parse import urlsplit

from postern.errors import Malformed
from postern.model.secret import Secret
from postern.model.wanted import Edit, Wanted

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_ADDRESS = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,255}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def check_wanted(wanted: Wanted) -> None:
    """Raise `Malformed` for what no Entra could accept, naming the field and the repair."""
    _guid("client_id", wanted.client_id, "Application (client) ID")
    _guid("tenant_id", wanted.tenant_id, "Directory (tenant) ID")
    if not wanted.protocols:
        raise Malformed("protocols-missing", "Name at least one of smtp, imap, graph.")
    check_edit(
        Edit(
            name=wanted.name,
            product=wanted.branding.product,
            support=wanted.branding.support,
            accent=wanted.branding.accent,
            allowed_tenants=wanted.allowed_tenants,
            return_urls=wanted.return_urls,
        )
    )


def check_edit(edit: Edit) -> None:
    """Raise `Malformed` for what pages or callbacks could not use."""
    if edit.name is not None and not _readable(edit.name):
        raise Malformed("name-malformed", "Give 'name' some readable text.")
    if edit.product is not None and not _readable(edit.product):
        raise Malformed("product-malformed", "Give 'product' some readable text.")
    for tenant in edit.allowed_tenants or ():
        _guid("allowed_tenants", tenant, "Directory (tenant) ID")
    if edit.accent is not None and not _COLOUR.fullmatch(edit.accent):
        raise Malformed("accent-malformed", "Write 'accent' as #rrggbb.")
    if edit.support is not None and not is_address(edit.support):
        raise Malformed("support-malformed", "Write 'support' as an e-mail address.")
    for url in edit.return_urls or ():
        check_return_url(url)


def check_secret(secret: Secret) -> None:
    """Raise `Malformed` when the pasted text cannot be a client secret's value."""
    text = secret.reveal()
    if _GUID.fullmatch(text.strip()):
        raise Malformed(
            "secret-id-pasted",
            "This is the Secret ID. Paste the secret's Value: it stands in the column beside the"
            " ID and is shown only right after the secret was created. If it is gone, create a"
            " new secret under Certificates & secrets.",
        )
    if not 8 <= len(text) <= 512 or not text.isascii() or not text.isprintable() or " " in text:
        raise Malformed(
            "secret-malformed",
            "A client secret is one line without spaces, as copied from the column Value.",
        )


def check_return_url(url: str) -> None:
    """Raise `Malformed` unless *url* is an absolute https address of plain ASCII.

    Browsers and parsers disagree on backslashes, user information and control characters, and an
    open redirector lives in that gap; so they are refused here, and later compared exactly.
    """
    try:
        parts = urlsplit(url)
        host, scheme = parts.hostname, parts.scheme
    except ValueError:
        host, scheme = None, ""
    safe = url.isascii() and url.isprintable() and not set(url) & set("\\ @<>\"'`{}|^")
    secure = scheme == "https" or (scheme == "http" and host in _LOOPBACK)
    if not (safe and secure and host):
        raise Malformed("return-url-malformed", "A return URL is an absolute https address.")


def is_address(text: str) -> bool:
    """Say whether *text* can be an e-mail address."""
    return _ADDRESS.fullmatch(text) is not None and text.isprintable()


def is_guid(text: str) -> bool:
    """Say whether *text* is a GUID with dashes."""
    return _GUID.fullmatch(text) is not None


def _readable(text: str) -> bool:
    return bool(text.strip()) and text.isprintable()


def _guid(field: str, text: str, title: str) -> None:
    if not is_guid(text):
        raise Malformed(
            f"{field.replace('_', '-')}-malformed",
            f"'{field}' is a GUID like 00000000-0000-0000-0000-000000000000: copy the {title} from"
            " App registrations > your app > Overview.",
        )
