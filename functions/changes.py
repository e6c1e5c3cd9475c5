"""What an admin changes on a configuration: edit, pause, another app or secret, the end."""

from typing import Annotated

import azure.functions as func
import msgspec

from functions._configs import settled, shown
from functions._http import answer, api, body, identify
from postern.bootstrap import postern
from postern.errors import Malformed
from postern.model.caller import Action, Thing, require
from postern.model.config import Audience, Config, CredentialKind
from postern.model.secret import Secret
from postern.model.wanted import Edit, Wanted

bp = func.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
Url = Annotated[str, msgspec.Meta(max_length=512)]


class ConfigEdit(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    name: Name | None = None
    product: Name | None = None
    support: str | None = None
    accent: str | None = None
    allowed_tenants: Annotated[list[str], msgspec.Meta(max_length=100)] | None = None
    return_urls: Annotated[list[Url], msgspec.Meta(max_length=20)] | None = None
    paused: bool | None = None


class NextConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Another secret, tenant or app. `confirm` accepts that owners must connect anew."""

    client_secret: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    client_id: str | None = None
    tenant_id: str | None = None
    audience: Audience | None = None
    credential: Annotated[str, msgspec.Meta(pattern="^(auto|managed-identity|certificate)$")] = (
        "auto"
    )
    confirm: bool = False


@bp.function_name("configs_edit")
@bp.route(route="configs/{config}", methods=["PATCH"], auth_level=ANONYMOUS)
@api
async def edit(req: func.HttpRequest) -> func.HttpResponse:
    """Change names, colours, allow-lists; pause or resume."""
    app = await postern()
    by, config = await identify(req, app), req.route_params["config"]
    require(by, Action.CONFIGS, Thing(config=config))
    changed = await app.changes.edit(by.id, config, _edit(body(req, ConfigEdit)))
    return answer(shown(changed, app.deployment, app.base_url))


@bp.function_name("configs_reactivate")
@bp.route(route="configs/{config}/activate", methods=["POST"], auth_level=ANONYMOUS)
@api
async def reactivate(req: func.HttpRequest) -> func.HttpResponse:
    """Activate another secret, tenant or app; what is there works on until that is proven."""
    app = await postern()
    by, config_id = await identify(req, app), req.route_params["config"]
    require(by, Action.CONFIGS, Thing(config=config_id))
    form = body(req, NextConfig)
    config, _ = await app.configurations.show(config_id)
    secret = Secret(form.client_secret) if form.client_secret is not None else None
    successor = await app.succession.begin(
        by.id, config, _wanted(config, form), secret, confirmed=form.confirm
    )
    return settled(successor, app.deployment, app.base_url, done=200)


@bp.function_name("configs_delete")
@bp.route(route="configs/{config}", methods=["DELETE"], auth_level=ANONYMOUS)
@api
async def delete(req: func.HttpRequest) -> func.HttpResponse:
    """Erase a configuration: 204 when nothing is left, 202 while the timer goes on."""
    app = await postern()
    by, config = await identify(req, app), req.route_params["config"]
    require(by, Action.CONFIGS, Thing(config=config))
    confirmed = req.params.get("confirm") == "true"
    done = await app.changes.delete(by.id, config, confirmed=confirmed)
    return func.HttpResponse(status_code=204) if done else answer({"state": "deleting"}, 202)


def _edit(form: ConfigEdit) -> Edit:
    values = {name: getattr(form, name) for name in form.__struct_fields__}
    if all(value is None for value in values.values()):
        raise Malformed("nothing-to-change", "Name at least one field to change.")
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Edit(**{**values, **lists})


def _wanted(config: Config, form: NextConfig) -> Wanted:
    return Wanted(
        name=config.name,
        client_id=(form.client_id or config.client_id).strip(),
        tenant_id=(form.tenant_id or config.tenant_id).strip(),
        audience=form.audience or config.audience,
        credential=None if form.credential == "auto" else CredentialKind(form.credential),
        protocols=config.protocols,
        branding=config.branding,
        allowed_tenants=config.allowed_tenants,
        return_urls=config.return_urls,
    )
