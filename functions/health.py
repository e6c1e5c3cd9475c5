"""Is everything there that the app needs?"""

import azure.functions as func

from functions._http import answer, api
from postern.bootstrap import postern

bp = func.Blueprint()


@bp.function_name("health")
@bp.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@api
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """Say of each dependency whether it was reached; 503 when one was not."""
    app = await postern()
    report = await app.health.report()
    well = all(state == "reached" for state in report.values())
    return answer({"status": "ok" if well else "degraded", "checks": report}, 200 if well else 503)
