"""Browsers and the sign-ins that are under way in them.

A flow can be continued only by the browser that began it: otherwise one user's consent page could
be finished in another's browser. All of this is gone after a restart, like a closed browser.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from local.entra.permissions import Scope

COOKIE = "ESTSAUTH-STANDIN"
_FLOWS_KEPT = 5_000


@dataclass(slots=True, kw_only=True)
class Flow:
    """One authorization request, from its first page to the redirect."""

    kind: str  # "authorize" or "admin consent"
    browser: str
    authority: str
    tenant: str | None
    client_id: str
    redirect_uri: str
    scopes: list[Scope]
    state: str | None = None
    nonce: str | None = None
    challenge: str | None = None
    prompt: str = ""
    hint: str = ""
    user: str | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))


class Sessions:
    def __init__(self) -> None:
        self._flows: OrderedDict[str, Flow] = OrderedDict()
        self._accounts: dict[str, list[str]] = {}

    def begin(self, flow: Flow) -> None:
        self._flows[flow.id] = flow
        while len(self._flows) > _FLOWS_KEPT:
            self._flows.popitem(last=False)

    def find(self, flow_id: str, browser: str | None) -> Flow | None:
        flow = self._flows.get(flow_id)
        return flow if flow is not None and flow.browser == browser else None

    def end(self, flow: Flow) -> None:
        self._flows.pop(flow.id, None)

    def accounts(self, browser: str) -> list[str]:
        return self._accounts.get(browser, [])

    def signed_in(self, browser: str, oid: str) -> None:
        known = self._accounts.setdefault(browser, [])
        if oid not in known:
            known.append(oid)
