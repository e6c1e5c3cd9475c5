"""The real app in processes that die: `python -m tests.crash.child <command>`, told on stdin.

    run       forks a process for each cell, which activates (or sweeps) and dies where it was told
    sweep     runs the sweeper once, in a process that knows nothing of the dead
    look      tells what the app's records and receipts say
    verify    does what is left to an admin: adds the trust by hand, and verifies

Imports are paid once; each fork has adapters, connections and tokens of its own, and ends without
any `finally`, as in a power cut. The settings come by the environment, as in production.
"""

import asyncio
import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
from azure.core.pipeline.policies._retry import RetryPolicyBase

from local.control import Control
from postern import assembly
from postern.errors import PosternError
from postern.model.branding import Branding
from postern.model.config import Audience, Config, ConfigState, CredentialKind
from postern.model.scopes import Protocol
from postern.model.secret import Secret
from postern.model.trust import trust_to_add
from postern.model.wanted import Wanted
from postern.ports import Records
from postern.services import activation, sweeping
from postern.settings import Settings, read
from postern.stores.configs import ConfigStore
from tests.crash.steps import DIED, Counted, Reached, Steps, watch_requests

# What the SDKs import at their first call, here paid once and not in each fork.
for _module in (
    "azure.core.rest._aiohttp",
    "azure.identity.aio._credentials.app_service",
    "msal_extensions",
    "cryptography.hazmat.backends.openssl.backend",
):
    import_module(_module)

_PORTS = ("records", "intake", "keys", "identity", "provider", "directory")

Cell = dict[str, Any]

log = logging.getLogger(__name__)


def build(reach: Reached | None = None) -> tuple[assembly.Postern, Records]:
    """Build the app as production does; *reach* hears of each call of its ports."""
    worlds = []
    compose = assembly.compose

    def counted(settings: Settings, world: assembly.World) -> assembly.Postern:
        worlds.append(world)
        members = {name: getattr(world, name) for name in _PORTS}
        if reach:
            members = {name: Counted(name, port, reach) for name, port in members.items()}
        return compose(settings, assembly.World(clock=world.clock, **members))

    assembly.compose = counted
    try:
        return assembly.assemble(read()), worlds[0].records
    finally:
        assembly.compose = compose


# --- run ------------------------------------------------------------------------------------------


def run(cells: Sequence[Cell], at_once: int) -> list[dict[str, Any]]:
    """Run every cell in a process of its own, in their order; say how each ended."""
    waiting = list(enumerate(cells))[::-1]
    running: dict[int, tuple[int, int]] = {}
    ended: dict[int, dict[str, Any]] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            number, cell = waiting.pop()
            reading, writing = os.pipe()
            if (pid := os.fork()) == 0:
                os.close(reading)
                _be(cell, writing)
            os.close(writing)
            running[pid] = number, reading
        pid, status = os.wait()
        number, reading = running.pop(pid)
        with os.fdopen(reading) as said:
            ended[number] = {"status": os.waitstatus_to_exitcode(status), **json.load(said)}
    return [ended[number] for number in range(len(cells))]


def _be(cell: Cell, pipe: int) -> NoReturn:
    """Be the process of one cell: it never returns."""

    def die(boundary: str) -> NoReturn:
        os.write(pipe, json.dumps({"at": boundary}).encode())
        os._exit(DIED)

    def cut(boundary: str) -> None:
        raise aiohttp.ServerDisconnectedError(boundary)

    steps = Steps(cell.get("at"), die if cell.get("act") == "die" else cut)
    said: dict[str, Any] = {}
    try:
        said["state"] = asyncio.run(_live(cell, steps))
    except PosternError as exc:
        log.info("refused cell=%s", cell.get("client_id"), exc_info=True)
        said["refused"] = str(exc)
    except BaseException:
        log.exception("failed cell=%s", cell.get("client_id"))
        said["failed"] = traceback.format_exc()
    os.write(pipe, json.dumps({**said, "steps": steps.passed}).encode())
    os._exit(0)


async def _live(cell: Cell, steps: Steps) -> str:
    if cell.get("sweep"):
        watch_requests(steps.reach)
        return str(await sweep(steps.reach))
    if not (fault := cell["fault"]):
        return await _activate(cell, steps)
    service = Control(os.environ[fault.pop("of")], Path(os.environ["SSL_CERT_FILE"]))
    service.post("faults", **fault)
    try:
        return await _activate(cell, steps)
    finally:
        if "client_id" not in fault:  # one that everybody meets; cells with such run one by one
            service.delete("faults")


async def _activate(cell: Cell, steps: Steps) -> str:
    # A refusal is believed at once: repeating it for seconds makes no new state.
    activation._REPLICATION = timedelta(0)
    if cell["impatient"]:
        activation.PATIENCE = timedelta(0)
    before = await _before(cell, build()[0])
    watch_requests(steps.reach)
    app, _ = build(steps.reach)
    secret = Secret(cell["secret"]) if cell["secret"] else None
    wanted = _wanted(app, cell["client_id"], cell["credential"])
    if before is None:
        return (await app.activation.activate("admin", wanted, secret)).state.value
    if cell["verify"]:
        return (await app.activation.verify("admin", before.id)).state.value
    ended = await app.succession.begin("admin", before, wanted, secret, confirmed=True)
    return ended.state.value


async def _before(cell: Cell, app: assembly.Postern) -> Config | None:
    """Return the configuration that was there before the first step: it waits, or works."""
    if cell["verify"]:
        wanted = _wanted(app, cell["client_id"], cell["credential"])
        waiting = await app.activation.activate("admin", wanted, Secret(cell["secret"]))
        _trust(app, waiting)
        return waiting
    if cell["standing"]:
        wanted = _wanted(app, cell["standing"], None)
        return await app.activation.activate("admin", wanted, None)
    return None


def _wanted(app: assembly.Postern, client_id: str, credential: str | None) -> Wanted:
    return Wanted(
        name="Crash",
        client_id=client_id,
        tenant_id=app.deployment.tenant_id,
        audience=Audience.ORGANIZATIONS,
        credential=CredentialKind(credential) if credential else None,
        protocols=tuple(Protocol),
        branding=Branding(product="Crash"),
    )


def _trust(app: assembly.Postern, config: Config) -> None:
    """Add the credential to the registration, as an admin in the portal."""
    # Only what this program was started with tells where Entra's stand-in is.
    entra = Control(os.environ["POSTERN_AUTHORITY_HOST"], Path(os.environ["SSL_CERT_FILE"]))
    path = f"apps/{config.client_id}"
    if config.certificate is not None:
        entra.post(f"{path}/certificates", key=config.certificate.der)
    else:
        fields: Any = trust_to_add(config, app.deployment)["fields"]
        entra.post(f"{path}/federations", **fields)


# --- what happens to the dead ---------------------------------------------------------------------


async def sweep(reach: Reached | None = None) -> dict[str, int]:
    """Sweep once. An activation counts as dead after seconds: its clock cannot be put forward,
    since Entra compares the times of an assertion with its own."""
    sweeping._LONGEST_ACTIVATION = timedelta(seconds=5)
    app, _ = build(reach)
    return dict(await app.sweeper.sweep())


async def look() -> dict[str, Any]:
    """Return every configuration with its receipt, and the keys that verify receipts."""
    app, records = build()
    found = []
    for config in await _all(records):
        custody = await ConfigStore(records).custody(config.id, config.activation)
        found.append(
            {
                "client_id": config.client_id,
                "id": config.id,
                "state": config.state.value,
                "problem": config.problem and config.problem.code,
                "intake": [config.intake, str(config.intake_deadline or "")],
                "secret_name": custody and custody.secret_name,
                "receipt": custody and custody.receipt,
            }
        )
    return {"configs": found, "keys": await app.custody.key_set()}


async def verify() -> dict[str, str]:
    """Do what the admin of each unfinished configuration would; return how it went."""
    app, records = build()
    went = {}
    for config in await _all(records):
        if config.state is not ConfigState.ACTIVE:
            _trust(app, config)
            try:
                went[config.client_id] = (await _go_on(app, config)).state.value
            except PosternError as exc:
                went[config.client_id] = str(exc)
    return went


async def _go_on(app: assembly.Postern, config: Config) -> Config:
    standing, _ = await app.configurations.show(config.id)
    if standing.client_id != config.client_id and config.state is ConfigState.FAILED:
        # A failed successor is no more; now that its app is trusted no secret is needed.
        wanted = _wanted(app, config.client_id, config.credential)
        return await app.succession.begin("admin", standing, wanted, None, confirmed=True)
    return await app.succession.verify("admin", config.id)


async def _all(records: Records) -> list[Config]:
    """Return the configurations and those that are to take the place of one."""
    stores = ConfigStore(records), ConfigStore(records, successors=True)
    return [known.value for store in stores async for known in store.all()]


def _main() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)
    command = sys.argv[1]
    # The SDKs try again as in production, but without their pauses of seconds.
    RetryPolicyBase.BACKOFF_MAX = 0
    if command == "run":
        answer: object = run(json.load(sys.stdin), at_once=int(sys.argv[2]))
    else:
        answer = asyncio.run({"sweep": sweep, "look": look, "verify": verify}[command]())
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # connections are left to the system: closing each politely takes longer


if __name__ == "__main__":
    _main()
