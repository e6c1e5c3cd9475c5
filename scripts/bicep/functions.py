"""Bicep's functions, as far as they can be worked out before the deployment."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from scripts.bicep.values import Either, Ref, Unknown, Value, shown


def known(*values: Value) -> bool:
    """Say whether nothing in *values*, on their first level, waits for the deployment."""
    return not any(isinstance(each, Unknown | Either | Ref) for each in values)


def call(name: str, arguments: list[Value]) -> Value:
    """Return what a function gives; `Unknown` when only Azure can tell."""
    function = _FUNCTIONS.get(name)
    if function is None or not known(*arguments):
        return Unknown(f"{name}({', '.join(shown(each) for each in arguments)})")
    return function(*arguments)


def _union(*given: Value) -> Value:
    if all(isinstance(each, list) for each in given):
        return [item for n, part in enumerate(given) for item in part if _new(item, given[:n])]
    merged: dict[str, Value] = {}
    for each in given:
        merged |= each
    return merged


def _new(item: Value, before: tuple[Value, ...]) -> bool:
    return not any(item in part for part in before)


def _concat(*given: Value) -> Value:
    if all(isinstance(each, list) for each in given):
        return [item for part in given for item in part]
    return "".join(shown(each) for each in given)


def _format(pattern: str, *arguments: Value) -> str:
    return pattern.format(*(shown(each) for each in arguments))


def _items(given: Mapping[str, Value]) -> list[Value]:
    return [{"key": key, "value": given[key]} for key in sorted(given)]


def _contains(where: Any, what: Value) -> bool:
    return bool(what in where)


def _take(of: Any, count: int) -> Value:
    if isinstance(of, str) and "<" in of:
        # The length of what is not known yet is not known either.
        return f"<take {count}:{of}>"
    return of[:count]


def _coalesce(*given: Value) -> Value:
    return next((each for each in given if each is not None), None)


def _string(value: Value) -> str:
    return json.dumps(value, default=shown) if isinstance(value, dict | list) else shown(value)


def _subscription_resource_id(kind: str, *names: str) -> str:
    return "/".join(("/subscriptions/<subscription>/providers", kind, *map(shown, names)))


def _flatten(given: list[list[Value]]) -> list[Value]:
    return [item for part in given for item in part]


_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "any": lambda value: value,
    "array": lambda value: value if isinstance(value, list) else [value],
    "bool": lambda value: str(value).lower() == "true",
    "coalesce": _coalesce,
    "concat": _concat,
    "contains": _contains,
    "empty": lambda value: not value,
    "endsWith": lambda text, end: text.lower().endswith(end.lower()),
    "first": lambda given: given[0] if given else None,
    "flatten": _flatten,
    "format": _format,
    "indexOf": lambda text, part: text.lower().find(part.lower()),
    "int": int,
    "items": _items,
    "join": lambda given, between: between.join(shown(each) for each in given),
    "json": json.loads,
    "last": lambda given: given[-1] if given else None,
    "length": len,
    "max": lambda *given: max(given),
    "min": lambda *given: min(given),
    "objectKeys": lambda given: sorted(given),
    "range": lambda start, count: list(range(start, start + count)),
    "replace": lambda text, old, new: text.replace(old, new),
    "skip": lambda given, count: given[count:],
    "split": lambda text, by: text.split(by),
    "startsWith": lambda text, start: text.lower().startswith(start.lower()),
    "string": _string,
    "substring": lambda text, start, count=None: text[start:][:count],
    "subscriptionResourceId": _subscription_resource_id,
    "take": _take,
    "toLower": lambda text: text.lower(),
    "toUpper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "tryGet": lambda given, key: given.get(key),
    "union": _union,
}
