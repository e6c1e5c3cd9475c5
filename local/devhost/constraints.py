"""The inline route constraints of ASP.NET Core; any other name stops the real host."""

import re
import sys
from collections.abc import Callable

Check = Callable[[str], bool]

_INT = (-(2**31), 2**31 - 1)
_LONG = (-(2**63), 2**63 - 1)


class UnknownConstraint(ValueError):
    """The host says: the constraint reference could not be resolved to a type."""


def constraint(text: str) -> Check:
    """Return the check of one constraint such as `int` or `length(2,8)`."""
    name, _, rest = text.partition("(")
    argument = rest.removesuffix(")")
    simple = _SIMPLE.get(name.strip().lower())
    if simple is not None:
        return simple
    made = _WITH_ARGUMENT.get(name.strip().lower())
    if made is None:
        msg = f"the constraint reference {text!r} could not be resolved"
        raise UnknownConstraint(msg)
    return made(argument)


def _between(low: int, high: int) -> Check:
    return lambda value: (
        re.fullmatch(r"\s*[+-]?[0-9]+\s*", value) is not None and low <= int(value) <= high
    )


def _long_as(low: int, high: int) -> Check:
    return lambda value: low <= len(value) <= high


def _range(argument: str) -> Check:
    low, high = (int(bound) for bound in argument.split(","))
    return _between(low, high)


def _length(argument: str) -> Check:
    low, _, high = argument.partition(",")
    return _long_as(int(low), int(high or low))


def _number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return "_" not in value


def _guid(value: str) -> bool:
    groups = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    forms = rf"[0-9a-f]{{32}}|{groups}|\{{{groups}\}}|\({groups}\)"
    return re.fullmatch(forms, value, re.IGNORECASE) is not None


def _regex(argument: str) -> Check:
    # Braces and brackets are doubled in a template, since they mean something there.
    for doubled in ("{{", "}}", "[[", "]]"):
        argument = argument.replace(doubled, doubled[0])
    pattern = re.compile(argument, re.IGNORECASE)
    return lambda value: pattern.search(value) is not None


_SIMPLE: dict[str, Check] = {
    "int": _between(*_INT),
    "long": _between(*_LONG),
    "decimal": _number,
    "double": _number,
    "float": _number,
    "bool": lambda value: value.strip().lower() in ("true", "false"),
    "guid": _guid,
    "alpha": lambda value: re.fullmatch("[A-Za-z]*", value) is not None,
    "datetime": lambda value: re.match(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}", value) is not None,
    "required": lambda value: value != "",
    "file": lambda value: re.search(r"\.[^/.]+$", value) is not None,
    "nonfile": lambda value: re.search(r"\.[^/.]+$", value) is None,
}

# Each reads its argument at once, so that a bad one fails at start and not at the first request.
_WITH_ARGUMENT: dict[str, Callable[[str], Check]] = {
    "minlength": lambda argument: _long_as(int(argument), sys.maxsize),
    "maxlength": lambda argument: _long_as(0, int(argument)),
    "length": _length,
    "min": lambda argument: _between(int(argument), _LONG[1]),
    "max": lambda argument: _between(_LONG[0], int(argument)),
    "range": _range,
    "regex": _regex,
}
