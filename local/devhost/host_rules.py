"""What only the host refuses: the worker alone stays silent about all of these.

From azure-functions-host 4.1037: Utility.cs (names), ScriptHost.cs (routes), and the extensions for
timers and storage queues.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from local.devhost.functions import Function, HttpTrigger
from local.devhost.refusal import Refused

_FUNCTION_NAME = re.compile(r"[a-z][a-z0-9_-]{0,127}", re.IGNORECASE)
_BINDING_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]{0,127}|\$return")
_QUEUE_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_RESERVED = ("admin", "runtime")

# Public: the account of every emulator, printed in the documentation of Azurite.
_EMULATOR = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
)


def check_names(name: str, bindings: Iterable[Any]) -> None:
    if not _FUNCTION_NAME.fullmatch(name) or name.lower() == "host":
        raise Refused(name, "not a valid function name")
    for binding in bindings:
        if not _BINDING_NAME.fullmatch(binding.name):
            raise Refused(
                name, f"binding name {binding.name!r} is not valid: letters and digits only"
            )


def check_route(name: str, route: str) -> None:
    """Refuse what collides with the host's own routes ("administration" as well)."""
    if route.strip("/").lower().startswith(_RESERVED):
        raise Refused(name, f"the route {route!r} is reserved: it begins with admin or runtime")


def check_together(functions: Iterable[Function]) -> None:
    """Refuse equal names and equal routes with methods in common."""
    seen: list[Function] = []
    for function in functions:
        for other in seen:
            if function.name.lower() == other.name.lower():
                raise Refused(function.name, "another function has this name")
            if _same_route(function.trigger, other.trigger):
                raise Refused(function.name, f"its route is also that of {other.name}")
        seen.append(function)


def _same_route(one: object, other: object) -> bool:
    if not isinstance(one, HttpTrigger) or not isinstance(other, HttpTrigger):
        return False
    if one.template.text.lower() != other.template.text.lower():
        return False
    return not one.methods or not other.methods or bool(one.methods & other.methods)


def check_queue(name: str, queue: str) -> str:
    if not _QUEUE_NAME.fullmatch(queue):
        raise Refused(name, f"{queue!r} is not a valid queue name")
    return queue


def connection_string(name: str, connection: str, settings: Mapping[str, str]) -> str:
    """Find it as the host does: by the connection's name, then with the AzureWebJobs prefix."""
    for setting in (connection, f"AzureWebJobs{connection}"):
        if settings.get(setting):
            text = settings[setting]
            return _EMULATOR if text == "UseDevelopmentStorage=true" else text
    if any(setting.startswith(f"{connection}__") for setting in settings):
        raise Refused(name, f"{connection} by identity: this dev host needs a connection string")
    raise Refused(name, f"there is no setting {connection} for its connection")
