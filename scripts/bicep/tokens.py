"""Bicep's tokens. New lines count: they end statements and separate elements."""

import re
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t]+|//[^\n]*|/\*.*?\*/|#[^\n]*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"\d+")
_OPERATOR = re.compile(r"\.\.\.|\?\?|::|=>|==|!=|=~|!~|<=|>=|&&|\|\||[-{}()\[\]@,.?:;+*/%^!<>=|]")
_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]+)\}|(.))")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t"}


class NotUnderstood(Exception):
    """The text is not Bicep that this reader knows."""


@dataclass(frozen=True, slots=True)
class Token:
    """*kind* is word, number, text, operator, line or end; a text has parts in *value*."""

    kind: str
    value: str
    parts: tuple["str | tuple[Token, ...]", ...] = ()
    line: int = 0


def tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of a whole file."""
    found, at = _scan(text.replace("\r\n", "\n"), 0, hole=False)
    return (*found, Token("end", "", line=text.count("\n", 0, at)))


def _scan(text: str, at: int, *, hole: bool) -> tuple[list[Token], int]:
    """Scan to the end of the text or, inside a string's hole, to the brace that closes it."""
    found: list[Token] = []
    depth = 0
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        if text[at] == "\n":
            if found and found[-1].kind != "line":
                found.append(Token("line", "", line=line))
            at += 1
        elif match := _SPACE.match(text, at):
            at = match.end()
        elif text.startswith("'''", at):
            end = text.index("'''", at + 3)
            inner = text[at + 3 : end].removeprefix("\n")
            found.append(Token("text", inner, (inner,), line))
            at = end + 3
        elif text[at] == "'":
            token, at = _text(text, at + 1, line)
            found.append(token)
        elif match := _WORD.match(text, at):
            found.append(Token("word", match.group(), line=line))
            at = match.end()
        elif match := _NUMBER.match(text, at):
            found.append(Token("number", match.group(), line=line))
            at = match.end()
        elif match := _OPERATOR.match(text, at):
            if hole and match.group() == "}" and depth == 0:
                return found, at
            depth += {"{": 1, "}": -1}.get(match.group(), 0)
            found.append(Token("operator", match.group(), line=line))
            at = match.end()
        else:
            raise NotUnderstood(f"line {line}: {text[at : at + 20]!r}")
    return found, at


def _text(text: str, at: int, line: int) -> tuple[Token, int]:
    parts: list[str | tuple[Token, ...]] = []
    plain = ""
    while True:
        if at >= len(text) or text[at] == "\n":
            raise NotUnderstood(f"line {line}: a string is not closed")
        if text[at] == "'":
            return Token("text", plain if not parts else "", (*parts, plain), line), at + 1
        if text.startswith("${", at):
            inner, at = _scan(text, at + 2, hole=True)
            parts += [plain, (*inner, Token("end", "", line=line))]
            plain = ""
            at += 1
        elif match := _ESCAPE.match(text, at):
            code, char = match.groups()
            plain += chr(int(code, 16)) if code else _PLAIN.get(char, char)
            at = match.end()
        else:
            plain += text[at]
            at += 1
