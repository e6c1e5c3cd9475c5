"""The roads through an activation, and what can befall each."""

from tests.crash.ground import Road

ROADS = (
    Road(name="handed over", ends="active", right_on_graph=True),
    Road(name="by hand", ends="awaiting-trust"),
    Road(name="certificate", ends="active", right_on_graph=True, credential="certificate"),
    Road(name="certificate by hand", ends="awaiting-trust", credential="certificate"),
    Road(name="trusted before", ends="active", right_on_graph=True, trusted=True),
    Road(name="wrong secret", ends="failed", secret="wrong"),
    Road(name="without a secret", ends="active", secret="none", trusted=True),
    Road(name="verified", ends="active", verify=True),
    Road(name="certificate verified", ends="active", verify=True, credential="certificate"),
    Road(name="re-activated", ends="active", right_on_graph=True, succeeds=True),
    Road(name="re-activated by hand", ends="awaiting-trust", succeeds=True),
)
SLOW = Road(name="slow replication", ends="handing-over", right_on_graph=True, slow=True)
REPLICATION_SECONDS = 60

_HANDED_OVER, _CERTIFICATE = ROADS[0], ROADS[2]

# Lasting: for the whole activation, which the retries of an SDK do not outlive.
_LASTING = 1000
_KINDS: dict[str, dict[str, object]] = {
    "403": {"status": 403, "times": _LASTING},
    "429": {"status": 429, "retry_after": 0, "times": _LASTING},
    "500": {"status": 500, "times": _LASTING},
    "no answer": {"lose_response": True, "times": _LASTING},
    "429 once": {"status": 429, "retry_after": 0, "times": 1},
}
# Longer than the 20 seconds for which the app waits.
TIMEOUT = {"latency": 22, "times": 1}
_VAULTS = {
    "POSTERN_INTAKE_VAULT_URL": ("secrets/set", "secrets/get", "secrets/delete", "secrets/purge"),
    "POSTERN_KEYS_VAULT_URL": ("keys/get", "keys/list", "keys/sign", "keys/wrap"),
}
_ENTRA = "POSTERN_AUTHORITY_HOST"

Faults = list[tuple[Road, str, dict[str, object]]]

OF_VAULTS: Faults = [
    (
        _HANDED_OVER,
        f"{operation} {kind}",
        {"of": of, "operation": operation, "times": _LASTING, **fault},
    )
    for of, operations in _VAULTS.items()
    for operation in operations
    for kind, fault in _KINDS.items()
]
OF_THE_IDENTITY: Faults = [
    (
        _HANDED_OVER,
        f"identity {kind}",
        {"of": _ENTRA, "endpoint": "identity", "times": _LASTING, **fault},
    )
    for kind, fault in _KINDS.items()
]
# These name the app, so they meet no other cell.
OF_ENTRA: Faults = [
    (road, f"{endpoint} {kind}", {"of": _ENTRA, "endpoint": endpoint, **fault})
    for road in (_HANDED_OVER, _CERTIFICATE)
    for endpoint in ("token", "graph")
    for kind, fault in _KINDS.items()
]
TIMEOUTS: Faults = [
    (road, f"{endpoint} timeout", {"of": _ENTRA, "endpoint": endpoint, **TIMEOUT})
    for road in (_HANDED_OVER, _CERTIFICATE)
    for endpoint in ("token", "graph")
]
