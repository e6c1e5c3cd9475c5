"""What the Python worker refuses when it indexes an app (its version 4.34, functions.py).

One bad function makes the worker report none at all, so the first one ends the start. The rules
that only the host has are in `host_rules.py`.
"""

import inspect
import types
import typing
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from azure.functions.decorators.core import BindingDirection

from local.devhost.refusal import Refused

# What the worker takes for "a generic type": typing.List[str], but neither list[str] nor Optional.
_TYPING_GENERIC = type(typing.List[int])  # noqa: UP006
_NO_GENERICS = (typing.Union, types.UnionType, tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How the worker would call this function."""

    is_async: bool
    wants_context: bool
    may_return: bool
    converters: dict[str, str]  # of its bindings, by parameter name


def find_app(names: dict[str, Any]) -> func.FunctionApp:
    """Find the one app among the names of function_app.py; two names of one app are two apps."""
    apps = [value for value in names.values() if isinstance(value, func.FunctionRegister)]
    if not apps:
        raise Refused("function_app.py", "no FunctionApp at the top level")
    if len(apps) > 1:
        raise Refused("function_app.py", f"{len(apps)} FunctionApp names at the top level, not one")
    return typing.cast(func.FunctionApp, apps[0])


def list_functions(app: func.FunctionApp) -> list[Any]:
    """Ask the SDK for the functions, as the worker does; it checks names and triggers itself."""
    try:
        functions = app.get_functions()
    except ValueError as error:
        raise Refused("function_app.py", str(error)) from error
    if not functions:
        raise Refused("function_app.py", "no function: the host would look for function.json files")
    return functions


def read_signature(function: Any) -> Signature:
    name = function.get_function_name()
    call = function.get_user_function()
    bindings = {binding.name: binding for binding in function.get_bindings()}
    parameters = set(inspect.signature(call).parameters)
    try:
        hints = typing.get_type_hints(call)
    except Exception as error:
        raise Refused(name, f"its type hints cannot be resolved: {error}") from error

    for binding in bindings.values():
        if binding.direction == BindingDirection.INOUT.value:
            raise Refused(name, f'binding {binding.name}: "inout" is not supported')
    returned = bindings.pop("$return", None)
    wants_context = "context" in parameters and "context" not in bindings
    if wants_context:
        parameters.remove("context")
        _check_context(name, hints)
    if unbound := parameters - set(bindings):
        raise Refused(name, f"no binding for its parameters {sorted(unbound)}")
    if missing := set(bindings) - parameters:
        raise Refused(name, f"no parameter for its bindings {sorted(missing)}")
    converters = {key: _read_parameter(name, one, hints) for key, one in bindings.items()}
    if returned is not None:
        _check_return(name, returned, hints)
        converters["$return"] = returned.type
    return Signature(
        is_async=inspect.iscoroutinefunction(call),
        wants_context=wants_context,
        may_return=returned is not None,
        converters=converters,
    )


def _check_context(name: str, hints: dict[str, Any]) -> None:
    hint = hints.get("context")
    if hint is not None and (not isinstance(hint, type) or hint.__name__ != "Context"):
        raise Refused(name, "the parameter context must be an azure.functions.Context")


def _read_parameter(name: str, binding: Any, hints: dict[str, Any]) -> str:
    """Check one parameter's annotation and return which converter the worker takes for it."""
    if binding.name not in hints:
        return str(binding.type)
    hint = hints[binding.name]
    is_out = typing.get_origin(hint) is func.Out or hint is func.Out
    if is_out:
        arguments = typing.get_args(hint)
        if len(arguments) != 1:
            raise Refused(name, f"binding {binding.name} has an invalid Out annotation {hint!r}")
        hint = arguments[0]
    if not isinstance(hint, type) and not _is_generic(hint):
        raise Refused(
            name,
            f"binding {binding.name} has an invalid non-type annotation {hints[binding.name]!r}"
            " (inside Out use typing.List, not list[...]; no Optional)",
        )
    binds_out = binding.direction == BindingDirection.OUT.value
    if binds_out != is_out:
        wanted, given = ("an Out[...]", "none") if binds_out else ("no Out[...]", "one")
        raise Refused(name, f"binding {binding.name} needs {wanted}, its annotation is {given}")
    if hint in (str, bytes):
        return "generic"
    converter = converter_of(binding.type)
    check = "check_output_type_annotation" if is_out else "check_input_type_annotation"
    if converter is not None and not getattr(converter, check)(hint):
        raise Refused(name, f"binding {binding.name}: {binding.type} does not fit {hint!r}")
    return str(binding.type)


def _check_return(name: str, binding: Any, hints: dict[str, Any]) -> None:
    if binding.direction != BindingDirection.OUT.value:
        raise Refused(name, '"$return" must have the direction "out"')
    if "return" not in hints:
        return
    hint = hints["return"]
    if not isinstance(hint, type):
        raise Refused(name, f"has an invalid non-type return annotation {hint!r} (no Optional)")
    converter = converter_of(binding.type)
    if converter is not None and not converter.check_output_type_annotation(hint):
        raise Refused(name, f"the return annotation {hint.__name__} does not fit {binding.type}")


def _is_generic(hint: Any) -> bool:
    return isinstance(hint, _TYPING_GENERIC) and typing.get_origin(hint) not in _NO_GENERICS


def converter_of(binding_type: str) -> Any:
    """Return the SDK's own converter between a binding's data and what the function sees."""
    registry: Any = func.get_binding_registry()
    return registry.get(binding_type)
