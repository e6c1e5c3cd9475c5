"""The dev host does what the Functions host does: through real requests, timers and queues.

What it refuses at start is in test_devhost_refusals.py.
"""

import base64
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.storage.queue import QueueServiceClient

from local.certificates import throw_away
from local.devhost.stopping import HARD_STOP_SECONDS
from local.processes import Processes, free_ports
from tests.local.devhost_under_test import (
    FUNCTION,
    MASTER,
    Host,
    devhost,
    queues,
    start_one,
    wait_until,
)

FIRST_MESSAGES = {
    "jobs": ("ok", "fail", "fail once"),
    "long-jobs": ("once",),
}
CUSTOM = ["nosniff", "DENY"]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[QueueServiceClient, str]]:
    """Queues that hold messages before the host comes: their long ways run beside other tests."""
    (port,) = free_ports(1)
    program, connection = queues(port)
    processes = Processes(tmp_path_factory.mktemp("queues"))
    processes.start(program)
    with QueueServiceClient.from_connection_string(connection) as service:
        for name, texts in FIRST_MESSAGES.items():
            service.create_queue(name).close()
            for text in texts:
                put(service, name, text)
        service.get_queue_client("jobs").send_message("!!! not base64 !!!")
        yield service, connection
    processes.kill("queues")  # asked politely, it may wait ten seconds for its connections


@pytest.fixture(scope="module")
def host(
    storage: tuple[QueueServiceClient, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("host")
    processes = Processes(folder)
    keys = ("--master-key", MASTER, "--function-key", FUNCTION)
    processes.start(devhost(port, *keys, "--queue-lease", "1", connection=storage[1]))
    yield Host(port, folder / "devhost.log")
    processes.stop()


def put(service: QueueServiceClient, queue: str, text: str) -> None:
    service.get_queue_client(queue).send_message(base64.b64encode(text.encode()).decode())


# --- start ---


def test_says_first_what_it_is_and_last_that_it_is_ready(host: Host) -> None:
    # stdout and stderr share the file; what functions log comes after "ready".
    lines = host.log.read_text().splitlines()
    assert "DEV HOST, not the Azure Functions host" in lines[0]
    assert "leaves out" in lines[0]
    assert f"ready http://127.0.0.1:{host.port}" in lines


def test_takes_settings_from_the_file_but_the_environment_wins(host: Host) -> None:
    assert host.call("/api/echo/a").json["settings"] == {
        "FROM_FILE": "file",
        "FROM_BOTH": "environment",
    }


# --- requests ---


def test_request_reaches_the_function_as_the_host_makes_it(host: Host) -> None:
    answer = host.call(
        "/api/Echo/bob/7/?a=1&A=2&plus=x+y&empty=&z=%41",
        "POST",
        headers={"X-Two": "1", "x-two ".strip(): "2", "traceparent": f"00-{'a' * 32}-b-01"},
        body="text",
    )
    got = answer.json
    assert got["route"] == {"name": "bob", "count": "7"}
    assert got["query"] == {"a": "1,2", "plus": "x y", "z": "A"}
    assert got["url"].endswith("/api/Echo/bob/7/?a=1&A=2&plus=x+y&empty=&z=%41")
    assert got["body"] == "text"
    assert got["function"] == "echo"
    assert re.fullmatch(rf"00-{'a' * 32}-[0-9a-f]{{16}}-0[01]", got["trace"])


def test_repeated_headers_are_joined_and_names_are_lower_case(host: Host) -> None:
    headers = host.call("/api/echo/a", headers={"X-Two": "1", "x-tWO": "2"}).json["headers"]
    assert headers["x-two"] == "1,2"


def test_unused_optional_route_parameter_is_absent(host: Host) -> None:
    assert host.call("/api/echo/bob").json["route"] == {"name": "bob"}


def test_chunked_body_is_empty(host: Host) -> None:
    answer = host.call("/api/echo/a", "POST", body=iter([b"lost"]), chunked=True)
    assert answer.json["body"] == ""


def test_oversized_body_is_refused_before_it_is_read(host: Host) -> None:
    assert host.call("/api/echo/a", "POST", headers={"Content-Length": "104857601"}).status == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/nothing-here"),
        ("GET", "/"),
        ("DELETE", "/api/echo/bob"),
        ("HEAD", "/api/echo/bob"),
        ("GET", "/api/echo/b0b"),
        ("GET", "/api/echo/bob/x"),
        ("GET", "/api/login/../nothing"),
    ],
)
def test_no_route_and_wrong_method_are_an_empty_404(host: Host, method: str, path: str) -> None:
    answer = host.call(path, method)
    assert (answer.status, answer.body) == (404, b"")
    assert answer.all("X-Content-Type-Options") + answer.all("X-Frame-Options") == CUSTOM


def test_functions_are_tried_in_order_of_name(host: Host) -> None:
    assert host.call("/api/who/me").body == b"a"


# --- answers ---


def test_cookies_are_parsed_and_rebuilt_and_one_with_a_space_is_lost(host: Host) -> None:
    assert host.call("/api/login").all("Set-Cookie") == [
        "__Host-a=x%2B%2F%3D; domain=; path=/; secure; samesite=lax; httponly",
        "bare=1; max-age=60; domain=; path=",
    ]


def test_of_a_repeated_header_the_last_wins_and_the_app_wins_over_host_json(host: Host) -> None:
    answer = host.call("/api/login")
    assert answer.all("X-Name") == ["last"]
    assert answer.all("X-Frame-Options") == ["SAMEORIGIN"]
    assert answer.all("X-Content-Type-Options") == ["nosniff"]


@pytest.mark.parametrize(
    "kind",
    ["raises", "none", "dict", "json-text", "no-content-body", "header", "negative-age"],
)
def test_what_cannot_be_sent_is_an_empty_500(host: Host, kind: str) -> None:
    answer = host.call(f"/api/answers/{kind}")
    assert (answer.status, answer.body) == (500, b"")
    assert answer.all("X-Content-Type-Options") == ["nosniff"]


def test_text_says_its_charset(host: Host) -> None:
    page, text = host.call("/api/answers/page"), host.call("/api/answers/text")
    assert (page.body, page.all("Content-Type")) == (
        "<p>é".encode(),
        ["text/html; charset=utf-8"],
    )
    assert (text.body, text.all("Content-Type")) == (b"plain", ["text/plain; charset=utf-8"])


# --- logging ---


def test_failure_goes_to_the_log_with_its_traceback_and_no_query(host: Host) -> None:
    host.call("/api/answers/raises?code=a-secret-of-the-caller")
    host.call("/api/nothing?code=a-secret-of-the-caller")
    log = host.log.read_text()
    assert "ValueError: a detail that nobody may see" in log
    assert "Traceback" in log
    assert "a-secret-of-the-caller" not in log


def test_what_the_app_logs_has_level_and_logger(host: Host) -> None:
    host.call("/api/echo/a")
    assert "WARNING sample: the app says hello" in host.log.read_text()


# --- keys ---


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/api/guarded", None, 401),
        ("/api/guarded", "wrong", 401),
        ("/api/guarded", FUNCTION, 200),
        ("/api/guarded", MASTER, 200),
        ("/api/strictly-guarded", FUNCTION, 401),
        ("/api/strictly-guarded", MASTER, 200),
    ],
)
def test_key_is_asked_for_in_header_or_query(
    host: Host, path: str, key: str | None, status: int
) -> None:
    by_header = host.call(path, headers={"x-functions-key": key} if key else {})
    by_query = host.call(f"{path}?code={key}" if key else path)
    for answer in (by_header, by_query):
        assert answer.status == status
        assert answer.body == (b"in" if status == 200 else b"")


def test_header_key_comes_before_the_query(host: Host) -> None:
    answer = host.call(f"/api/guarded?code={FUNCTION}", headers={"x-functions-key": "wrong"})
    assert answer.status == 401


# --- running ---


def test_functions_that_are_not_async_share_few_threads(host: Host) -> None:
    """PYTHON_THREADPOOL_THREAD_COUNT is 1 here: three sleeps of 0.2 s follow each other."""
    started = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        statuses = [answer.status for answer in pool.map(host.call, ["/api/threads"] * 3)]
    assert statuses == [200] * 3
    assert time.monotonic() - started >= 0.6


def test_function_past_the_timeout_is_cancelled(host: Host) -> None:
    started = time.monotonic()
    answer = host.call("/api/endless")
    assert (answer.status, answer.body) == (500, b"")
    assert 2.0 <= time.monotonic() - started < 4.0
    assert "endless ran longer than functionTimeout (2.0 s)" in host.log.read_text()
    assert "INFO sample: endless was cancelled" in host.log.read_text()


# --- admin ---


def test_admin_runs_a_timer_now(host: Host) -> None:
    assert host.seen("yearly") == [], "a timer ran before its time"
    assert host.run("Yearly").status == 200
    (run,) = host.seen("yearly")
    assert run["yearly"].startswith("0001-01-01T00:00:00")
    assert re.match(r"\d{4}-01-01T00:00:00", run["next"])


def test_admin_runs_a_queue_function_with_the_input(host: Host) -> None:
    assert host.run("work", "by hand").status == 200
    assert "by hand" in [one["work"] for one in host.seen("work")]


def test_admin_answers_202_without_waiting_and_500_when_the_waited_for_failed(host: Host) -> None:
    without_waiting = host.call(
        "/admin/functions/broken",
        "POST",
        body='{"input": ""}',
        headers={"Content-Type": "application/json", "x-functions-key": MASTER},
    )
    assert (without_waiting.status, without_waiting.body) == (202, b"")
    waited = host.run("broken")
    assert (waited.status, waited.body) == (500, b"")


def test_admin_wants_the_master_key_and_proper_json(host: Host) -> None:
    kind = {"Content-Type": "application/json"}
    master = {"x-functions-key": MASTER}
    path = "/admin/functions/yearly"
    assert host.call(path, "POST", body="{}", headers=kind).status == 401
    function_key = {"x-functions-key": FUNCTION}
    assert host.call(path, "POST", body="{}", headers=kind | function_key).status == 401
    assert host.call(path, "POST", body="{}", headers=master).status == 415
    assert host.call(path, "POST", body="{", headers=kind | master).status == 400
    assert host.call("/admin/functions/no", "POST", body="{}", headers=kind | master).status == 404
    assert host.call("/admin/host/status").status == 401
    assert host.call("/admin/host/status", headers=master).json == {"state": "Running"}


# --- timers ---


def test_timer_fires_on_its_schedule_and_never_beside_itself(host: Host) -> None:
    ticks = wait_until(lambda: (found := host.seen("tick"))[1:] and found)
    assert {one["tick"] for one in ticks} == {1}, "two runs of one timer at a time"
    assert ticks[0]["past_due"] is False
    # The host keeps no status for a timer that recurs more often than once a minute.
    assert ticks[0]["status"] == {}


def test_only_the_timer_that_asks_for_it_runs_at_startup(host: Host) -> None:
    assert wait_until(lambda: host.seen("at_startup")) == [{"at_startup": True}]


# --- queues ---


def test_message_is_delivered_with_its_metadata_and_deleted(
    host: Host, storage: tuple[QueueServiceClient, str]
) -> None:
    (message,) = wait_until(lambda: [one for one in host.seen("work") if one["work"] == "ok"])
    assert message["count"] == 1
    assert message["id"]
    assert message["receipt"] is True
    inserted, next_visible, expires = message["times"]
    assert inserted < next_visible < expires


def test_failed_message_comes_back_after_the_visibility_timeout(host: Host) -> None:
    wait_until(lambda: len(_counts(host, "fail once")) > 1)
    assert _counts(host, "fail once") == [1, 2]
    first, second = (one["at"] for one in host.seen("work") if one["work"] == "fail once")
    # Two seconds in host.json; the lease, which ends after one, would bring it back earlier.
    assert second - first >= 1.9


def test_message_goes_to_the_poison_queue_after_the_last_try(
    host: Host, storage: tuple[QueueServiceClient, str]
) -> None:
    def poison() -> set[str]:
        with storage[0].get_queue_client("jobs-poison") as queue:
            if "jobs-poison" not in [one.name for one in storage[0].list_queues()]:
                return set()
            return {message.content for message in queue.peek_messages(max_messages=32)}

    expected = {base64.b64encode(b"fail").decode(), "!!! not base64 !!!"}
    wait_until(lambda: poison() == expected)
    assert _counts(host, "fail") == [1, 2]


def test_message_is_held_for_as_long_as_its_function_runs(
    host: Host, storage: tuple[QueueServiceClient, str]
) -> None:
    wait_until(lambda: {"long": "done"} in host.seen("long"))
    time.sleep(0.5)  # a second delivery would have come by now
    assert host.seen("long") == [{"long": "once"}, {"long": "done"}]
    assert _is_empty(storage[0], "long-jobs")


def test_list_output_is_one_message_an_item_and_wakes_its_own_trigger(host: Host) -> None:
    assert host.call("/api/enqueue", "POST", body='["one", "two"]').status == 202
    wait_until(lambda: {"one", "two"} <= {message["work"] for message in host.seen("work")})


def test_text_output_that_is_json_is_taken_apart_as_the_host_does(host: Host) -> None:
    assert host.call("/api/enqueue-text", "POST", body='["three", {"a": 4}]').status == 202
    texts = {"three", '{\n  "a": 4\n}'}
    wait_until(lambda: texts <= {message["work"] for message in host.seen("work")})


def test_message_that_is_too_large_fails_the_function(host: Host) -> None:
    assert host.call("/api/enqueue-text", "POST", body="x" * 50_000).status == 500


def test_output_makes_its_queue(host: Host, storage: tuple[QueueServiceClient, str]) -> None:
    assert host.call("/api/enqueue-new", "POST").status == 202
    with storage[0].get_queue_client("made-by-output") as queue:
        (message,) = queue.peek_messages()
    assert message.content == base64.b64encode(b"first").decode()


def _counts(host: Host, text: str) -> list[int]:
    return [one["count"] for one in host.seen("work") if one["work"] == text]


def _is_empty(service: QueueServiceClient, name: str) -> bool:
    with service.get_queue_client(name) as queue:
        return queue.get_queue_properties().approximate_message_count == 0


# --- the end ---


def test_stops_on_sigterm_and_cancels_what_runs(tmp_path: Path) -> None:
    processes, host = start_one(tmp_path)
    caller = threading.Thread(target=_call_and_be_cut_off, args=(host, "/api/endless"))
    caller.start()
    time.sleep(0.2)
    started = time.monotonic()
    processes.stop()
    caller.join()
    assert time.monotonic() - started < 2.0
    log = host.log.read_text()
    assert "INFO sample: endless was cancelled" in log
    assert "was left behind" not in log


def test_blocked_loop_does_not_keep_it_alive(tmp_path: Path) -> None:
    processes, host = start_one(tmp_path)
    caller = threading.Thread(target=_call_and_be_cut_off, args=(host, "/api/blocked"))
    caller.start()
    time.sleep(0.2)
    started = time.monotonic()
    processes.stop()
    caller.join()
    assert time.monotonic() - started < HARD_STOP_SECONDS + 1.0


def test_serves_https_with_random_keys_and_ends_with_its_parent(tmp_path: Path) -> None:
    certificates = throw_away(tmp_path / "certificates")
    (port,) = free_ports(1)
    program = devhost(port, "--cert", str(certificates.cert), "--key", str(certificates.key))
    parent = "import subprocess, sys, time\nsubprocess.Popen(sys.argv[1:])\ntime.sleep(60)"
    log = tmp_path / "devhost.log"
    environment = {**_environment(), **program.environment}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", parent, *program.command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        wait_until(lambda: f"ready https://127.0.0.1:{port}" in log.read_text())
        host = Host(port, log, ssl.create_default_context(cafile=certificates.ca))
        found = re.search(r"function key of this run: (\S+)", log.read_text())
        assert found is not None
        assert host.call("/api/guarded").status == 401
        assert host.call("/api/guarded", headers={"x-functions-key": found[1]}).body == b"in"
        assert host.call("/api/echo/a").json["url"].startswith("https://")
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not _answers(host), seconds=5)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def _answers(host: Host) -> bool:
    try:
        host.call("/api/who/me")
    except OSError:
        return False
    return True


def _call_and_be_cut_off(host: Host, path: str) -> None:
    try:
        host.call(path)
    except (OSError, EOFError):
        return
