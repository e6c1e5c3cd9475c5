"""Configurations: activate, list, show, verify, and the receipt of the removed secret."""

from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
import msgspec

from functions._http import answer, api, body, identify
from postern.bootstrap import postern
from postern.errors import Unprocessable
from postern.model.branding import Branding
from postern.model.caller import Action, Thing, require
from postern.model.config import UNFINISHED, Audience, Config, ConfigState, CredentialKind
from postern.model.scopes import Protocol
from postern.model.secret import Secret
from postern.model.trust import Deployment, trust_to_add
from postern.model.wanted import Wanted

bp = func.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
Url = Annotated[str, msgspec.Meta(max_length=512)]


class NewConfig(msgspec.Struct, forbid_unknown_fields=True):
    """An app registration to activate. Without `client_secret` it must trust us already."""

    name: Name
    client_id: str
    tenant_id: str
    client_secret: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    credential: Annotated[str, msgspec.Meta(pattern="^(auto|managed-identity|certificate)$")] = (
        "auto"
    )
    audience: Audience = Audience.ORGANIZATIONS
    protocols: list[Protocol] = msgspec.field(default_factory=lambda: list(Protocol))
    product: Name | None = None
    support: str | None = None
    accent: str = Branding(product="").accent
    allowed_tenants: Annotated[list[str], msgspec.Meta(max_length=100)] = []
    return_urls: Annotated[list[Url], msgspec.Meta(max_length=20)] = []


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
    certificate_ends: datetime | None = None
    proof_correlation_id: str | None = None
    problem: dict[str, Any] | None = None
    breaker: dict[str, Any] | None = None
    secret_removal_deadline: datetime | None = None
    trust_to_add: dict[str, Any] | None = None


@bp.function_name("configs_activate")
@bp.route(route="configs", methods=["POST"], auth_level=ANONYMOUS)
@api
async def activate(req: func.HttpRequest) -> func.HttpResponse:
    """Activate: 201 when active, 202 while an admin or Entra must finish, 422 with the cause."""
    app = await postern()
    by = await identify(req, app)
    require(by, Action.CONFIGS, Thing())
    wanted = body(req, NewConfig)
    secret = Secret(wanted.client_secret) if wanted.client_secret is not None else None
    config = await app.activation.activate(by.id, _wanted(wanted), secret)
    return _settled(config, app.deployment, app.base_url, done=201)


@bp.function_name("configs_list")
@bp.route(route="configs", methods=["GET"], auth_level=ANONYMOUS)
@api
async def every(req: func.HttpRequest) -> func.HttpResponse:
    """List the configurations."""
    app = await postern()
    require(await identify(req, app), Action.CONFIGS, Thing())
    configs = await app.configurations.all()
    return answer({"configs": [_shown(each, app.deployment, app.base_url) for each in configs]})


@bp.function_name("configs_show")
@bp.route(route="configs/{config}", methods=["GET"], auth_level=ANONYMOUS)
@api
async def one(req: func.HttpRequest) -> func.HttpResponse:
    """Show a configuration, its problem and its breaker."""
    app = await postern()
    wanted = req.route_params["config"]
    require(await identify(req, app), Action.CONFIGS, Thing(config=wanted))
    config, breaker = await app.configurations.show(wanted)
    shown = _shown(config, app.deployment, app.base_url)
    if breaker:
        shown.breaker = {"cause": breaker.cause, "since": breaker.since, "probe": breaker.probe}
    return answer(shown)


@bp.function_name("configs_verify")
@bp.route(route="configs/{config}/verify", methods=["POST"], auth_level=ANONYMOUS)
@api
async def verify(req: func.HttpRequest) -> func.HttpResponse:
    """Try the credential now, e.g. after adding the trust by hand."""
    app = await postern()
    by, wanted = await identify(req, app), req.route_params["config"]
    require(by, Action.CONFIGS, Thing(config=wanted))
    config = await app.activation.verify(by.id, wanted)
    return _settled(config, app.deployment, app.base_url, done=200)


@bp.function_name("configs_receipt")
@bp.route(route="configs/{config}/receipt", methods=["GET"], auth_level=ANONYMOUS)
@api
async def receipt(req: func.HttpRequest) -> func.HttpResponse:
    """Give the signed receipt and, to read, what it says."""
    app = await postern()
    wanted = req.route_params["config"]
    require(await identify(req, app), Action.CONFIGS, Thing(config=wanted))
    custody = await app.configurations.receipt(wanted)
    claims = app.custody.claims(custody)
    return answer(
        {"receipt": custody.receipt, "claims": claims, "keys": f"{app.base_url}/api/jwks"}
    )


@bp.function_name("jwks")
@bp.route(route="jwks", methods=["GET"], auth_level=ANONYMOUS)
@api
async def jwks(req: func.HttpRequest) -> func.HttpResponse:
    """Give the public keys that verify receipts. Public on purpose."""
    app = await postern()
    return answer(await app.custody.key_set())


def _wanted(form: NewConfig) -> Wanted:
    kind = None if form.credential == "auto" else CredentialKind(form.credential)
    product = form.product or form.name
    return Wanted(
        name=form.name,
        client_id=form.client_id.strip(),
        tenant_id=form.tenant_id.strip(),
        audience=form.audience,
        credential=kind,
        protocols=tuple(dict.fromkeys(form.protocols)),
        branding=Branding(product=product, support=form.support, accent=form.accent),
        allowed_tenants=tuple(form.allowed_tenants),
        return_urls=tuple(form.return_urls),
    )


def _settled(
    config: Config, deployment: Deployment, base_url: str, *, done: int
) -> func.HttpResponse:
    if config.problem is not None:
        raise Unprocessable(
            config.problem.code,
            config.problem.description,
            {"config": config.id, "correlation_id": config.problem.correlation_id},
        )
    status = 202 if config.state in UNFINISHED else done
    return answer(_shown(config, deployment, base_url), status)


def _shown(config: Config, deployment: Deployment, base_url: str) -> ShownConfig:
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
        credential=config.credential,
        credential_reason=config.credential_reason,
        created=config.created,
        changed=config.changed,
        redirect_uri=f"{base_url}/api/callback",
        certificate_ends=config.certificate.not_after if config.certificate else None,
        proof_correlation_id=config.proof,
        problem=msgspec.to_builtins(problem) if problem else None,
        secret_removal_deadline=config.intake_deadline,
        trust_to_add=trust_to_add(config, deployment) if config.state in UNFINISHED else None,
    )
