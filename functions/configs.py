"""Configurations: activate, list, show, verify, and the receipt of the removed secret."""

from typing import Annotated

import azure.functions as func
import msgspec

from functions._configs import settled, shown
from functions._http import answer, api, body, identify
from postern.bootstrap import postern
from postern.model.branding import Branding
from postern.model.caller import Action, Thing, require
from postern.model.config import Audience, CredentialKind
from postern.model.scopes import Protocol
from postern.model.secret import Secret
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
    return settled(config, app.deployment, app.base_url, done=201)


@bp.function_name("configs_list")
@bp.route(route="configs", methods=["GET"], auth_level=ANONYMOUS)
@api
async def every(req: func.HttpRequest) -> func.HttpResponse:
    """List the configurations."""
    app = await postern()
    require(await identify(req, app), Action.CONFIGS, Thing())
    configs = await app.configurations.all()
    return answer({"configs": [shown(each, app.deployment, app.base_url) for each in configs]})


@bp.function_name("configs_show")
@bp.route(route="configs/{config}", methods=["GET"], auth_level=ANONYMOUS)
@api
async def one(req: func.HttpRequest) -> func.HttpResponse:
    """Show a configuration, its problem and its breaker."""
    app = await postern()
    wanted = req.route_params["config"]
    require(await identify(req, app), Action.CONFIGS, Thing(config=wanted))
    config, breaker = await app.configurations.show(wanted)
    told = shown(config, app.deployment, app.base_url)
    if breaker:
        told.breaker = {"cause": breaker.cause, "since": breaker.since, "probe": breaker.probe}
    if successor := await app.succession.of(config.id):
        told.successor = shown(successor, app.deployment, app.base_url)
    if ending := await app.renewal.ending(config):
        told.credential_ends_in_days = ending.days
        told.mailboxes_depending = ending.mailboxes
        told.clients_depending = ending.clients
    return answer(told)


@bp.function_name("configs_verify")
@bp.route(route="configs/{config}/verify", methods=["POST"], auth_level=ANONYMOUS)
@api
async def verify(req: func.HttpRequest) -> func.HttpResponse:
    """Try the credential now, e.g. after adding the trust by hand."""
    app = await postern()
    by, wanted = await identify(req, app), req.route_params["config"]
    require(by, Action.CONFIGS, Thing(config=wanted))
    await app.renewal.look(wanted)
    config = await app.succession.verify(by.id, wanted)
    return settled(config, app.deployment, app.base_url, done=200)


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
