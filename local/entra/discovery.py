"""OpenID discovery and the key set: the documents from which clients learn everything else."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.entra.answers import refusing
from local.entra.authority import authority_of
from local.entra.context import entra_of


@refusing
async def configuration(request: Request) -> Response:
    entra = entra_of(request)
    authority = authority_of(entra.state, request.path_params["tenant"])
    where = authority.tenant.id if authority.tenant else authority.name
    base = f"{entra.base_url}/{where}"
    document: dict[str, Any] = {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        # The shared authorities cannot know the tenant yet, so Entra leaves a literal placeholder:
        # a client that compares it with a token's issuer as it stands always fails.
        "issuer": entra.issuer(authority.tenant.id if authority.tenant else "{tenantid}"),
        "request_uri_parameter_supported": False,
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid",
            "ver", "email",
        ],
        "tenant_region_scope": "EU" if authority.tenant else None,
        "msgraph_host": "graph.microsoft.com",
    }  # fmt: skip
    return JSONResponse(document)


@refusing
async def keys(request: Request) -> Response:
    entra = entra_of(request)
    authority_of(entra.state, request.path_params["tenant"])
    return JSONResponse(entra.key.jwks(), headers={"Cache-Control": "max-age=86400"})
