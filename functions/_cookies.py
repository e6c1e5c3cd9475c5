"""The browser's cookie: ties the browser that ends a sign-in to the one that began it."""

import azure.functions as func

from postern.crypto import bearer
from postern.model.secret import Secret

# The prefix makes browsers refuse the cookie unless it is Secure, host-only and for every path, so
# a sibling host cannot plant one. Lax and not Strict: it must come along on Entra's redirect.
NAME = "__Host-browser"
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=86400"


def browser_of(req: func.HttpRequest) -> Secret | None:
    """Return the browser's value, or None when it sent none that we could have made."""
    for part in req.headers.get("Cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == NAME and bearer.looks_like_token(value):
            return Secret(value)
    return None


def set_browser(value: Secret) -> str:
    """Return the Set-Cookie header; the value is base64url, which the host leaves as it is."""
    return f"{NAME}={value.reveal()}; {_ATTRIBUTES}"


def form_token(browser: Secret, link: str) -> str:
    """Return what the form must bring back: bound to the browser and to this link."""
    return bearer.digest(browser, "form", link)
