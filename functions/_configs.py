"""A configuration as its admin sees it."""

from datetime import datetime
from typing import Any

import azure.functions as func
import msgspec

from functions._http import answer
from postern.errors import Unprocessable
from postern.model.config import UNFINISHED, Audience, Config, ConfigState, CredentialKind
from postern.model.scopes import Protocol
from postern.model.trust import Deployment, certificate_to_add, trust_to_add


class ShownConfig(msgspec.Struct, omit_defaults=True):
    """A configuration for its admin. It holds nothing secret."""

    id: str
    name: str
    state: ConfigState
    client_id: str
    tenant_id: str
    audience: Audience
    protocols: tuple[Protocol, ...]
    product: str
    credential: CredentialKind
    credential_reason: str
    created: datetime
    changed: datetime
    redirect_uri: str
    support: str | None = None
    allowed_tenants: tuple[str, ...] = ()
    return_urls: tuple[str, ...] = ()
    paused: bool = False
    deleting: bool = False
    certificate_ends: datetime | None = None
    certificate_to_add: dict[str, Any] | None = None
    credential_ends_in_days: int | None = None
    mailboxes_depending: str | None = None
    clients_depending: str | None = None
    proof_correlation_id: str | None = None
    problem: dict[str, Any] | None = None
    breaker: dict[str, Any] | None = None
    secret_removal_deadline: datetime | None = None
    trust_to_add: dict[str, Any] | None = None
    successor: "ShownConfig | None" = None


def settled(
    config: Config, deployment: Deployment, base_url: str, *, done: int
) -> func.HttpResponse:
    """Answer *done* when active, 202 while it must be finished; raise what Entra refused."""
    if config.problem is not None:
        raise Unprocessable(
            config.problem.code,
            config.problem.description,
            {
                "config": config.id,
                "correlation_id": config.problem.correlation_id,
                "aadsts": config.problem.aadsts,
            },
        )
    status = 202 if config.state in UNFINISHED else done
    return answer(shown(config, deployment, base_url), status)


def shown(config: Config, deployment: Deployment, base_url: str) -> ShownConfig:
    """Return a configuration as its admin sees it."""
    problem = config.problem
    return ShownConfig(
        id=config.id,
        name=config.name,
        state=config.state,
        client_id=config.client_id,
        tenant_id=config.tenant_id,
        audience=config.audience,
        protocols=config.protocols,
        product=config.branding.product,
        support=config.branding.support,
        allowed_tenants=config.allowed_tenants,
        return_urls=config.return_urls,
        paused=config.paused,
        deleting=config.deleting,
        credential=config.credential,
        credential_reason=config.credential_reason,
        created=config.created,
        changed=config.changed,
        redirect_uri=f"{base_url}/api/callback",
        certificate_ends=config.certificate.not_after if config.certificate else None,
        certificate_to_add=certificate_to_add(config),
        proof_correlation_id=config.proof,
        problem=msgspec.to_builtins(problem) if problem else None,
        secret_removal_deadline=config.intake_deadline,
        trust_to_add=trust_to_add(config, deployment) if config.state in UNFINISHED else None,
    )
