"""The public certificate of a configuration, as the file that Entra's portal takes."""

import base64

import azure.functions as func

from functions._http import NO_STORE, api, identify
from postern.bootstrap import postern
from postern.errors import Malformed, NotFound
from postern.model.caller import Action, Thing, require
from postern.model.config import Certificate, Config

bp = func.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS


@bp.function_name("configs_certificate")
@bp.route(route="configs/{config}/certificate", methods=["GET"], auth_level=ANONYMOUS)
@api
async def certificate(req: func.HttpRequest) -> func.HttpResponse:
    """Give the certificate in use, or with `which=next` the one that is to take over (DER)."""
    app = await postern()
    wanted, which = req.route_params["config"], req.params.get("which", "present")
    require(await identify(req, app), Action.CONFIGS, Thing(config=wanted))
    if which not in ("present", "next"):
        raise Malformed("which-unknown", "'which' is 'present' or 'next'.")
    config, _ = await app.configurations.show(wanted)
    found = _certificate(config, which)
    if found is None:
        raise NotFound("certificate-none", "The configuration has no such certificate.")
    name = f"postern-{config.id}{'-next' if which == 'next' else ''}.cer"
    return func.HttpResponse(
        base64.b64decode(found.der),
        mimetype="application/pkix-cert",
        headers={**NO_STORE, "Content-Disposition": f'attachment; filename="{name}"'},
    )


def _certificate(config: Config, which: str) -> Certificate | None:
    if which == "present":
        return config.certificate
    return config.next_certificate.certificate if config.next_certificate else None
