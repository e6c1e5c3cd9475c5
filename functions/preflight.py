"""Preflight: what of a configuration's app can be looked at before an owner meets it."""

import azure.functions as func

from functions._http import answer, api, identify
from postern.bootstrap import postern
from postern.model.caller import Action, Thing, require

bp = func.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS


@bp.function_name("configs_preflight")
@bp.route(route="configs/{config}/preflight", methods=["GET"], auth_level=ANONYMOUS)
@api
async def preflight(req: func.HttpRequest) -> func.HttpResponse:
    """Make every check now; 200 whatever they found."""
    app = await postern()
    wanted = req.route_params["config"]
    require(await identify(req, app), Action.CONFIGS, Thing(config=wanted))
    return answer(await app.preflight.run(wanted))
