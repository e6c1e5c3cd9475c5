"""A cookie as it reaches the browser: parsed by the SDK, carried by gRPC, rebuilt by ASP.NET."""

import email.utils
from http.cookies import Morsel, SimpleCookie
from urllib.parse import quote


def set_cookie_lines(jar: "SimpleCookie") -> list[str]:
    """One line a cookie; a cookie that the SDK could not parse is not here any more: it is lost."""
    return [_line(morsel) for morsel in jar.values()]


def _line(morsel: "Morsel[str]") -> str:
    parts = [f"{morsel.key}={quote(morsel.value, safe='-._~')}"]
    if morsel["expires"]:
        moment = email.utils.parsedate_to_datetime(morsel["expires"])
        parts.append(f"expires={email.utils.format_datetime(moment, usegmt=True)}")
    if morsel["max-age"] != "":
        seconds = float(morsel["max-age"])
        if seconds < 0:
            msg = "the host refuses a cookie with a negative Max-Age"
            raise ValueError(msg)
        parts.append(f"max-age={int(seconds)}")
    # Always there, also when the app gave none: "path=" is not "path=/".
    parts += [f"domain={morsel['domain']}", f"path={morsel['path']}"]
    if morsel["secure"]:
        parts.append("secure")
    if morsel["samesite"].lower() in ("lax", "strict", "none"):
        parts.append(f"samesite={morsel['samesite'].lower()}")
    if morsel["httponly"]:
        parts.append("httponly")
    return "; ".join(parts)
