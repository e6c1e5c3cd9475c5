"""Creates the FunctionApp, closed by default, and registers the blueprints. Nothing else."""

import azure.functions as func

from functions import (
    authorize,
    callback,
    certificates,
    changes,
    configs,
    connect,
    health,
    keys,
    links,
    mailboxes,
    preflight,
    refresh,
    setup,
    sweep,
    token,
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ADMIN)

for module in (
    authorize,
    callback,
    certificates,
    changes,
    configs,
    connect,
    health,
    keys,
    links,
    mailboxes,
    preflight,
    refresh,
    setup,
    sweep,
    token,
):
    app.register_functions(module.bp)
