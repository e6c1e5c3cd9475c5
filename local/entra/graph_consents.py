"""Consents as Graph lists them; reading them takes a right of its own."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.entra.context import Entra
from local.entra.graph_edge import Caller, GraphError, graph, no_rights
from local.entra.model import EVERYBODY
from local.entra.permissions import BY_ID

RIGHT = "Directory.Read.All"


@graph
async def of_principal(request: Request, entra: Entra, caller: Caller) -> Response:
    """List who allowed the app of the path what, in the caller's tenant."""
    if not caller.has_role(RIGHT):
        raise no_rights()
    tenant = caller.claims["tid"]
    named = request.path_params["key"].lower()
    principal = next(
        (
            one
            for one in entra.state.principals.values()
            if one.tenant == tenant and named == f"(appid='{one.client_id}')"
        ),
        None,
    )
    if principal is None:
        raise GraphError(404, "Request_ResourceNotFound", "There is no such service principal.")
    found = []
    for key, names in entra.state.consents.items():
        its_tenant, user, client_id, resource = key.split("|")
        if (its_tenant, client_id) == (tenant, principal.client_id) and names:
            everybody = user == EVERYBODY
            found.append(
                {
                    "id": key,
                    "clientId": principal.id,
                    "consentType": "AllPrincipals" if everybody else "Principal",
                    "principalId": None if everybody else user,
                    "resourceId": BY_ID[resource].app_id,
                    "scope": " ".join(names),
                }
            )
    return JSONResponse({"value": found})
