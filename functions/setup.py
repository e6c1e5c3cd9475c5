"""The setup of an app registration for this deployment: a script, or a page that explains it."""

import azure.functions as func

from functions._http import NO_STORE, api, identify
from functions._pages import show
from postern.bootstrap import postern
from postern.model.caller import Action, Thing, require

bp = func.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS


@bp.function_name("setup")
@bp.route(route="setup", methods=["GET"], auth_level=ANONYMOUS)
@api
async def setup(req: func.HttpRequest) -> func.HttpResponse:
    """Give what makes and activates an app registration. Changes nothing; holds no key."""
    app = await postern()
    require(await identify(req, app), Action.CONFIGS, Thing())
    wanted, form = app.setting_up.wanted(req.params)
    if form == "page":
        return show(app.setup_pages.page(wanted))
    scripts = app.setup_pages.scripts
    text = scripts.sh(wanted) if form == "sh" else scripts.powershell(wanted)
    # Plain text, so that no browser takes a script for a page.
    return func.HttpResponse(
        text.encode("ascii"),
        mimetype="text/plain",
        charset="utf-8",
        headers={**NO_STORE, "X-Content-Type-Options": "nosniff"},
    )
