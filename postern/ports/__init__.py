"""What the services need from the world. Adapters implement these; tests/fakes does too.

Every method raises `Unavailable` when its dependency does not answer, and says in its docstring
what else it raises. Nothing here names an SDK.
"""

from postern.ports.clock import Clock
from postern.ports.directory import Credential, Directory, FederatedCredential, Registration
from postern.ports.identity import (
    AuthorizationRequest,
    IdentityProvider,
    ManagedIdentity,
    Proof,
    Redemption,
    Tokens,
    UnverifiedClaims,
)
from postern.ports.records import Change, Operation, Records, Row, RowPage, Value
from postern.ports.vaults import Held, IntakeVault, KeysVault, PublicKey, Purged, Signed

__all__ = [
    "AuthorizationRequest",
    "Change",
    "Clock",
    "Credential",
    "Directory",
    "FederatedCredential",
    "Held",
    "IdentityProvider",
    "IntakeVault",
    "KeysVault",
    "ManagedIdentity",
    "Operation",
    "Proof",
    "PublicKey",
    "Purged",
    "Records",
    "Redemption",
    "Registration",
    "Row",
    "RowPage",
    "Signed",
    "Tokens",
    "UnverifiedClaims",
    "Value",
]
