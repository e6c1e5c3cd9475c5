"""The local stack is complete, loses nothing over a restart and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import TableServiceClient

from local import seed
from local.azurite import ACCOUNT, ACCOUNT_KEY, TABLES
from local.deployment import Deployment, Ports
from local.processes import PROJECT, NotStarted, Processes, Program
from local.stack import Stack


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pids: list[int], seconds: float = 10) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def python(name: str, code: str) -> Program:
    return Program(name=name, command=(sys.executable, "-c", code))


def tables(stack: Stack) -> TableServiceClient:
    return TableServiceClient(
        stack.deployment.azurite.tables_url,
        credential=AzureNamedKeyCredential(ACCOUNT, ACCOUNT_KEY),
        connection_verify=str(stack.certificates.ca),
    )


def test_the_stack_is_filled_and_a_restart_loses_nothing(tmp_path):
    stack = Stack(tmp_path, keep=True)
    with stack:
        started = list(stack.processes.pids.values())
        assert stack.entra.get(f"apps/{seed.CONTOSO_MAIL}")
        secret = stack.entra.post(f"apps/{seed.FABRIKAM_MAIL}/secrets")
        key = stack.keys_vault.post("keys", name="receipts", ops=["sign"])["key"]["kid"]
        with tables(stack) as service:
            assert {one.name for one in service.list_tables()} == set(TABLES)
            service.get_table_client("audit").create_entity({"PartitionKey": "p", "RowKey": "r"})
    assert wait_until_gone(started) == []

    again = Stack(tmp_path, keep=True)
    assert again.deployment == stack.deployment
    with again:
        app = again.entra.get(f"apps/{seed.FABRIKAM_MAIL}")
        assert secret["key_id"] in str(app["passwordCredentials"])
        kept = again.keys_vault.post("keys", name="receipts", ops=["sign"])["key"]["kid"]
        assert kept == key
        with tables(again) as service:
            assert service.get_table_client("audit").get_entity("p", "r")


def test_the_stack_leaves_nothing_when_it_is_killed(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from local.stack import Stack;"
        "stack = Stack(Path(sys.argv[1])).start();"
        "print(*stack.processes.pids.values(), flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        (sys.executable, "-c", code, str(tmp_path)), cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) >= 6
        assert all(is_running(pid) for pid in pids)
        os.kill(parent.pid, signal.SIGKILL)
    assert wait_until_gone(pids) == []


def test_a_program_that_ends_too_early_shows_what_it_said(tmp_path):
    processes = Processes(tmp_path)
    staying = python("staying", "import time; print('ready', flush=True); time.sleep(600)")
    failing = python("failing", "print('already unhappy'); raise SystemExit(3)")
    with pytest.raises(NotStarted, match=r"failing ended with status 3(?s:.*)already unhappy"):
        processes.start(staying, failing)
    assert processes.pids == {}


def test_a_program_that_stays_silent_is_not_waited_for_forever(tmp_path):
    processes = Processes(tmp_path)
    with pytest.raises(NotStarted, match="did not say 'ready' in time"):
        processes.start(python("silent", "import time; time.sleep(600)"), timeout=0.3)
    assert processes.pids == {}


def test_a_program_that_will_not_stop_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("local.processes.STOP_SECONDS", 0.3)
    processes = Processes(tmp_path)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    processes.start(python("deaf", f"{deaf}; print('ready', flush=True); time.sleep(600)"))
    pids = list(processes.pids.values())
    processes.stop()
    assert wait_until_gone(pids, 0.5) == []


def test_a_kept_folder_is_not_taken_for_other_ports(tmp_path):
    deployment = Deployment(ports=Ports.free(), seeded=True)
    deployment.remember(tmp_path)
    assert Deployment.of(tmp_path, None, keep=True) == deployment
    with pytest.raises(ValueError, match="other ports"):
        Deployment.of(tmp_path, Ports.free(), keep=True)
    assert (tmp_path / "deployment.json").stat().st_mode & 0o077 == 0
