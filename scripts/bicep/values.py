"""What an expression is worth before anything is deployed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Plain JSON values, and where only Azure knows: one of the classes below.
Value = Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that is known at deployment only; *text* says what, the same for the same thing."""

    text: str

    def __str__(self) -> str:
        return f"<{self.text}>"


@dataclass(frozen=True, slots=True)
class Ref:
    """A resource (no path) or a property of one, as Azure will tell it."""

    type: str
    name: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"<{'.'.join((f'{self.type} {self.name}', *self.path))}>"


@dataclass(frozen=True, slots=True)
class Either:
    """One of two values, by a test that is known at deployment only."""

    test: str
    yes: Value
    no: Value

    def __str__(self) -> str:
        return f"<{self.test} ? {self.yes} : {self.no}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource that the deployment makes. *under* is the parent or the scope, when it has one."""

    type: str
    name: str
    body: Mapping[str, Value]
    under: Ref | None = None
    condition: Value = True
    where: str = field(default="", compare=False)

    @property
    def properties(self) -> Mapping[str, Value]:
        found = self.body.get("properties", {})
        return found if isinstance(found, dict) else {}

    def get(self, *path: str) -> Value:
        """Return what is at *path* of the body; None when something on the way is not there."""
        value: Value = self.body
        for name in path:
            if not isinstance(value, dict) or name not in value:
                return None
            value = value[name]
        return value


def shown(value: Value) -> str:
    """Return *value* as Bicep's own string conversion would, with what is unknown in brackets."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(shown(each) for each in value) + "]"
    return str(value)
