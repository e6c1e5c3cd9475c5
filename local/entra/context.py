"""What every handler needs, in one value; and how it is found from a request."""

from dataclasses import dataclass, field

from starlette.requests import Request

from local.entra.audit import Audit
from local.entra.clock import Clock
from local.entra.faults import Faults
from local.entra.keys import SigningKey
from local.entra.sessions import Sessions
from local.entra.store import State, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Entra:
    base_url: str
    store: Store
    clock: Clock
    key: SigningKey
    faults: Faults = field(default_factory=Faults)
    audit: Audit = field(default_factory=Audit)
    sessions: Sessions = field(default_factory=Sessions)

    @property
    def state(self) -> State:
        return self.store.state

    @classmethod
    def open(cls, base_url: str, store: Store) -> "Entra":
        return cls(
            base_url=base_url.rstrip("/"),
            store=store,
            clock=Clock(store.state.clock_offset),
            key=SigningKey(store.state.signing_key),
        )

    def issuer(self, tenant: str) -> str:
        return f"{self.base_url}/{tenant}/v2.0"


def entra_of(request: Request) -> Entra:
    found = request.app.state.entra
    assert isinstance(found, Entra)  # noqa: S101 - set by app.build, for the type checker
    return found
