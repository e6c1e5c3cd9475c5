"""The world in memory: every port of postern/ports.py, as strict as the real thing at its worst.

No mocks: a fake keeps state and refuses what its original refuses. The contract suites in
tests/contract run against these fakes and against the adapters, so a fake cannot drift into being
kinder than what it stands for. One `Tape` sees every call of every port: a test makes any of them
fail, before or after its effect, or lets something else happen in between.
"""

from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory, FakeManagedIdentity, Password, Registration
from tests.fakes.provider import FakeProvider, User
from tests.fakes.records import FakeRecords
from tests.fakes.tape import AsyncCallback, Failure, Tape, down
from tests.fakes.vaults import VAULT_KEYS, FakeIntakeVault, FakeKeysVault
from tests.fakes.world import (
    BROWSER,
    CERTIFICATE,
    CLIENT_ID,
    ELSEWHERE,
    HOME,
    MANAGED_IDENTITY,
    PASTED,
    FakeWorld,
    caller,
    wanted,
)

__all__ = [
    "BROWSER",
    "CERTIFICATE",
    "CLIENT_ID",
    "ELSEWHERE",
    "HOME",
    "MANAGED_IDENTITY",
    "PASTED",
    "VAULT_KEYS",
    "AsyncCallback",
    "Failure",
    "FakeClock",
    "FakeDirectory",
    "FakeIntakeVault",
    "FakeKeysVault",
    "FakeManagedIdentity",
    "FakeProvider",
    "FakeRecords",
    "FakeWorld",
    "Password",
    "Registration",
    "Tape",
    "User",
    "caller",
    "down",
    "wanted",
]
