"""Turns function_app.py into functions that can be run, or refuses the whole app.

Nothing is started here and no service is called, so that every refusal can be tested statically.
"""

import importlib
import inspect
import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import azure.functions as func

from local.devhost import host_rules, schedules
from local.devhost.functions import (
    Function,
    HttpTrigger,
    Output,
    QueueTrigger,
    TimerTrigger,
    Trigger,
)
from local.devhost.host_json import expand
from local.devhost.refusal import Refused
from local.devhost.routing import Template
from local.devhost.worker_rules import find_app, list_functions, read_signature

log = logging.getLogger("devhost")


def load(folder: Path) -> func.FunctionApp:
    """Import function_app.py from this folder, first on the path as it is on Azure."""
    sys.path.insert(0, str(folder))
    if not (folder / "function_app.py").exists():
        raise Refused("function_app.py", f"there is none in {folder.name}")
    try:
        module = importlib.import_module("function_app")
    except Exception as error:
        log.exception("function_app.py cannot be imported")
        raise Refused("function_app.py", f"cannot be imported: {error!r}") from error
    return find_app(vars(module))


def index(
    app: func.FunctionApp, *, prefix: str, settings: Mapping[str, str]
) -> tuple[Function, ...]:
    """Return the functions in the order in which the host tries their routes: by name."""
    reader = _Reader(prefix, settings)
    functions = sorted(
        (reader.read(function) for function in list_functions(app)),
        key=lambda function: function.name.upper(),
    )
    host_rules.check_together(functions)
    return tuple(functions)


class _Reader:
    def __init__(self, prefix: str, settings: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._settings = settings

    def read(self, function: Any) -> Function:
        name = function.get_function_name()
        signature = read_signature(function)
        bindings = function.get_bindings()
        host_rules.check_names(name, bindings)
        trigger = function.get_trigger()
        others = [binding for binding in bindings if binding is not trigger]
        call = function.get_user_function()
        return Function(
            name=name,
            call=call,
            directory=str(Path(inspect.getfile(call)).parent),
            is_async=signature.is_async,
            wants_context=signature.wants_context,
            may_return=signature.may_return,
            converter=signature.converters[trigger.name],
            trigger=self._trigger(name, trigger),
            outputs=tuple(
                self._output(name, binding, signature.converters[binding.name])
                for binding in others
                if not self._is_response(name, binding)
            ),
        )

    def _trigger(self, name: str, trigger: Any) -> Trigger:
        if trigger.type == "httpTrigger":
            return self._http(name, trigger)
        if trigger.type == "timerTrigger":
            schedule = expand(name, trigger.schedule, self._settings)
            if not schedules.is_valid(schedule):
                raise Refused(name, f"{schedule!r} is not NCRONTAB: six fields, seconds first")
            return TimerTrigger(
                argument=trigger.name,
                schedule=schedule,
                run_on_startup=bool(trigger.run_on_startup),
                use_monitor=trigger.use_monitor is not False,
            )
        if trigger.type == "queueTrigger":
            return QueueTrigger(
                argument=trigger.name,
                queue=self._queue(name, trigger),
                connection=host_rules.connection_string(name, trigger.connection, self._settings),
            )
        raise Refused(name, f"this dev host has no {trigger.type}")

    def _http(self, name: str, trigger: Any) -> HttpTrigger:
        host_rules.check_route(name, trigger.route)
        try:
            route = f"{self._prefix}/{trigger.route}" if self._prefix else trigger.route
            template = Template(route)
        except (ValueError, re.error) as error:
            raise Refused(name, str(error)) from error
        return HttpTrigger(
            argument=trigger.name,
            template=template,
            methods=frozenset(str(method) for method in trigger.methods or ()),
            level=str(trigger.auth_level).lower(),
        )

    def _output(self, name: str, binding: Any, converter: str) -> Output:
        if binding.type != "queue":
            raise Refused(name, f"this dev host has no {binding.type} binding")
        return Output(
            argument=binding.name,
            converter=converter,
            queue=self._queue(name, binding),
            connection=host_rules.connection_string(name, binding.connection, self._settings),
        )

    def _queue(self, name: str, binding: Any) -> str:
        return host_rules.check_queue(name, expand(name, binding.queue_name, self._settings))

    def _is_response(self, name: str, binding: Any) -> bool:
        if binding.type == "http" and binding.name != "$return":
            raise Refused(name, "this dev host takes an HTTP answer only as the return value")
        return bool(binding.type == "http")
