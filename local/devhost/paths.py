"""A request's path as Kestrel hands it on, and as it stands in HttpRequest.url again."""

import re
from urllib.parse import quote, unquote_to_bytes

_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_SLASH = re.compile(r"(%2[fF])")
_SAFE = "/:@!$&'()*+,;=~-._"


def decode_path(raw: str) -> str:
    """Decode everything but an encoded slash and broken UTF-8, then resolve dot segments."""
    return _without_dots(_ESCAPES.sub(_decoded, raw))


def encode_path(decoded: str) -> str:
    """Encode again, leaving what is still encoded alone."""
    pieces = re.split(r"(%[0-9A-Fa-f]{2})", decoded)
    return "".join(
        piece if re.fullmatch(r"%[0-9A-Fa-f]{2}", piece) else quote(piece, safe=_SAFE)
        for piece in pieces
    )


def _decoded(found: re.Match[str]) -> str:
    return "".join(_decoded_piece(piece) for piece in _SLASH.split(found[0]))


def _decoded_piece(piece: str) -> str:
    if piece.lower() == "%2f":
        return piece
    try:
        return unquote_to_bytes(piece).decode()
    except UnicodeDecodeError:
        return piece


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments[1:]:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
