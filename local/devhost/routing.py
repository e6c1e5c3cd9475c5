"""Route templates as ASP.NET Core matches them in the Functions host.

There is no "more specific first": the caller tries templates in order of function name and takes
the first that matches. Literals match without regard to case and a trailing slash is ignored.
"""

import re
from dataclasses import dataclass

from local.devhost.constraints import Check, constraint

_PARAMETER = re.compile(r"\{((?:[^{}]|\{\{|\}\})*)\}")


class BadTemplate(ValueError):
    """The host would not start with this template."""


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    rules: tuple[Check, ...]
    optional: bool
    catch_all: bool
    default: str | None


class Template:
    """One route, prefix included, ready to be matched against decoded paths."""

    def __init__(self, text: str) -> None:
        self.text = text.removeprefix("~/").strip("/")
        if "//" in _PARAMETER.sub("x", text.removeprefix("~/").removeprefix("/")):
            msg = f"route {text!r}: the separator '/' cannot appear consecutively"
            raise BadTemplate(msg)
        self._parameters: list[_Parameter] = []
        segments = self.text.split("/") if self.text else []
        pattern = ""
        for segment in segments:
            if any(parameter.catch_all for parameter in self._parameters):
                msg = f"route {text!r}: a catch-all parameter can only be the last segment"
                raise BadTemplate(msg)
            pattern += self._pattern_of(segment)
        self._pattern = re.compile(f"{pattern}/?", re.IGNORECASE | re.DOTALL)

    def match(self, path: str) -> dict[str, str] | None:
        """Return the route's parameters, or None; an optional one that is not there is absent."""
        found = self._pattern.fullmatch(path)
        if found is None:
            return None
        values: dict[str, str] = {}
        for number, parameter in enumerate(self._parameters):
            value = found.group(f"p{number}") or parameter.default
            if value is None:
                continue
            if not all(rule(value) for rule in parameter.rules):
                return None
            values[parameter.name] = value
        return values

    def _pattern_of(self, segment: str) -> str:
        pattern, last, optional = "/", 0, False
        for found in _PARAMETER.finditer(segment):
            parameter = _parameter(found[1])
            if parameter.name.lower() in (known.name.lower() for known in self._parameters):
                msg = f"route {self.text!r}: parameter {parameter.name!r} appears more than once"
                raise BadTemplate(msg)
            group = f"(?P<p{len(self._parameters)}>{'.*' if parameter.catch_all else '[^/]+?'})"
            self._parameters.append(parameter)
            pattern += self._literal(segment[last : found.start()]) + group
            last = found.end()
            optional |= parameter.optional or parameter.catch_all or parameter.default is not None
        pattern += self._literal(segment[last:])
        return f"(?:{pattern})?" if optional else pattern

    def _literal(self, text: str) -> str:
        if set(text) & set("{}?*"):
            msg = f"route {self.text!r}: a brace, '?' or '*' outside of a parameter"
            raise BadTemplate(msg)
        return re.escape(text)


def _parameter(text: str) -> _Parameter:
    name, *rules = _split_at_colons(text.lstrip("*"))
    default = None
    if rules and "(" not in rules[-1] and "=" in rules[-1]:
        rules[-1], _, default = rules[-1].partition("=")
    elif not rules and "=" in name:
        name, _, default = name.partition("=")
    optional = (rules[-1] if rules else name).endswith("?")
    if optional and rules:
        rules[-1] = rules[-1].removesuffix("?")
    name = name.removesuffix("?")
    if not name or set(name) & set("/{}*"):
        msg = f"route parameter {text!r} has no valid name"
        raise BadTemplate(msg)
    return _Parameter(
        name, tuple(constraint(rule) for rule in rules), optional, text.startswith("*"), default
    )


def _split_at_colons(text: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        if letter == ":" and depth == 0:
            parts.append("")
            continue
        depth += (letter == "(") - (letter == ")")
        parts[-1] += letter
    return parts
