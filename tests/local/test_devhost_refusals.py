"""What the worker or the host would refuse fails here at start: without a server, app by app.

Then the small rules that the dev host is built on: route templates, schedules, messages, host.json.
"""

import base64
import datetime
import json
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.devhost import schedules
from local.devhost.functions import Function
from local.devhost.host_json import read_host_json
from local.devhost.indexing import index
from local.devhost.messages import encode, messages_of
from local.devhost.paths import decode_path, encode_path
from local.devhost.refusal import Refused
from local.devhost.routing import BadTemplate, Template
from local.devhost.storage import Storage
from local.devhost.worker_rules import find_app

SETTINGS = {"AzureWebJobsStorage": "a connection string", "WHEN": "0 */5 * * * *"}
TIMER: dict[str, Any] = {"arg_name": "timer", "schedule": "%WHEN%"}
QUEUE: dict[str, Any] = {"queue_name": "jobs", "connection": "AzureWebJobsStorage"}


def indexed(app: func.FunctionApp) -> tuple[Function, ...]:
    return index(app, prefix="api", settings=SETTINGS)


def answer(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()


def run(timer: func.TimerRequest) -> None:
    """Do nothing."""


def route(app: func.FunctionApp, name: str, path: str, *methods: str) -> None:
    app.function_name(name)(app.route(route=path, methods=methods or None)(answer))


# --- each of these spoils one app ---


def underscore_in_binding_name(app: func.FunctionApp) -> None:
    @app.timer_trigger(arg_name="my_timer", schedule="%WHEN%")
    def spoiled(my_timer: func.TimerRequest) -> None: ...


def function_name_with_a_space(app: func.FunctionApp) -> None:
    route(app, "spoiled function", "x")


def function_called_host(app: func.FunctionApp) -> None:
    route(app, "Host", "x")


def route_under_admin(app: func.FunctionApp) -> None:
    route(app, "spoiled", "admin/users")


def route_that_only_begins_like_admin(app: func.FunctionApp) -> None:
    route(app, "spoiled", "Administration")


def route_under_runtime(app: func.FunctionApp) -> None:
    route(app, "spoiled", "runtime/x")


def same_route_with_a_method_in_common(app: func.FunctionApp) -> None:
    route(app, "one", "Things/{id}", "GET", "POST")
    route(app, "spoiled", "things/{id}", "POST")


def same_route_for_every_method(app: func.FunctionApp) -> None:
    route(app, "one", "things", "GET")
    route(app, "spoiled", "things")


def leading_slash(app: func.FunctionApp) -> None:
    route(app, "spoiled", "/things")


def unknown_constraint(app: func.FunctionApp) -> None:
    route(app, "spoiled", "things/{id:uuid}")


def list_inside_out(app: func.FunctionApp) -> None:
    @app.timer_trigger(**TIMER)
    @app.queue_output(arg_name="jobs", **QUEUE)
    def spoiled(timer: func.TimerRequest, jobs: func.Out[list[str]]) -> None: ...


def optional_return(app: func.FunctionApp) -> None:
    @app.route(route="x")
    def spoiled(req: func.HttpRequest) -> func.HttpResponse | None:
        raise NotImplementedError


def typing_optional_return(app: func.FunctionApp) -> None:
    @app.route(route="x")
    def spoiled(req: func.HttpRequest) -> typing.Optional[func.HttpResponse]:  # noqa: UP045
        raise NotImplementedError


def wrong_return(app: func.FunctionApp) -> None:
    @app.route(route="x")
    def spoiled(req: func.HttpRequest) -> dict:  # type: ignore[type-arg]
        raise NotImplementedError


def optional_parameter(app: func.FunctionApp) -> None:
    @app.route(route="x")
    def spoiled(req: func.HttpRequest | None) -> func.HttpResponse:
        raise NotImplementedError


def wrong_parameter_type(app: func.FunctionApp) -> None:
    @app.route(route="x")
    def spoiled(req: func.TimerRequest) -> func.HttpResponse:
        raise NotImplementedError


def parameter_without_binding(app: func.FunctionApp) -> None:
    @app.route(route="x")
    def spoiled(req: func.HttpRequest, more: str) -> func.HttpResponse:
        raise NotImplementedError


def binding_without_parameter(app: func.FunctionApp) -> None:
    @app.timer_trigger(**TIMER)
    @app.queue_output(arg_name="jobs", **QUEUE)
    def spoiled(timer: func.TimerRequest) -> None: ...


def output_without_out(app: func.FunctionApp) -> None:
    @app.timer_trigger(**TIMER)
    @app.queue_output(arg_name="jobs", **QUEUE)
    def spoiled(timer: func.TimerRequest, jobs: str) -> None: ...


def input_with_out(app: func.FunctionApp) -> None:
    @app.queue_trigger(arg_name="message", **QUEUE)
    def spoiled(message: func.Out[str]) -> None: ...


def context_of_another_type(app: func.FunctionApp) -> None:
    @app.timer_trigger(**TIMER)
    def spoiled(timer: func.TimerRequest, context: str) -> None: ...


def two_functions_of_one_name(app: func.FunctionApp) -> None:
    route(app, "spoiled", "x")
    route(app, "spoiled", "y")


def two_names_that_differ_by_case(app: func.FunctionApp) -> None:
    route(app, "SPOILED", "x")
    route(app, "spoiled", "y")


def missing_setting_in_a_schedule(app: func.FunctionApp) -> None:
    app.function_name("spoiled")(app.timer_trigger(arg_name="timer", schedule="%NO_SUCH%")(run))


def missing_setting_in_a_queue_name(app: func.FunctionApp) -> None:
    @app.queue_trigger(arg_name="message", queue_name="%NO_SUCH%", connection="AzureWebJobsStorage")
    def spoiled(message: func.QueueMessage) -> None: ...


def missing_connection(app: func.FunctionApp) -> None:
    @app.queue_trigger(arg_name="message", queue_name="jobs", connection="NO_SUCH")
    def spoiled(message: func.QueueMessage) -> None: ...


def queue_name_with_capitals(app: func.FunctionApp) -> None:
    @app.queue_trigger(arg_name="message", queue_name="Jobs", connection="AzureWebJobsStorage")
    def spoiled(message: func.QueueMessage) -> None: ...


def schedule_of_five_fields(app: func.FunctionApp) -> None:
    app.function_name("spoiled")(app.timer_trigger(arg_name="timer", schedule="*/5 * * * *")(run))


def trigger_that_this_host_lacks(app: func.FunctionApp) -> None:
    @app.blob_trigger(arg_name="blob", path="x", connection="AzureWebJobsStorage")
    def spoiled(blob: func.InputStream) -> None: ...


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (underscore_in_binding_name, "binding name 'my_timer' is not valid"),
        (function_name_with_a_space, "not a valid function name"),
        (function_called_host, "not a valid function name"),
        (route_under_admin, "reserved"),
        (route_that_only_begins_like_admin, "reserved"),
        (route_under_runtime, "reserved"),
        (same_route_with_a_method_in_common, "its route is also that of one"),
        (same_route_for_every_method, "its route is also that of one"),
        (leading_slash, "'/' cannot appear consecutively"),
        (unknown_constraint, "the constraint reference 'uuid' could not be resolved"),
        (list_inside_out, "binding jobs has an invalid non-type annotation"),
        (optional_return, "invalid non-type return annotation"),
        (typing_optional_return, "invalid non-type return annotation"),
        (wrong_return, "the return annotation dict does not fit http"),
        (optional_parameter, "binding req has an invalid non-type annotation"),
        (wrong_parameter_type, "binding req: httpTrigger does not fit"),
        (parameter_without_binding, "no binding for its parameters ['more']"),
        (binding_without_parameter, "no parameter for its bindings ['jobs']"),
        (output_without_out, "binding jobs needs an Out[...]"),
        (input_with_out, "binding message needs no Out[...]"),
        (context_of_another_type, "context must be an azure.functions.Context"),
        (two_functions_of_one_name, "does not have a unique function name"),
        (two_names_that_differ_by_case, "another function has this name"),
        (missing_setting_in_a_schedule, "%NO_SUCH% does not resolve"),
        (missing_setting_in_a_queue_name, "%NO_SUCH% does not resolve"),
        (missing_connection, "no setting NO_SUCH"),
        (queue_name_with_capitals, "'Jobs' is not a valid queue name"),
        (schedule_of_five_fields, "is not NCRONTAB"),
        (trigger_that_this_host_lacks, "has no blobTrigger"),
    ],
)
def test_app_is_refused_in_one_line_that_names_function_and_rule(
    spoil: Callable[[func.FunctionApp], None], rule: str
) -> None:
    app = func.FunctionApp()
    app.function_name("healthy")(app.timer_trigger(**TIMER)(run))
    spoil(app)
    with pytest.raises(Refused) as refused:
        indexed(app)
    text = str(refused.value)
    assert rule in text
    assert "spoiled" in text.lower() or "Host" in text
    assert "\n" not in text


def test_what_is_just_allowed_is_taken_in_order_of_name() -> None:
    app = func.FunctionApp()

    @app.route(route="b/{id:guid}/{*rest}", methods=["GET"])
    async def b_get(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        raise NotImplementedError

    @app.route(route="b/{id:guid}/{*rest}", methods=["PUT"])
    def B_put(req: func.HttpRequest) -> func.HttpResponse:
        raise NotImplementedError

    @app.timer_trigger(**TIMER)
    @app.queue_output(arg_name="jobs", **QUEUE)
    def a_timer(timer: func.TimerRequest, jobs: func.Out[typing.List[str]]) -> None: ...  # noqa: UP006

    functions = indexed(app)
    assert [function.name for function in functions] == ["a_timer", "b_get", "B_put"]
    assert [function.is_async for function in functions] == [False, True, False]
    assert functions[1].wants_context


def test_wrapper_without_wraps_renames_the_function() -> None:
    def decorate(call: Callable[..., Any]) -> Callable[..., Any]:
        def inner(timer: func.TimerRequest) -> None:
            call(timer)

        return inner

    app = func.FunctionApp()
    app.timer_trigger(**TIMER)(decorate(run))
    assert [function.name for function in indexed(app)] == ["inner"]


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        ({}, "no FunctionApp"),
        ({"blueprint": func.Blueprint()}, "no FunctionApp"),
        ({"a": func.FunctionApp(), "b": func.FunctionApp()}, "2 FunctionApp names"),
    ],
)
def test_module_must_hold_one_app(names: dict[str, Any], rule: str) -> None:
    with pytest.raises(Refused, match=rule):
        find_app(names)


def test_empty_app_is_refused() -> None:
    with pytest.raises(Refused, match="no function"):
        indexed(func.FunctionApp())


def test_refused_app_ends_the_program_with_status_1(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\n"
        "app = func.FunctionApp()\n"
        "@app.route(route='admin/x')\n"
        "def spoiled(req: func.HttpRequest) -> func.HttpResponse: ...\n"
    )
    command = (sys.executable, "-m", "local.devhost", str(tmp_path), "--port", "0")
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "spoiled: the route 'admin/x' is reserved" in line


# --- route templates and paths ---


@pytest.mark.parametrize(
    ("template", "path", "params"),
    [
        ("api/things/{id}", "/API/Things/7", {"id": "7"}),
        ("api/things/{id}", "/api/things/7/", {"id": "7"}),
        ("api/things/{id}", "/api/things", None),
        ("api/things/{id?}", "/api/things", {}),
        ("api/{*rest}", "/api/a/b", {"rest": "a/b"}),
        ("api/{*rest}", "/api", {}),
        ("api/{id=7}", "/api", {"id": "7"}),
        ("api/{id:int}", "/api/x", None),
        ("api/{id:int:min(3)}", "/api/2", None),
        ("api/{id:length(2,3)}", "/api/abc", {"id": "abc"}),
        ("api/{id:regex(^a+$)}", "/api/aa", {"id": "aa"}),
        ("api/{id:guid}", "/api/4f2d6b1e-8c50-4b0e-9f43-1a2b3c4d5e6f", ...),
        ("api/{id:guid}", "/api/4f2d6b1e", None),
        ("api/{name}.{kind}", "/api/a.txt", {"name": "a", "kind": "txt"}),
    ],
)
def test_template_matches_as_in_asp_net(template: str, path: str, params: Any) -> None:
    found = Template(template).match(path)
    assert found is not None if params is ... else found == params


@pytest.mark.parametrize("text", ["a//b", "a/{*all}/b", "a/{id}/{ID}", "a/{id", "a/{}"])
def test_bad_template_is_refused(text: str) -> None:
    with pytest.raises(BadTemplate):
        Template(text)


def test_encoded_slash_stays_encoded_and_dots_are_resolved() -> None:
    assert decode_path("/api/a%2Fb%20%C3%A9") == "/api/a%2Fb é"
    assert decode_path("/api/%2e%2e/x/./y") == "/x/y"
    assert encode_path("/api/a%2Fb é") == "/api/a%2Fb%20%C3%A9"


# --- schedules ---


def test_seconds_come_first_and_day_and_weekday_must_both_fit() -> None:
    start = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    at = schedules.next_after("30 0 12 13 * Fri", start)
    assert at == datetime.datetime(2026, 11, 13, 12, 0, 30, tzinfo=datetime.UTC)
    assert schedules.next_after("30 0 12 13 * Thu", start).month == 5  # the 13th that is a Thursday


@pytest.mark.parametrize(
    ("schedule", "valid"),
    [
        ("*/10 * * * * *", True),
        ("0 0 9-17/2 * Jan-Mar Mon,Fri", True),
        ("0 */5 * * *", False),
        ("0 0 0 L * *", False),
        ("0 0 0 * * 7", False),
        ("0 0 0 ? * *", False),
        ("60 * * * * *", False),
        ("@hourly", False),
    ],
)
def test_schedule_is_ncrontab(schedule: str, valid: bool) -> None:
    assert schedules.is_valid(schedule) is valid


# --- messages ---


@pytest.mark.parametrize(
    ("converter", "value", "messages"),
    [
        ("generic", "plain", [b"plain"]),
        ("generic", b"\x00\xff", [b"\x00\xff"]),
        ("generic", '["a", {"b": 1}]', [b"a", b'{\n  "b": 1\n}']),
        ("queue", ["a", '{"b": 1}'], [b"a", b'{"b": 1}']),
        ("queue", [], []),
    ],
)
def test_output_becomes_messages_as_in_the_host(
    converter: str, value: Any, messages: list[bytes]
) -> None:
    assert messages_of(encode(converter, value)) == messages


def test_queue_message_as_output_is_its_json() -> None:
    (message,) = messages_of(encode("queue", func.QueueMessage(id="1", body="text")))
    assert json.loads(message) == {"id": "1", "body": "text"}


def test_text_that_only_looks_like_json_fails_as_in_the_host() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        messages_of(encode("generic", "{not json}"))


def test_message_that_is_not_base64_cannot_be_decoded() -> None:
    storage = Storage(encode_base64=True)
    assert storage.decode(base64.b64encode("é".encode()).decode()) == "é"
    with pytest.raises(ValueError, match="base64"):
        storage.decode("!")


# --- host.json ---


def test_host_json_is_read_with_the_hosts_defaults(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0", "functionTimeout": "-1"}')
    rules = read_host_json(tmp_path)
    assert (rules.route_prefix, rules.function_timeout) == ("api", None)
    assert (rules.queues.batch, rules.queues.new_batch_at, rules.queues.tries) == (16, 8, 5)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({}, "version"),
        ({"version": "2.0", "functionTimeout": "5"}, "functionTimeout must be a time span"),
        ({"version": "2.0", "extensions": {"queues": {"batchSize": 33}}}, "batchSize"),
        ({"version": "2.0", "extensions": {"queues": {"maxDequeueCount": 0}}}, "maxDequeueCount"),
        ({"version": "2.0", "extensions": {"queues": {"messageEncoding": "utf8"}}}, "none"),
    ],
)
def test_bad_host_json_is_refused(tmp_path: Path, content: dict[str, Any], rule: str) -> None:
    (tmp_path / "host.json").write_text(json.dumps(content))
    with pytest.raises(Refused, match=rule):
        read_host_json(tmp_path)
