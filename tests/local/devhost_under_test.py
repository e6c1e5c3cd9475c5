"""Starts the dev host over the sample app, and speaks to it byte by byte."""

import http.client
import json
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.azurite import ACCOUNT, ACCOUNT_KEY
from local.processes import Processes, Program, free_ports

SAMPLE = Path(__file__).parent / "sample_app"
PROJECT = Path(__file__).parents[2]
AZURITE = PROJECT / "node_modules/azurite/dist/src/queue/main.js"
STOP_WITH_PARENT = PROJECT / "local/stop_with_parent.cjs"
MASTER, FUNCTION = "the-master-key", "the-function-key"
NOWHERE = "UseDevelopmentStorage=true"  # for hosts whose queues are not looked at


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Host:
    port: int
    log: Path
    trust: ssl.SSLContext | None = None

    def call(
        self,
        path: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        chunked: bool = False,
    ) -> Answer:
        address = ("127.0.0.1", self.port)
        connection = (
            http.client.HTTPSConnection(*address, timeout=10, context=self.trust)
            if self.trust
            else http.client.HTTPConnection(*address, timeout=10)
        )
        try:
            connection.request(method, path, body, dict(headers or {}), encode_chunked=chunked)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def run(self, function: str, text: str = "", **headers: str) -> Answer:
        """Run a timer or queue function through /admin, and wait for its end."""
        return self.call(
            f"/admin/functions/{function}",
            "POST",
            body=json.dumps({"input": text}),
            headers={
                "Content-Type": "application/json",
                "x-functions-key": MASTER,
                "X-Devhost-Wait": "1",
                **headers,
            },
        )

    def seen(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.call("/api/seen").json if kind in one]


def devhost(
    port: int, *more: str, app: Path = SAMPLE, connection: str = NOWHERE, name: str = "devhost"
) -> Program:
    return Program(
        name=name,
        command=(
            *(sys.executable, "-m", "local.devhost", str(app), "--port", str(port)),
            *("--settings", "sample.settings.json", *more),
        ),
        environment={
            "AzureWebJobsStorage": connection,
            "FROM_BOTH": "environment",
            "PYTHON_THREADPOOL_THREAD_COUNT": "1",
        },
        ready="ready http",
    )


def queues(port: int) -> tuple[Program, str]:
    """An emulator for queues alone, and the connection string to it."""
    command = (
        *("node", "--require", str(STOP_WITH_PARENT), str(AZURITE), "--queuePort", str(port)),
        *("--inMemoryPersistence", "--skipApiVersionCheck", "--silent"),
    )
    connection = (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
        f"QueueEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
    )
    return Program(
        name="queues", command=command, ready="Azurite Queue service successfully listens"
    ), connection


def start_one(folder: Path, *more: str) -> tuple[Processes, Host]:
    """Start another dev host, for a test that will end it."""
    (port,) = free_ports(1)
    processes = Processes(folder)
    processes.start(devhost(port, "--master-key", MASTER, *more))
    return processes, Host(port, folder / "devhost.log")


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return value
