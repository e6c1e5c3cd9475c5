"""The running stand-ins that the dead leave their traces in, and what is asked of them."""

import base64
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from http.client import HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import jwt

from local import seed, traces
from local.processes import PROJECT
from local.programs import Programs
from local.stack import Stack

# The shortest that the app takes.
INTAKE_SECONDS = 5
WRONG = "Wrong8Q~well-formed-but-nobody-knows-it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """A way through an activation. *secret* is right, wrong or none."""

    name: str
    ends: str
    secret: str = "right"
    right_on_graph: bool = False
    trusted: bool = False
    credential: str | None = None
    verify: bool = False
    slow: bool = False
    succeeds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One process: its road, where what befalls it, and the app registration that is its own.

    *standing* is the app whose place that one takes.
    """

    road: Road
    client_id: str
    secret: str | None
    key_id: str | None
    standing: str | None = None
    act: str = "nothing at"
    at: int | None = None
    fault: dict[str, Any] | None = None
    where: str = "nowhere"
    ended: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.road.name}: {self.act} {self.where} ({self.at})"


class Ground:
    """A local stack without an app, and the programs that die on it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._log = (stack.folder / "logs" / "crash.log").open("ab")

    def close(self) -> None:
        """Close the log; the stack is another's to stop."""
        self._log.close()

    def settle_at_once(self) -> None:
        """Let the intake vault delete and purge without delay: hundreds wait to be swept.

        Both still take effect one after the other; that they take time is for the contract suite.
        """
        stack = self.stack
        programs = Programs(stack.deployment, stack.certificates, None).stand_ins()
        vault = next(each for each in programs if each.name == "intake-vault")
        stack.processes.stop(vault.name)
        stack.processes.start(replace(vault, command=(*vault.command, "--deletion-delay", "0")))

    # --- cells -----------------------------------------------------------------------------------

    def cell(self, road: Road) -> Cell:
        """Return a cell with an app registration of its own."""
        client_id = self._app(right_on_graph=road.right_on_graph, trusted=road.trusted)
        wanted = road.secret != "none"
        secret = self.stack.entra.post(f"apps/{client_id}/secrets") if wanted else {}
        wrong = road.secret == "wrong"
        return Cell(
            road=road,
            client_id=client_id,
            secret=f"{WRONG}{client_id}" if wrong else secret.get("value"),
            key_id=secret.get("key_id"),
            standing=self._app(right_on_graph=False, trusted=True) if road.succeeds else None,
        )

    def _app(self, *, right_on_graph: bool, trusted: bool) -> str:
        entra = self.stack.entra
        client_id = entra.post(
            "apps",
            tenant=seed.CONTOSO,
            display_name="Crash",
            audience="AzureADMultipleOrgs",
            application_permissions=["Application.ReadWrite.OwnedBy"] if right_on_graph else [],
            owns_itself=right_on_graph,
        )["client_id"]
        if trusted:
            entra.post(
                f"apps/{client_id}/federations",
                name="postern",
                issuer=f"{self.stack.deployment.entra_url}/{seed.CONTOSO}/v2.0",
                subject=seed.IDENTITY_PRINCIPAL_ID,
                audiences=["api://AzureADTokenExchange"],
            )
        return str(client_id)

    def cells(self, road: Road, act: str, boundaries: Sequence[tuple[int, str]]) -> list[Cell]:
        """Return a cell for each boundary."""
        with ThreadPoolExecutor(4) as pool:
            made = pool.map(self.cell, [road] * len(boundaries))
        return [
            replace(cell, act=act, at=at, where=where)
            for cell, (at, where) in zip(made, boundaries, strict=True)
        ]

    def run(self, cells: Sequence[Cell], *, at_once: int = 8) -> list[Cell]:
        """Let each cell run in its process; return them with how they ended."""
        orders = [
            {
                "client_id": cell.client_id,
                "secret": cell.secret,
                "credential": cell.road.credential,
                "verify": cell.road.verify,
                "standing": cell.standing,
                "impatient": cell.road.slow,
                "act": cell.act,
                "at": cell.at,
                "fault": cell.fault,
            }
            for cell in cells
        ]
        ended = self.child("run", str(at_once), orders=orders)
        return [replace(cell, ended=each) for cell, each in zip(cells, ended, strict=True)]

    def child(self, *command: str, orders: object = None) -> Any:
        """Run a command of tests/crash/child.py; whatever it prints lands where we search."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.crash.child", *command],
            input=json.dumps(orders),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            check=False,
            cwd=PROJECT,
            env=self._environment,
        )
        assert done.returncode == 0, f"{command} failed; see {self._log.name}"
        return json.loads(done.stdout)

    @cached_property
    def _environment(self) -> dict[str, str]:
        local = "localhost,127.0.0.1"
        return {
            **os.environ,
            **self.stack.certificates.environment,
            **self.stack.settings,
            **{"NO_PROXY": local, "no_proxy": local},
        }

    # --- what is left ----------------------------------------------------------------------------

    def readable(self, cells: Sequence[Cell]) -> dict[str, list[str]]:
        """Return where the secrets of *cells* can be read, by client id; in one pass over all."""
        held = [cell for cell in cells if cell.secret]
        answers = json.dumps([cell.ended for cell in cells])
        deployment, found = self.stack.deployment, dict[str, list[str]]()
        for place, url in (
            ("intake vault", deployment.intake_url),
            ("keys vault", deployment.keys_url),
        ):
            with self._line(url) as ask:
                for cell in held:
                    if ask("search", needle=_base64(str(cell.secret)))["found"]:
                        found.setdefault(cell.client_id, []).append(place)
        # A search of everything for each of hundreds would take minutes. So all are looked for at
        # once, and only what was found is asked whose it is.
        needles = [form.encode() for cell in held for form in traces._forms(str(cell.secret))]
        elsewhere = [*traces._tables(self.stack, needles), *traces._queues(self.stack, needles)]
        elsewhere += [
            str(path)
            for path in self.stack.folder.rglob("*")
            if path.is_file() and traces._holds(path.read_bytes(), needles)
        ]
        if traces._holds(answers.encode(), needles):
            elsewhere.append("an answer")
        if elsewhere:
            found["elsewhere"] = elsewhere
        return found

    def heal(self) -> None:
        """Let nothing fail any more."""
        for each in (self.stack.entra, self.stack.intake_vault, self.stack.keys_vault):
            each.delete("faults")

    def looked_at(self) -> dict[str, "Left"]:
        """Return what the app's records say, by client id."""
        seen = self.child("look")
        return {each["client_id"]: Left(each, seen["keys"]) for each in seen["configs"]}

    def held(self, names: Sequence[str]) -> set[str]:
        """Return of which of these names the intake vault has anything, also deleted."""
        with self._line(self.stack.deployment.intake_url) as ask:
            return {name for name in names if ask("search", needle=_base64(name))["found"]}

    def passwords(self, cells: Sequence[Cell]) -> dict[str, list[str]]:
        """Return the key ids of the passwords that Entra knows, by client id."""
        with self._line(self.stack.deployment.entra_url) as ask:
            return {
                cell.client_id: [
                    each["keyId"] for each in ask(f"apps/{cell.client_id}")["passwordCredentials"]
                ]
                for cell in cells
            }

    @contextmanager
    def _line(self, url: str) -> Iterator[Callable[..., Any]]:
        """Keep one connection to a control API: for hundreds of questions, a handshake is long."""
        trust = ssl.create_default_context(cafile=self.stack.certificates.ca)
        connection = HTTPSConnection(urlsplit(url).netloc, context=trust, timeout=30)

        def ask(path: str, **body: object) -> Any:
            content = json.dumps(body) if body else None
            connection.request("POST" if body else "GET", f"/_control/{path}", content)
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status < 300, said
            return json.loads(said)

        with closing(connection):
            yield ask

    def proofs(self) -> set[str]:
        """Return the correlation ids of the exchanges in which a new credential worked."""
        return {
            each["correlation_id"]
            for each in self.stack.entra.get("exchanges")["exchanges"]
            if each["outcome"] == "ok" and each["auth"] in ("federated", "certificate")
        }


@dataclass(frozen=True, slots=True)
class Left:
    """What the app's records say of a cell."""

    records: dict[str, Any]
    keys: dict[str, Any]

    @property
    def claims(self) -> dict[str, Any] | None:
        """Return what the receipt says, its signature verified as anybody would."""
        receipt = self.records["receipt"]
        if receipt is None:
            return None
        key = jwt.PyJWKSet.from_dict(self.keys)[jwt.get_unverified_header(receipt)["kid"]]
        return dict(jwt.decode(receipt, key, algorithms=["RS256"]))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
