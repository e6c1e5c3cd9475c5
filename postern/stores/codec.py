"""A frozen dataclass as the columns of a row, and back."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

import msgspec

from postern.errors import Unreadable
from postern.ports import Value

_T = TypeVar("_T")
_NESTED = msgspec.inspect.VarTupleType | msgspec.inspect.DictType | msgspec.inspect.DataclassType


def encode(record: Any) -> dict[str, Value]:
    """Return the columns of *record*; None is left out, what is nested becomes JSON text."""
    columns: dict[str, Value] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, bytes):
            columns[field.name] = value
        elif value is not None:
            plain = msgspec.to_builtins(value)
            nested = isinstance(plain, list | tuple | dict)
            columns[field.name] = msgspec.json.encode(plain).decode() if nested else plain
    return columns


def decode(kind: Callable[..., _T], columns: Mapping[str, Value]) -> _T:
    """Return the *kind* that *columns* write. Columns of a newer version are passed over.

    Raises:
        Unreadable: a column is missing or of another type.
    """
    try:
        return kind(**_values(kind, columns))
    except (msgspec.ValidationError, msgspec.DecodeError, TypeError) as exc:
        raise Unreadable from exc


def _values(kind: Any, columns: Mapping[str, Value]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, (hint, nested) in _fields(kind).items():
        if (value := columns.get(name)) is None:
            continue
        if nested:
            values[name] = msgspec.json.decode(str(value), type=hint)
        else:
            values[name] = msgspec.convert(value, hint, builtin_types=(bytes,))
    return values


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    return {name: (hint, _is_nested(hint)) for name, hint in get_type_hints(kind).items()}


def _is_nested(hint: Any) -> bool:
    info = msgspec.inspect.type_info(hint)
    kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    return any(isinstance(kind, _NESTED) for kind in kinds)
