"""A small app for the tests of the dev host: web.py answers, background.py notes what it got."""

import azure.functions as func

# Top-level names, as an app's own packages are on Azure: only the dev host has them on its path.
from background import background  # type: ignore[import-not-found]
from web import web  # type: ignore[import-not-found]

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(web)
app.register_functions(background)
