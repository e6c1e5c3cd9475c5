"""Which addresses a page may lead to.

A page leads the owner on by a link or by itself; an address that is wrong here is an open
redirect under the agency's name, or a script (`javascript:`). Escaping does not help: the address
would be well-formed HTML. So the form is checked where it is put in.
"""

import re
from urllib.parse import quote, urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Browsers drop tabs and newlines inside a URL and read a backslash as a slash; urlsplit does
# neither, so the two would disagree about the host.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


def outward(url: str) -> str:
    """Return *url* if it is absolute https (or http on the loopback address).

    Raises:
        ValueError: it is anything else, or has a user name in it that could pass for the host.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if _AMBIGUOUS.search(url) or not secure or not parts.hostname or "@" in parts.netloc:
        msg = "a page leads only to an https address"
        raise ValueError(msg)
    return url


def own_or_outward(url: str) -> str:
    """Return *url* if it is a path on this site (`/api/…`, not `//host`), or passes `outward`."""
    if url.startswith("/") and not url.startswith("//") and not _AMBIGUOUS.search(url):
        return url
    return outward(url)


def mailto(address: str) -> str:
    """Return a link to write to *address*; a `?` in it adds no header to the message."""
    return "mailto:" + quote(address, safe="@")
