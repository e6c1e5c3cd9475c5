"""Puts the routes together."""

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from local.entra import (
    authorize,
    control_apps,
    control_directory,
    control_weather,
    discovery,
    graph,
    graph_consents,
    graph_me,
    identity,
    pages,
    signin_steps,
    token_endpoint,
)
from local.entra.context import Entra

_APPLICATION = "/graph/v1.0/applications{key}"
_APPLICATION_ID = "/graph/v1.0/applications/{key}"
_CONSENTS = "/graph/v1.0/servicePrincipals{key}/oauth2PermissionGrants"


def _routes() -> list[Route]:
    routes = [
        Route("/{tenant}/v2.0/.well-known/openid-configuration", discovery.configuration),
        Route("/{tenant}/discovery/v2.0/keys", discovery.keys),
        Route("/{tenant}/oauth2/v2.0/authorize", authorize.authorize),
        Route("/{tenant}/oauth2/v2.0/token", token_endpoint.token, methods=["POST"]),
        Route("/{tenant}/v2.0/adminconsent", signin_steps.admin_consent),
        Route("/_signin/account", signin_steps.choose_account, methods=["POST"]),
        Route("/_signin/password", signin_steps.give_password, methods=["POST"]),
        Route("/_signin/consent", signin_steps.decide, methods=["POST"]),
        Route("/_signin/return", signin_steps.return_without_consent),
        Route("/_assets/entra.css", pages.style),
        Route("/msi/token", identity.managed_identity),
        Route(_CONSENTS, graph_consents.of_principal),
        Route("/graph/v1.0/me", graph_me.profile),
        Route("/graph/v1.0/me/sendMail", graph_me.send_mail, methods=["POST"]),
    ]
    # Graph knows an application by its object id and, in brackets, by its client id.
    for base in (_APPLICATION, _APPLICATION_ID):
        federations = f"{base}/federatedIdentityCredentials"
        routes += [
            Route(federations, graph.list_federations, methods=["GET"]),
            Route(federations, graph.add_federation, methods=["POST"]),
            Route(f"{base}/addPassword", graph.add_password, methods=["POST"]),
            Route(f"{base}/removePassword", graph.remove_password, methods=["POST"]),
            Route(base, graph.read, methods=["GET"]),
            Route(base, graph.update, methods=["PATCH"]),
        ]
    return routes + _control_routes()


def _control_routes() -> list[Route]:
    one_app = "/_control/apps/{client_id}"
    return [
        Route("/_control/tenants", control_directory.add_tenant, methods=["POST"]),
        Route("/_control/tenants/{id}", control_directory.change_tenant, methods=["PATCH"]),
        Route("/_control/apps", control_apps.add_app, methods=["POST"]),
        Route(one_app, control_apps.show_app, methods=["GET"]),
        Route(one_app, control_apps.change_app, methods=["PATCH"]),
        Route(one_app, control_apps.delete_app, methods=["DELETE"]),
        Route(f"{one_app}/secrets", control_apps.add_secret, methods=["POST"]),
        Route(f"{one_app}/certificates", control_apps.add_certificate, methods=["POST"]),
        Route(f"{one_app}/federations", control_apps.add_federation, methods=["POST"]),
        Route("/_control/users", control_directory.add_user, methods=["POST"]),
        Route("/_control/users/{oid}", control_directory.change_user, methods=["PATCH"]),
        Route("/_control/users/{oid}", control_directory.delete_user, methods=["DELETE"]),
        Route("/_control/identities", control_directory.add_identity, methods=["POST"]),
        Route("/_control/faults", control_weather.add_fault, methods=["POST"]),
        Route("/_control/faults", control_weather.clear_faults, methods=["DELETE"]),
        Route("/_control/settings", control_weather.change_settings, methods=["POST"]),
        Route("/_control/clock", control_weather.advance_clock, methods=["POST"]),
        Route("/_control/exchanges", control_weather.exchanges),
        Route("/_control/sent", control_weather.sent),
    ]


class _Noting:
    """Tells the store that something may have changed, so that no handler can forget to."""

    def __init__(self, app: ASGIApp, entra: Entra) -> None:
        self._app, self._entra = app, entra

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            # A silent sign-in writes a code although it is a GET.
            if scope["type"] == "http" and (
                scope["method"] != "GET" or scope["path"].endswith("/authorize")
            ):
                self._entra.store.changed()


def build(entra: Entra) -> ASGIApp:
    app = Starlette(routes=_routes())
    app.state.entra = entra
    return _Noting(app, entra)
